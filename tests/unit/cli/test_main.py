"""The command as a whole: wrong use and wrong files."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra import engines
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.engines import selection


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["up", "FRR"], "country 'FRR' is not known: expected three capital letters such as FRA; did you mean FRA?"),
        (["up", "GBR"], "Pulumi.gbr.yaml does not exist, so GBR is not a country of this coalition"),
    ],
)
def test_wrong_use_is_reported_and_ends_with_2(arguments: list[str], told: str) -> None:
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
def test_a_wrong_stack_file_is_reported_before_anything_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text(text)
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    result = CliRunner().invoke(app, ["up", "USA"])
    assert result.exit_code == 2
    assert told in result.stderr


def test_stack_files_that_name_several_engines_stop_every_verb_that_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.fra.yaml").write_text("config:\n  dive:engine: ssh://host\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    for verb in (["up", "FRA"], ["images", "list"], ["status"]):
        result = CliRunner().invoke(app, verb)
        assert result.exit_code == 2
        assert "dive:engine differs: Pulumi.usa.yaml: none; Pulumi.fra.yaml: ssh://host" in result.stderr
    assert CliRunner().invoke(app, ["explain", "1203"]).exit_code == 0


def test_a_verb_works_with_the_engine_of_the_stack_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.fra.yaml").write_text("config:\n  dive:engine: ssh://host\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    try:
        CliRunner().invoke(app, ["up", "FRR"])
        assert selection.selected() == EngineSelection("ssh://host")
    finally:
        engines.select(EngineSelection())
