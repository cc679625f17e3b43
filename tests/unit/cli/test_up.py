"""`./dive up` of several countries: one that fails stops no other, and each says what it needs next."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from dive_infra.automation.failures import CountryLocked, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.state_export import NotDeployed
from dive_infra.checks.partners import Pending
from dive_infra.cli import outcomes, up
from dive_infra.cli.__main__ import app
from dive_infra.orchestration.access import Unreachable
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import UP, Remedy

BROKEN = UpdateFailed("`pulumi up -s …` failed", Remedy.deploy("", f"fix it, then run {UP}"))


class Coalition:
    """`ends`: country -> what its deployment raises; `deployed`: those that were deployed before."""

    def __init__(self) -> None:
        self.ends: dict[str, Exception] = {}
        self.links: dict[str, list[str]] = {}
        self.deployed = {"USA", "FRA", "GBR"}
        self.started: list[str] = []
        self.record: Exception | None = None
        self.awaited: Pending | None = None

    def deploy(self, runner: Runner, _reporter: object) -> None:
        self.started.append(runner.country)
        if error := self.ends.get(runner.country):
            raise error

    def pending(self, stack: Any) -> list[str]:
        if self.record:
            raise self.record
        return [p for p in self.links.get(stack.code, []) if p not in self.started or p in self.ends]


@pytest.fixture
def coalition(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Coalition:
    (checkout / "Pulumi.gbr.yaml").write_text("config: {}\n")
    there = Coalition()
    for name in ("prepare", "enrol_all"):
        monkeypatch.setattr(up, name, lambda *_: None)
    monkeypatch.setattr(up.images, "ensure", lambda *_: None)
    monkeypatch.setattr(up, "deploy", there.deploy)
    monkeypatch.setattr(up, "leave_report", lambda code: SimpleNamespace(code=code, outputs={}))
    monkeypatch.setattr(up, "summary", lambda country, *_: f"portal of {country}")
    monkeypatch.setattr(up.awaited, "links", there.pending)
    monkeypatch.setattr(up.awaited, "policies", lambda _: there.awaited)
    monkeypatch.setattr(outcomes, "stands_alone", lambda code: code in there.deployed)
    return there


def run(*countries: str) -> Any:
    return CliRunner().invoke(app, ["up", *countries], env={"COLUMNS": "200"})


def rows(done: Any) -> list[str]:
    """Return the lines of the table at the end, with single spaces."""
    return [" ".join(line.split()) for line in done.stderr.splitlines() if line.startswith(tuple("✓✗‼–"))]


def test_a_spoke_that_fails_does_not_stop_the_others(coalition: Coalition) -> None:
    coalition.ends["FRA"] = BROKEN
    done = run("USA", "FRA", "GBR")
    assert coalition.started == ["USA", "FRA", "GBR"]
    assert done.exit_code == 1
    assert rows(done) == [
        "✓ USA deployed and verified",
        "✗ FRA failed next: fix it, then run ./dive up FRA",
        "✓ GBR deployed and verified",
    ]
    assert "portal of GBR" in done.stderr


def test_without_its_hub_a_country_is_deployed_unless_it_never_was(coalition: Coalition) -> None:
    coalition.ends["USA"] = CountryLocked(
        "USA is being deployed by me", Remedy.wait("wait for it, then: ./dive up USA")
    )
    coalition.deployed.remove("GBR")
    done = run("USA", "FRA", "GBR")
    assert (done.exit_code, coalition.started) == (3, ["USA", "FRA"])
    assert rows(done) == [
        "✗ USA another run is deploying it next: wait for it, then: ./dive up USA",
        "✓ FRA deployed and verified",
        "– GBR not started: its first deployment needs USA next: ./dive up USA GBR",
    ]


def test_with_its_hub_a_country_is_deployed_for_the_first_time(coalition: Coalition) -> None:
    coalition.deployed.clear()
    done = run("USA", "GBR")
    assert (done.exit_code, coalition.started) == (0, ["USA", "GBR"])


def test_an_interruption_ends_it(coalition: Coalition) -> None:
    coalition.ends["USA"] = UpdateInterrupted("interrupted", Remedy.deploy("USA"))
    coalition.links["FRA"] = ["USA"]
    done = run("USA", "FRA")
    assert (done.exit_code, coalition.started) == (130, ["USA"])
    assert rows(done) == [
        "✗ USA interrupted next: ./dive up USA",
        "– FRA not started: interrupted before next: ./dive up FRA",
    ]


def test_a_country_is_updated_once_more_after_its_partner_was_deployed(coalition: Coalition) -> None:
    coalition.links = {"USA": ["FRA"]}
    done = run("USA", "FRA")
    assert (done.exit_code, coalition.started) == (0, ["USA", "FRA", "USA"])
    assert rows(done) == ["✓ USA deployed and verified", "✓ FRA deployed and verified"]


def test_a_partner_with_another_pending_link_is_deployed_all_the_same(coalition: Coalition) -> None:
    coalition.links = {"USA": ["FRA"], "FRA": ["DEU"]}
    done = run("USA", "FRA")
    assert (done.exit_code, coalition.started) == (4, ["USA", "FRA", "USA"])


def test_after_an_interruption_no_country_is_updated_once_more(coalition: Coalition) -> None:
    coalition.links = {"USA": ["FRA"]}
    coalition.ends["GBR"] = UpdateInterrupted("interrupted", Remedy.deploy("GBR"))
    done = run("USA", "FRA", "GBR")
    assert (done.exit_code, coalition.started) == (130, ["USA", "FRA", "GBR"])


def test_it_is_not_updated_for_a_partner_that_failed(coalition: Coalition) -> None:
    coalition.links = {"USA": ["FRA"], "GBR": ["FRA"]}
    coalition.ends["FRA"] = BROKEN
    done = run("USA", "FRA", "GBR")
    assert (done.exit_code, coalition.started) == (1, ["USA", "FRA", "GBR"])
    assert rows(done)[0] == (
        "✓ USA deployed; its link to FRA is pending next: once FRA is deployed and answers: ./dive up USA"
    )
    assert rows(done)[2].startswith("‼ GBR deployed; its link to FRA is pending")


@pytest.mark.parametrize(("code", "exit_code"), [("FRA", 4), ("USA", 0)])
def test_a_pending_link_of_a_spoke_alone_counts(coalition: Coalition, code: str, exit_code: int) -> None:
    coalition.links[code] = ["GBR"]
    done = run(code)
    assert done.exit_code == exit_code
    assert bool(rows(done)) == (code == "FRA"), "one country alone needs no table, unless there is something to do"


def test_a_spoke_without_policies_of_its_hub_is_not_complete(coalition: Coalition) -> None:
    coalition.awaited = Pending("FRA permits nothing yet", Remedy.update(detail="completes it once USA answers"))
    coalition.links["FRA"] = ["USA"]
    done = run("FRA")
    assert done.exit_code == 4
    assert rows(done) == ["‼ FRA deployed; FRA permits nothing yet next: ./dive up FRA (completes it once USA answers)"]
    assert run("USA").exit_code == 0, "the hub is the source of them"


def test_a_record_that_does_not_answer_is_reported_and_the_others_go_on(
    coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    coalition.record = Unreachable("the record does not answer")
    done = run("USA", "FRA")
    assert (done.exit_code, coalition.started) == (2, ["USA", "FRA"])
    assert rows(done)[1] == "✗ FRA deployed; its record does not answer next: ./dive status FRA"


@pytest.mark.parametrize(
    ("state", "alone"),
    [
        (lambda _: {"of": Phase.DEPLOYMENT}, True),
        (lambda _: {}, False),
        (lambda _: _raise(NotDeployed("no stack")), False),
        (lambda _: _raise(PulumiFailed("wrong passphrase")), True),
    ],
    ids=["deployed", "begun", "never", "unknown"],
)
def test_who_was_deployed_before_needs_no_hub(
    monkeypatch: pytest.MonkeyPatch, state: Callable[[str], Any], alone: bool
) -> None:
    monkeypatch.setattr(outcomes, "export_state", state)
    monkeypatch.setattr(outcomes, "read_stack", lambda _, found: SimpleNamespace(checkpoints=[*found.values()]))
    assert outcomes.stands_alone("FRA") == alone


def _raise(error: Exception) -> None:
    raise error
