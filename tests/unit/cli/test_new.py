"""`./dive new`: the stack file of a country, its keys, and its request."""

from pathlib import Path
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from dive_infra.automation import enrolment
from dive_infra.automation.enrolment import Enrolled
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.cli import new
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.config.settings import load
from dive_infra.membership.enrolment import request_of
from dive_infra.membership.request import Request, fingerprint
from tests.support import members


def asked(code: str) -> Request:
    return request_of(Names(parse(code)), members.private_keys(code), members.ISSUED)


@pytest.fixture(autouse=True)
def enrol(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Enrols without Pulumi."""
    found = Mock(side_effect=lambda runner: Enrolled(asked(runner.country), ("ca-key", "members/x.json")))
    monkeypatch.setattr(enrolment, "enrol", found)
    monkeypatch.setattr(new, "prepare", dict)
    return found


def test_a_new_country_is_written_and_entered_and_nothing_else_changes(checkout: Path) -> None:
    done = CliRunner().invoke(app, ["new", "gbr"])
    assert done.exit_code == 0, done.stderr
    hub = (checkout / "Pulumi.usa.yaml").read_text()
    assert hub == "# the hub\nconfig:\n  dive:spokes: [FRA, GBR] # approved\n"
    text = (checkout / "Pulumi.gbr.yaml").read_text()
    assert text == "# United Kingdom (GBR): https://portal.gbr.dive.localhost:3031\nconfig: {}\n"
    assert f"fingerprint of GBR: {fingerprint(asked('GBR'))}" in done.stderr
    assert "next: ./dive up USA GBR" in done.stderr


def test_a_country_on_a_machine_of_its_own_is_shown_what_to_send(checkout: Path) -> None:
    (checkout / "Pulumi.usa.yaml").unlink()
    done = CliRunner().invoke(app, ["new", "GBR"])
    assert done.exit_code == 0, done.stderr
    assert {p.name for p in checkout.glob("Pulumi.*.yaml")} == {"Pulumi.fra.yaml", "Pulumi.gbr.yaml"}
    assert "send members/gbr.json to the hub, compare the fingerprint" in done.stderr


def test_the_hub_has_a_request_too(checkout: Path) -> None:
    before = (checkout / "Pulumi.usa.yaml").read_text()
    done = CliRunner().invoke(app, ["new", "USA"])
    assert done.exit_code == 0, done.stderr
    assert "fingerprint of USA" in done.stderr
    assert (checkout / "Pulumi.usa.yaml").read_text() == before


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("GRB", "country 'GRB' is not known: expected three capital letters such as FRA; did you mean GRC?"),
        ("../x", "is not known"),
    ],
)
def test_an_unknown_country_is_refused_and_nothing_is_written(checkout: Path, code: str, told: str) -> None:
    before = {p.name: p.read_text() for p in checkout.iterdir()}
    done = CliRunner().invoke(app, ["new", code])
    assert done.exit_code == 2
    assert told in done.stderr
    assert {p.name: p.read_text() for p in checkout.iterdir()} == before


def test_a_country_whose_request_was_received_is_refused_before_it_is_approved(checkout: Path) -> None:
    members.write_request(checkout, Names(parse("DEU")))
    before = (checkout / "Pulumi.usa.yaml").read_text()
    done = CliRunner().invoke(app, ["new", "DEU"])
    assert done.exit_code == 2
    assert "members/deu.json is the request of DEU, whose keys are not here" in done.stderr
    assert (checkout / "Pulumi.usa.yaml").read_text() == before
    assert not (checkout / "Pulumi.deu.yaml").exists()


def test_what_a_run_that_was_cut_off_has_written_is_completed(checkout: Path) -> None:
    (checkout / "Pulumi.deu.yaml").write_text("config:\n  dive:documents: 50 # mine\n")
    assert CliRunner().invoke(app, ["new", "DEU"]).exit_code == 0
    assert (checkout / "Pulumi.deu.yaml").read_text().endswith("# mine\n")
    assert "[FRA, DEU]" in (checkout / "Pulumi.usa.yaml").read_text()


def test_a_state_that_cannot_be_opened_is_reported(checkout: Path, enrol: Mock) -> None:
    enrol.side_effect = PulumiFailed("incorrect passphrase")
    done = CliRunner().invoke(app, ["new", "GBR"])
    assert done.exit_code == 2
    assert "incorrect passphrase" in done.stderr


def test_only_countries_that_lack_something_are_enrolled_before_a_deployment(
    checkout: Path, enrol: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the hub its spokes, as it needs their requests; those whose stack file is elsewhere enrol there."""
    monkeypatch.setattr(enrolment, "missing", lambda runner: runner.country != "USA")
    new.enrol_all([load("usa", {"dive:spokes": ["FRA", "DEU"]})])
    assert [call.args[0].country for call in enrol.call_args_list] == ["FRA"]
    assert checkout == paths.STACKS


def test_the_fingerprint_of_a_received_request_is_shown_and_nothing_is_created(checkout: Path, enrol: Mock) -> None:
    members.write_request(checkout, Names(parse("DEU")))
    before = {p.name for p in checkout.iterdir()}
    done = CliRunner().invoke(app, ["new", "DEU", "--show"])
    assert done.exit_code == 0
    assert f"fingerprint of DEU: {fingerprint(asked('DEU'))}" in done.stderr
    assert {p.name for p in checkout.iterdir()} == before
    enrol.assert_not_called()
    missing = CliRunner().invoke(app, ["new", "GBR", "--show"])
    assert missing.exit_code == 2
    assert "members/gbr.json does not exist" in missing.stderr
