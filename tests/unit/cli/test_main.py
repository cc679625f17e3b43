"""The command as a whole: wrong use and wrong files."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.cli.__main__ import app
from dive_infra.config import paths


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["up", "FRR"], "country 'FRR' is not known: expected three capital letters such as FRA; did you mean FRA?"),
        (["up", "GBR"], "Pulumi.gbr.yaml does not exist, so GBR is not a country of this coalition"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("config:\n  dive:documents: 3\n", "dive:documents: found 3, expected"),
        ("config: [\n", "Pulumi.usa.yaml cannot be read as YAML"),
    ],
)
def test_a_wrong_stack_file_is_told_before_anything_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text(text)
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    result = CliRunner().invoke(app, ["up", "USA"])
    assert result.exit_code == 2
    assert told in result.stderr
