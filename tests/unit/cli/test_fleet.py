"""Several countries side by side: what they say and how the command ends."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dive_infra.cli import fleet, outcomes
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
        ((1, 0, 0), Exit.FINDINGS),
        ((3, None, None), Exit.LOCKED),
        ((130, None, None), Exit.INTERRUPTED),
    ],
)
def test_the_hub_decides_and_failed_spokes_make_it_partial(codes: tuple[int | None, ...], expected: Exit) -> None:
    assert fleet.ended(ended(*codes)) == expected


@pytest.mark.parametrize(("code", "mark"), [(None, "…"), (0, "✓"), (4, "‼"), (1, "✗"), (130, "✗")])
def test_a_country_has_the_same_mark_while_others_run_and_at_the_end(
    tmp_path: Path, code: int | None, mark: str
) -> None:
    assert mark in CountryRun("GBR", tmp_path, code=code).line()[0]
    assert code is None or mark in outcomes.mark(code)


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


def run(
    monkeypatch: pytest.MonkeyPatch, codes: dict[str, list[int]], deployed: set[str]
) -> tuple[list[str], list[Any]]:
    """Run a fleet whose deployments end with these codes; return who was started, and how each ended."""
    started: list[str] = []

    def end(one: CountryRun) -> CountryRun:
        started.append(one.country)
        one.code = codes[one.country].pop(0)
        return one

    monkeypatch.setattr(CountryRun, "run", end)
    monkeypatch.setattr(fleet.awaited, "links_of", lambda code: [])
    monkeypatch.setattr(outcomes, "stands_alone", lambda code: code in deployed)
    runs = [CountryRun(code, Path("none")) for code in codes]
    interrupted = fleet._run(runs[0], runs[1:], 1)
    return started, [fleet._outcome(one, interrupted) for one in runs]


def test_without_the_hub_the_spokes_that_were_deployed_before_are_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    started, found = run(monkeypatch, {"USA": [1], "FRA": [0], "GBR": []}, {"FRA"})
    assert started == ["USA", "FRA"]
    assert [(one.what, one.next) for one in found] == [
        ("failed", "./dive up USA"),
        ("verified", ""),
        ("not started: its first deployment needs USA", "./dive up USA GBR"),
    ]


def test_after_an_interruption_no_spoke_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started, found = run(monkeypatch, {"USA": [130], "FRA": []}, {"FRA"})
    assert started == ["USA"]
    assert [one.what for one in found] == ["interrupted", "not started: interrupted before"]


def test_a_spoke_whose_partner_was_deployed_since_is_updated_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    started, found = run(monkeypatch, {"USA": [0], "FRA": [4, 0], "GBR": [4, 4]}, set())
    assert started == ["USA", "FRA", "GBR", "FRA", "GBR"]
    assert [(one.what, one.next) for one in found[1:]] == [("verified", ""), ("in part", "./dive up GBR")]


def test_a_coalition_with_a_country_without_a_file_is_not_started(checkout: Path) -> None:
    (checkout / "Pulumi.usa.yaml").write_text("config:\n  dive:spokes: [FRA, GBR]\n")
    done = CliRunner().invoke(app, ["up", "--all"])
    assert done.exit_code == 2
    assert "Pulumi.gbr.yaml does not exist" in done.stderr
    both = CliRunner().invoke(app, ["up", "--all", "FRA"])
    assert both.exit_code == 2
