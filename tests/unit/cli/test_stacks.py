"""Stack files and states as verbs read them."""

from pathlib import Path

import pytest
import typer

from dive_infra.cli import stacks
from dive_infra.config import paths
from tests.unit.exported_states import FORGED, exported


def test_secrets_of_a_stack_file_stay_encrypted_and_do_not_disturb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text("config:\n  dive:secrets:\n    redis:\n      secure: v1:abc\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    assert [s.country for s in stacks.chosen(["usa"])] == ["USA"]


def test_a_verb_changes_nothing_with_a_state_that_names_foreign_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stacks, "refuse_while_updating", lambda codes: None)
    monkeypatch.setattr(stacks, "export_state", lambda stack: exported(FORGED))
    with pytest.raises(typer.Exit) as ended:
        stacks.state_to_change("FRA", "./dive rotate-keys FRA")
    assert ended.value.exit_code == 1
    told = capsys.readouterr().err
    assert "the state of fra names programs that are not ours: forged has the provider posix system" in told
    assert "nothing was changed" in told
