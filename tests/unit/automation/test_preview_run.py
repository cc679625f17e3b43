"""Previews of several countries."""

from pathlib import Path

import pytest

from dive_infra import engines
from dive_infra.automation import preview_run
from dive_infra.automation.preview_run import PreviewSource
from dive_infra.cli import stacks
from dive_infra.config import environment, paths
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.config.settings import Settings
from dive_infra.toolchain.toolchain import Toolchain
from tests.unit.exported_states import FORGED, exported


def test_a_spoke_that_the_checkouts_hub_does_not_approve_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text("config:\n  dive:spokes: [FRA]\n")
    (tmp_path / "Pulumi.gbr.yaml").touch()
    (tmp_path / "Pulumi.fra.yaml").touch()
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    fra, gbr = stacks.chosen(["fra", "gbr"])
    assert preview_run.approval_errors(fra) == []
    assert preview_run.approval_errors(gbr) == [
        "Pulumi.usa.yaml does not approve GBR; next: add GBR to dive:spokes there",
    ]


def test_the_preview_of_a_state_that_names_foreign_programs_fails_and_runs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preview_run, "_tools", lambda *_: {})
    monkeypatch.setattr(preview_run, "_source", lambda *_: PreviewSource({}, exported(FORGED)))
    monkeypatch.delattr(preview_run, "_pulumi")
    plan = preview_run.plan(Settings(country="FRA"), Toolchain(Path("pulumi"), [], "installed"), from_state=False)
    assert plan.result == "failed"
    [error] = plan.errors
    assert error.startswith("the state of fra names programs that are not ours: forged has the provider posix system")


def test_a_preview_from_the_state_leads_no_one_to_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Toolchain(Path("pulumi"), [], "installed")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    engines.select(EngineSelection("ssh://host"))
    try:
        led = preview_run._tools(tools, from_state=False)
        assert (led["DOCKER_HOST"], led["DOCKER_CONTEXT"]) == ("ssh://host", "")
        kept = preview_run._tools(tools, from_state=True)
        assert kept["DOCKER_HOST"].startswith("unix:///nowhere/")
        assert kept[environment.NO_ENGINE]
    finally:
        engines.select(EngineSelection())
