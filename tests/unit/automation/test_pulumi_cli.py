"""How Pulumi is called."""

from pathlib import Path

import pytest

from dive_infra.automation.pulumi_cli import Runner
from dive_infra.config import paths


def test_pulumi_is_given_the_stack_file_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Runner.of("fra").file is None, "in the checkout it finds its own"
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    command = Runner.of("fra").command("up")
    assert command[-2:] == ["--config-file", str(tmp_path / "Pulumi.fra.yaml")]
