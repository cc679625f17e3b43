"""The help of every verb: plain sentences, flags without a type, examples that are commands."""

import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from dive_infra.cli.__main__ import VERBS, app

NAMES = [*(verb.name for verb in VERBS), "images"]


def helped(*verb: str, width: int = 80) -> str:
    done = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": str(width), "TERMINAL_WIDTH": str(width)})
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("verb", NAMES)
def test_every_description_is_a_sentence(verb: str) -> None:
    command = get_command(app).commands[verb]  # type: ignore[attr-defined]  # a group, as it has several verbs
    texts = [command.help.split("\n\n")[0], *(p.help for p in command.params if getattr(p, "help", None))]
    for text in texts:
        assert re.match(r"[A-Z`]", text), text
        assert text.endswith("."), text


@pytest.mark.parametrize("verb", NAMES)
def test_a_flag_is_shown_without_a_type_and_a_page_fits_a_terminal(verb: str) -> None:
    text = helped(verb)
    assert "<bool>" not in text
    assert "default: no-" not in text, "a flag needs no opposite that is the default"
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_example_is_a_command_of_this_program(verb: str) -> None:
    text = helped(verb)
    shown = re.findall(r"\./dive ([a-z-]+)", text.partition("Examples:")[2])
    assert shown, text
    assert set(shown) == {verb}


def test_the_list_of_verbs_is_not_cut() -> None:
    assert "..." not in helped().partition("Commands:")[2]


def test_nuke_says_what_of_protected_data() -> None:
    text = " ".join(helped("nuke").split())
    assert "dive:disposable" in text
