"""The shell completes verbs and countries."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dive_infra.cli.__main__ import app
from dive_infra.config.paths import ROOT


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("./dive status F", "FRA"),
        ("./dive doctor U", "USA"),
        ("./dive explain 1301", "1301"),
        ("./dive hist", "history"),
    ],
)
def test_the_shell_completes_codes_and_verbs(typed: str, offered: str) -> None:
    variables = {"_DIVE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    result = CliRunner().invoke(app, [], prog_name="dive", env=variables)
    assert result.stdout.split() == [offered]


def test_the_launched_command_answers_the_shell() -> None:
    variables = {"_DIVE_COMPLETE": "complete_bash", "COMP_WORDS": "./dive explain 1301", "COMP_CWORD": "2"}
    command = [sys.executable, "-m", "dive_infra.cli.start"]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["1301"]
