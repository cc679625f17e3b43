"""Previews of several countries."""

from pathlib import Path

import pytest

from dive_infra.automation import preview_run
from dive_infra.cli import stacks
from dive_infra.config import paths


def test_a_spoke_that_the_checkouts_hub_does_not_approve_is_told(
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
