"""Several countries side by side: what they say and how the command ends."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.cli import fleet
from dive_infra.cli.__main__ import app
from dive_infra.cli.exits import Exit
from dive_infra.cli.fleet import CountryRun
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.orchestration.states import Phase

FRA = Names(parse("FRA"))


def ended(*codes: int | None) -> list[CountryRun]:
    return [CountryRun(code, Path("none"), code=end) for code, end in zip(("USA", "FRA", "GBR"), codes, strict=True)]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((0, 0, 0), Exit.OK),
        ((0, 1, 0), Exit.PARTIAL),
        ((0, 3, 1), Exit.PARTIAL),
        ((1, None, None), Exit.FINDINGS),
        ((3, None, None), Exit.LOCKED),
        ((130, None, None), Exit.INTERRUPTED),
    ],
)
def test_the_hub_decides_and_failed_spokes_make_it_partial(codes: tuple[int | None, ...], expected: Exit) -> None:
    assert fleet.ended(ended(*codes)) == expected


def test_the_phase_of_a_deployment_is_read_from_what_it_prints(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("")
    one = CountryRun("GBR", log)
    for line, phase in (
        (" ✓ PREFLIGHT phase complete and validated, skipping (x)\n", Phase.INITIALIZATION),
        (" +  pulumi-python:dynamic/dive:Checkpoint deployment-checkpoint creating (0s)\n", Phase.INITIALIZATION),
        (" +  pulumi-python:dynamic/dive:Checkpoint deployment-checkpoint created (2s)\n", Phase.CONFIGURATION),
        (" ~  pulumi-python:dynamic/dive:Checkpoint seeding-checkpoint updated (2s)\n", Phase.VERIFICATION),
        (" +  pulumi-python:dynamic/dive:Verification verification-proof created (5s)\n", Phase.VERIFICATION),
        # Pulumi repeats all messages at its end.
        ("    ✓ PREFLIGHT phase complete and validated, skipping (x)\n", Phase.VERIFICATION),
    ):
        log.write_text(line)
        with log.open() as printed:
            one._read(printed)
        assert one.phase == phase, line


def test_a_coalition_with_a_country_without_a_file_is_not_begun(checkout: Path) -> None:
    (checkout / "Pulumi.usa.yaml").write_text("config:\n  dive:spokes: [FRA, GBR]\n")
    done = CliRunner().invoke(app, ["up", "--all"])
    assert done.exit_code == 2
    assert "Pulumi.gbr.yaml does not exist" in done.stderr
    both = CliRunner().invoke(app, ["up", "--all", "FRA"])
    assert both.exit_code == 2
