"""`./dive rotate-keys --begin` and `--finish` with stand-ins for Pulumi and for what partners say."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from dive_infra.automation import enrolment
from dive_infra.automation.failures import UpdateFailed
from dive_infra.checks.spec import DeploymentSpec, Party, VerificationSpec
from dive_infra.cli import enrolled_keys, rotate_keys, stacks
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.membership import keys
from dive_infra.membership.enrolment import private_keys
from dive_infra.membership.key_rotation import newest
from tests.support import members
from tests.support.plain_stack import Plain, write

USA, FRA = Names(COUNTRIES["USA"]), Names(COUNTRIES["FRA"])


class Coalition:
    """Two deployed countries; `waiting` is what partners say, `updates` are the stacks that were updated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stacks = {"usa": write(folder, "usa", spokes=["FRA"]), "fra": write(folder, "fra")}
        for stack in self.stacks.values():
            enrolment.enrol(stack, folder)
        self.waiting: dict[str, str] = {}
        self.updates: list[str] = []
        self.deployed = {name: self.held(name) for name in self.stacks}
        self.ends: Exception | None = None
        self.issue()

    def held(self, name: str) -> dict[str, str]:
        return private_keys(self.stacks[name].settings)

    def issue(self) -> None:
        """Have the hub take up the requests."""
        given = {name.upper(): newest(self.held(name)) for name in self.stacks}
        filed = {name: (self.folder / "members" / f"{name}.json").read_bytes() for name in self.stacks}
        members.write(self.folder, USA, FRA, given=given)
        content = members.document.sign(members.issue([USA, FRA], given), self.held("usa")["coalition-key"])
        (self.folder / "members" / "coalition.json").write_bytes(content)
        for name, request in filed.items():
            (self.folder / "members" / f"{name}.json").write_bytes(request)

    def state(self, name: str, _state: object) -> SimpleNamespace:
        """Return what the last update has left."""
        held, deployment = self.deployed[name]["sealing-key"], DeploymentSpec(USA, (), (), "m", "r", "o")
        spec = VerificationSpec(Party(USA, "p"), (), deployment, "CA", 200, sealing_key=held)
        return SimpleNamespace(spec=lambda _phase: spec)

    def deploy(self, runner: Plain, _reporter: object) -> None:
        if self.ends:
            raise self.ends
        self.updates.append(runner.name)
        self.deployed[runner.name] = self.held(runner.name)


@pytest.fixture
def coalition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Coalition:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(paths, "HOME", tmp_path / ".dive")
    there = Coalition(tmp_path)
    monkeypatch.setattr(rotate_keys, "prepare", dict)
    monkeypatch.setattr(stacks, "refuse_while_updating", lambda codes: None)
    monkeypatch.setattr(stacks, "export_state", lambda stack: {})
    monkeypatch.setattr(enrolled_keys.Runner, "of", lambda name: there.stacks[name])
    monkeypatch.setattr(enrolled_keys, "read_stack", there.state)
    monkeypatch.setattr(enrolled_keys, "waiting", lambda *asked: there.waiting)
    monkeypatch.setattr(enrolled_keys, "deploy", there.deploy)
    return there


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["rotate-keys", *arguments])


def told(done: Any) -> str:
    return " ".join((done.stderr + done.stdout).split())


def test_a_spoke_starts_waits_for_the_document_and_its_partners_and_finishes(coalition: Coalition) -> None:
    before = coalition.held("fra")
    begun = run("FRA", "--begin")
    assert begun.exit_code == 0, begun.output
    assert "send members/fra.json to the hub, which runs ./dive up USA; then FRA and each partner" in told(begun)
    assert "then: ./dive rotate-keys FRA --finish" in told(begun)
    both = coalition.held("fra")
    assert newest(both).keys() == before.keys()
    assert not {*newest(both).values()} & {*before.values()}

    early = run("FRA", "--finish")
    assert early.exit_code == 1
    assert "the coalition document that FRA has does not have its new keys; nothing was changed" in told(early)
    assert "at the hub, with members/fra.json: ./dive up USA; here, with the new document: ./dive up FRA" in told(early)
    coalition.issue()

    coalition.waiting = {"USA": "cannot be asked: it is away"}
    early = run("FRA", "--finish")
    assert (early.exit_code, coalition.held("fra")) == (1, both)
    assert "not ready for --finish: USA cannot be asked: it is away; nothing was changed" in told(early)
    assert "update USA with the present document, then: ./dive rotate-keys FRA --finish" in told(early)
    assert "./dive rotate-keys FRA --finish --without USA" in told(early)

    done = run("FRA", "--finish", "--without", "USA")
    assert done.exit_code == 0, done.output
    assert coalition.held("fra") == newest(both)
    assert coalition.updates == ["fra", "fra"]


def test_a_hub_takes_its_own_request_up_and_has_the_new_coalition_key_pinned(
    coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = run("USA", "--begin")
    assert begun.exit_code == 0, begun.output
    new = newest(coalition.held("usa"))
    pin = keys.public_text(new["coalition-key"])
    assert f"its operator sets dive:coalitionKey to {pin}, compared with you" in told(begun)
    asked: list[str] = []
    monkeypatch.setattr(enrolled_keys, "waiting", lambda _spec, *wanted: asked.extend(wanted) or {})
    assert run("USA", "--finish").exit_code == 0
    assert asked == [new["sealing-key"], pin]
    assert coalition.held("usa") == new


@pytest.mark.parametrize("step", ["begin", "finish"])
def test_a_step_whose_update_failed_is_run_again(coalition: Coalition, step: str) -> None:
    if step == "finish":
        assert run("FRA", "--begin").exit_code == 0
        coalition.issue()
    coalition.ends = UpdateFailed("it broke")
    assert run("FRA", f"--{step}").exit_code == 1
    left = coalition.held("fra")
    assert {len(pki.private_keys(text)) for text in left.values()} == ({2} if step == "begin" else {1})
    coalition.ends = None
    again = run("FRA", f"--{step}")
    assert again.exit_code == 0, again.output
    assert coalition.held("fra") == left


def test_without_a_rotation_a_finish_is_refused(coalition: Coalition) -> None:
    done = run("FRA", "--finish")
    assert (done.exit_code, coalition.updates) == (2, [])
    assert "FRA has one key of each kind; next: ./dive rotate-keys FRA --begin" in told(done)


@pytest.mark.parametrize("wrong", [["--begin", "--finish"], ["--without", "USA"], ["--begin", "--without", "USA"]])
def test_wrong_use_is_reported(coalition: Coalition, wrong: list[str]) -> None:
    done = run("FRA", *wrong)
    assert (done.exit_code, coalition.updates) == (2, [])
    assert "expected --begin, or --finish with the partners to go on --without" in told(done)


def test_a_country_that_is_not_deployed_has_nothing_to_finish(
    coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolled_keys, "read_stack", lambda *_: SimpleNamespace(spec=lambda _phase: None))
    done = run("FRA", "--finish")
    assert (done.exit_code, coalition.updates) == (1, [])
    assert "FRA was not completely deployed by this version; nothing was changed; next: ./dive up FRA" in told(done)
