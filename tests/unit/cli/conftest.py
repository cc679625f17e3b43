"""What several tests of verbs share."""

from pathlib import Path

import pytest

from dive_infra.config import paths


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.usa.yaml").write_text("# the hub\nconfig:\n  dive:spokes: [FRA] # approved\n")
    (tmp_path / "Pulumi.fra.yaml").write_text("config: {}\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    return tmp_path
