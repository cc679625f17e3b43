"""`./dive rotate-ca` with stand-ins for the hub's state, for what members say, and for `pulumi up`."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dive_infra.automation.failures import UpdateFailed
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.checks.ca_rotation import UnderWay
from dive_infra.cli import rotate_ca, stacks
from dive_infra.cli.__main__ import app
from dive_infra.membership.ca_rotation import Step

ORDER = {Step.BEGIN: Step.CONTINUE, Step.CONTINUE: Step.FINISH, Step.FINISH: Step.BEGIN}


class Hub:
    """The deployed hub: the `next` step by its last document, and who is not ready for it."""

    def __init__(self) -> None:
        self.next = Step.BEGIN
        self.waiting: dict[str, str] = {}
        self.outputs = {"coalition": "text"}
        self.updates: list[str] = []
        self.ends: Exception | None = None

    def under_way(self, *_: object) -> UnderWay | None:
        return None if self.next is Step.BEGIN else UnderWay(self.next, self.waiting)

    def deploy(self, runner: Runner, _reporter: object) -> None:
        self.updates.append(runner.name)
        if self.ends:
            raise self.ends
        self.next = ORDER[self.next]


@pytest.fixture
def hub(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    there = Hub()
    monkeypatch.setattr(rotate_ca, "prepare", dict)
    monkeypatch.setattr(stacks, "refuse_while_updating", lambda codes: None)
    monkeypatch.setattr(stacks, "export_state", lambda stack: {})
    state = SimpleNamespace(outputs=there.outputs, spec=lambda phase: None)
    monkeypatch.setattr(rotate_ca, "read_stack", lambda *_: state)
    monkeypatch.setattr(rotate_ca.document, "latest", lambda content: None)
    monkeypatch.setattr(rotate_ca, "under_way", there.under_way)
    monkeypatch.setattr(rotate_ca, "deploy", there.deploy)
    return there


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["rotate-ca", *arguments])


def declared(checkout: Path) -> object:
    return yaml.safe_load((checkout / "Pulumi.usa.yaml").read_text())["config"].get("dive:authorities")


def test_a_rotation_takes_three_steps_and_the_next_one_starts_from_there(hub: Hub, checkout: Path) -> None:
    for step, after in (("begin", [1, 2]), ("continue", [2, 1]), ("finish", [2]), ("begin", [2, 3])):
        done = run(f"--{step}")
        assert done.exit_code == 0, done.output
        assert declared(checkout) == after
    assert hub.updates == ["usa"] * 4
    assert "# approved" in (checkout / "Pulumi.usa.yaml").read_text()


@pytest.mark.parametrize("step", ["continue", "finish"])
def test_a_step_is_refused_while_a_country_is_not_ready(hub: Hub, checkout: Path, step: str) -> None:
    for earlier in ("begin", "continue")[: 1 + (step == "finish")]:
        assert run(f"--{earlier}").exit_code == 0
    before, updates = declared(checkout), list(hub.updates)
    hub.waiting = {"FRA": "does not trust the new CA yet", "USA": "does not trust the new CA yet"}
    done = run(f"--{step}")
    assert (done.exit_code, declared(checkout), hub.updates) == (1, before, updates)
    told = " ".join(done.stderr.split())
    assert f"not ready for --{step}: FRA does not trust the new CA yet; USA does not trust" in told
    assert f"update FRA, USA with the present document, then: ./dive rotate-ca --{step}" in told
    assert f"for members that are gone: ./dive rotate-ca --{step} --without FRA" in told
    assert run(f"--{step}", "--without", "FRA", "--without", "USA").exit_code == 1, "the hub is never gone"
    del hub.waiting["USA"]
    assert run(f"--{step}", "--without", "FRA").exit_code == 0
    assert hub.updates == [*updates, "usa"]


@pytest.mark.parametrize("asked", ["continue", "finish"])
def test_no_step_is_skipped(hub: Hub, checkout: Path, asked: str) -> None:
    done = run(f"--{asked}")
    assert (done.exit_code, hub.updates, declared(checkout)) == (2, [], None)
    assert f"the next step is --begin, not --{asked}; next: ./dive rotate-ca --begin" in " ".join(done.stderr.split())


def test_a_step_whose_update_failed_is_run_again(hub: Hub, checkout: Path) -> None:
    hub.ends = UpdateFailed("it broke")
    assert run("--begin").exit_code == 1
    assert declared(checkout) == [1, 2]
    hub.ends = None
    assert run("--begin").exit_code == 0
    assert (hub.updates, declared(checkout)) == (["usa", "usa"], [1, 2])


def test_what_was_declared_by_hand_is_carried_out_first(hub: Hub, checkout: Path) -> None:
    assert run("--begin").exit_code == 0
    (checkout / "Pulumi.usa.yaml").write_text("config:\n  dive:spokes: [FRA]\n")
    done = run("--continue")
    assert (done.exit_code, hub.updates) == (1, ["usa"])
    assert "dive:authorities of USA is [1], which no update has carried out" in " ".join(done.stderr.split())


def test_without_an_option_it_shows_what_the_rotation_waits_for(hub: Hub) -> None:
    assert "the coalition has one CA; to replace it: ./dive rotate-ca --begin" in run().output
    assert run("--begin").exit_code == 0
    assert "every country is ready; next: ./dive rotate-ca --continue" in run().output
    hub.waiting = {"FRA": "cannot be asked: it is away"}
    told = run().output
    assert "FRA cannot be asked: it is away" in told
    assert "waits for FRA; next: ./dive rotate-ca --continue" in told
    assert hub.updates == ["usa"]


def test_wrong_use_is_reported(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    both = run("--begin", "--finish")
    assert both.exit_code == 2
    assert "found --begin and --finish, expected one of them" in both.stderr
    hub.outputs.clear()
    assert "next: ./dive up USA" in run("--begin").stderr
