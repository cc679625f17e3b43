"""`./dive new`: a further country, entered at the hub."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.cli import new
from dive_infra.cli.__main__ import app
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from tests.unit.exported_states import FORGED, exported

FRA = Names(parse("FRA"))


def test_a_new_country_is_written_and_entered_and_nothing_else_changes(checkout: Path) -> None:
    done = CliRunner().invoke(app, ["new", "gbr", "--no-preview"])
    assert done.exit_code == 0, done.stderr
    hub = (checkout / "Pulumi.usa.yaml").read_text()
    assert hub == "# the hub\nconfig:\n  dive:spokes: [FRA, GBR] # approved\n"
    text = (checkout / "Pulumi.gbr.yaml").read_text()
    assert text == (
        "# United Kingdom (GBR): https://portal.gbr.dive.localhost:3031\nconfig:\n  dive:hub: organization/dive/usa\n"
    )
    assert "next: ./dive up USA GBR" in done.stderr


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("FRA", "FRA is a country of this coalition already"),
        ("USA", "USA is the hub"),
        ("GRB", "country 'GRB' is not known: expected three capital letters such as FRA; did you mean GRC?"),
        ("../x", "is not known"),
    ],
)
def test_a_country_that_cannot_be_new_is_refused_and_nothing_is_written(checkout: Path, code: str, told: str) -> None:
    before = {p.name: p.read_text() for p in checkout.iterdir()}
    done = CliRunner().invoke(app, ["new", code, "--no-preview"])
    assert done.exit_code == 2
    assert told in done.stderr
    assert {p.name: p.read_text() for p in checkout.iterdir()} == before


def test_what_a_run_that_was_cut_off_has_written_is_completed(checkout: Path) -> None:
    (checkout / "Pulumi.deu.yaml").write_text("config:\n  dive:hub: organization/dive/usa # mine\n")
    assert CliRunner().invoke(app, ["new", "DEU", "--no-preview"]).exit_code == 0
    assert (checkout / "Pulumi.deu.yaml").read_text().endswith("# mine\n")
    assert "[FRA, DEU]" in (checkout / "Pulumi.usa.yaml").read_text()


def test_the_preview_of_a_hub_whose_state_names_foreign_programs_is_refused(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new, "prepare", dict)
    monkeypatch.setattr(new, "export_state", lambda stack: exported(FORGED))
    monkeypatch.delattr(new, "subprocess")
    done = CliRunner().invoke(app, ["new", "GBR"])
    assert done.exit_code == 1
    assert "forged has the provider posix system" in done.stderr
    assert "the stack files are written" in done.stderr
