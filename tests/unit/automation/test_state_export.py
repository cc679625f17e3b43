"""Exports of states that start before a verb needs them."""

from pathlib import Path

import pytest

from dive_infra.automation import state_export as exports
from dive_infra.cli import start
from dive_infra.config import paths
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.toolchain import toolchain

FRA = Names(parse("FRA"))


@pytest.mark.parametrize(
    ("arguments", "begun"),
    [
        (["status", "FRA", "--json"], ["fra"]),
        (["doctor"], ["fra", "usa"]),
        (["status", "--help"], []),
        (["up", "FRA"], []),
        ([], []),
    ],
)
def test_only_verbs_that_change_nothing_start_exports_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], begun: list[str]
) -> None:
    for name in ("usa", "fra"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    asked: list[str] = []
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.setattr(paths, "HOME", tmp_path / ".dive")
    monkeypatch.setattr(toolchain, "find", lambda *_: toolchain.Toolchain(Path("pulumi"), [], "installed"))
    monkeypatch.setattr(exports, "prefetch", lambda stack, _: asked.append(stack))
    start.prefetch(arguments)
    assert asked == begun
