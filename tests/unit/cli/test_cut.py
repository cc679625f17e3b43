"""`./dive cut` with stand-ins for the deployed country, its partner's login and `pulumi up`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dive_infra.automation.pulumi_cli import Runner
from dive_infra.checks.partners import Pending
from dive_infra.checks.spec import PartnerSpec, Party
from dive_infra.cli import cut, stacks
from dive_infra.cli.__main__ import app
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.identity.browser import LoginFailed
from dive_infra.membership.status import ProbeLogin
from dive_infra.orchestration.states import Phase
from dive_infra.results.errors import DiveError

USA, FRA = Names(HUB), Names(COUNTRIES["FRA"])
PERMITTED, REFUSED = 200, 403


class Hub:
    """The deployed hub. `ended`: what the command has cut off; `leaks`: what still works afterwards."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.updates: list[str] = []
        self.failed: list[DiveError] = []
        self.leaks: set[str] = set()
        self.away: Exception | None = None
        verification = SimpleNamespace(own=Party(USA, ""), partners=(PartnerSpec(FRA),), ca="", sealing_key="")
        self.specs: dict[Phase, Any] = {Phase.CONFIGURATION: SimpleNamespace(), Phase.VERIFICATION: verification}

    def cut_off(self, _state: object, _spec: object, partners: list[Names]) -> list[DiveError]:
        self.ended += [partner.country.code for partner in partners]
        return self.failed

    def issued(self, *_: object) -> ProbeLogin:
        if self.away:
            raise self.away
        return ProbeLogin("probe-fra-usa", "password")

    @contextmanager
    def login(self, *_: object) -> Iterator[Any]:
        if self.ended and "login" not in self.leaks:
            raise LoginFailed("login", "portal", "a form", "404")
        yield SimpleNamespace(document=self.document)

    def document(self, _identifier: str) -> Any:
        refused = self.ended and "session" not in self.leaks
        answer = {"check": "federation"} if refused else {}
        return SimpleNamespace(
            status_code=REFUSED if refused else PERMITTED, is_success=not refused, json=lambda: answer
        )


@pytest.fixture
def hub(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    there = Hub()
    monkeypatch.setattr(cut, "prepare", dict)
    monkeypatch.setattr(stacks, "refuse_while_updating", lambda codes: None)
    monkeypatch.setattr(stacks, "export_state", lambda stack: {})
    monkeypatch.setattr(cut, "read_stack", lambda *_: SimpleNamespace(store=None, spec=there.specs.get))
    monkeypatch.setattr(cut, "cut_off", there.cut_off)
    monkeypatch.setattr(cut.partners, "issued", there.issued)
    monkeypatch.setattr(cut, "login", there.login)

    def deploy(runner: Runner, _reporter: object) -> None:
        there.updates.append(runner.name)

    monkeypatch.setattr(cut, "deploy", deploy)
    return there


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["cut", *arguments])


def declared(checkout: Path) -> object:
    return yaml.safe_load((checkout / "Pulumi.usa.yaml").read_text())["config"].get("dive:cut")


def test_a_partner_is_cut_off_and_the_cut_is_proven_and_declared(hub: Hub, checkout: Path) -> None:
    done = run("FRA")
    assert done.exit_code == 0, done.output
    assert (hub.ended, hub.updates, declared(checkout)) == (["FRA"], ["usa"], ["FRA"])
    assert "✓ the access of FRA to USA has ended" in done.output
    assert "proven: probe-fra-usa is refused, with a session from before and with a new login" in done.output
    undone = run("FRA", "--undo")
    assert (undone.exit_code, hub.updates, declared(checkout)) == (0, ["usa", "usa"], None)
    assert run("FRA", "--undo").exit_code == 2, "not cut off any more"


@pytest.mark.parametrize("leak", ["session", "login"])
def test_access_that_did_not_end_is_reported(hub: Hub, checkout: Path, leak: str) -> None:
    hub.leaks = {leak}
    done = run("FRA")
    assert (done.exit_code, hub.updates) == (1, [])
    assert "still" in done.stderr or "from before" in done.stderr
    assert declared(checkout) == ["FRA"], "no update restores it"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Pending("FRA does not answer"), "FRA does not answer"),
        (KeyError("location"), "FRA cannot be asked: KeyError 'location'"),
        (TimeoutError("no end within 5 s"), "FRA cannot be asked: TimeoutError no end within 5 s"),
    ],
    ids=["away", "nonsense", "without an end"],
)
def test_no_answer_of_the_partner_keeps_it_from_being_cut_off(hub: Hub, answer: Exception, why: str) -> None:
    hub.away = answer
    done = run("FRA")
    assert (done.exit_code, hub.ended, hub.updates) == (0, ["FRA"], ["usa"])
    assert f"not proven by a login, because {why}" in done.output
    assert "proven: " not in done.output


def test_a_link_that_was_never_proven_is_ended_too(hub: Hub) -> None:
    del hub.specs[Phase.VERIFICATION]
    done = run("FRA")
    assert (done.exit_code, hub.ended, hub.updates) == (0, ["FRA"], ["usa"])
    assert "not proven by a login, because its link was never proven" in done.output


def test_one_that_is_cut_off_already_does_not_come_back_with_the_next(hub: Hub, checkout: Path) -> None:
    (checkout / "Pulumi.usa.yaml").write_text("config:\n  dive:spokes: [FRA, GBR]\n  dive:cut: [GBR]\n")
    assert run("FRA").exit_code == 0
    assert hub.ended == ["GBR", "FRA"]


def test_what_could_not_be_ended_is_reported_with_the_command_to_repeat(hub: Hub) -> None:
    hub.failed = [DiveError("Keycloak does not answer")]
    done = run("FRA")
    assert (done.exit_code, hub.updates) == (4, [])
    assert "not all of the access of FRA has ended: Keycloak does not answer" in done.stderr
    assert "next: ./dive cut FRA --at USA" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["GBR"], "stack files are here of USA, FRA; which one cuts GBR off?"),
        (["GBR", "--at", "USA"], "GBR is no partner of USA; expected one of FRA"),
        (["XXX"], "'XXX' is not known"),
        (["FRA", "--undo"], "FRA is not cut off at USA; dive:cut has no one"),
    ],
)
def test_a_wrong_partner_is_reported_and_nothing_is_changed(
    hub: Hub, checkout: Path, arguments: list[str], told: str
) -> None:
    before = (checkout / "Pulumi.usa.yaml").read_text()
    done = run(*arguments)
    assert (done.exit_code, hub.ended, hub.updates) == (2, [], [])
    assert told in done.stderr
    assert (checkout / "Pulumi.usa.yaml").read_text() == before
