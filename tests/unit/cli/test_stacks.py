"""Stack files as verbs read them."""

from pathlib import Path

import pytest

from dive_infra.cli import stacks
from dive_infra.config import paths


def test_secrets_of_a_stack_file_stay_encrypted_and_do_not_disturb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text("config:\n  dive:secrets:\n    redis:\n      secure: v1:abc\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    assert [s.country for s in stacks.chosen(["usa"])] == ["USA"]
