"""`./dive restart`, before anything is restarted, and what all verbs say that meet a deployment."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.automation.failures import CountryLocked
from dive_infra.cli import nuke, restart, stacks
from dive_infra.cli.__main__ import app
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names

FRA = Names(parse("FRA"))


def test_an_unknown_service_is_reported_with_the_nearest_known_one(checkout: Path) -> None:
    done = CliRunner().invoke(app, ["restart", "FRA", "bakend"])
    assert done.exit_code == 2
    assert "'bakend' is not a service of FRA; did you mean backend?; expected one of postgres, mongodb," in done.stderr


@pytest.mark.parametrize(
    ("command", "done"),
    [
        ("restart FRA opa", "nothing was restarted"),
        ("reload-secrets FRA", "nothing was changed"),
        ("rotate-keys FRA", "nothing was changed"),
        ("nuke FRA", "nothing was removed"),
    ],
)
def test_each_verb_that_meets_a_deployment_says_what_to_run_once_it_has_ended(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, command: str, done: str
) -> None:
    def locked(*_: object) -> None:
        raise CountryLocked("FRA is being deployed by anne")

    for verb in ("restart", "nuke", "reload_secrets", "rotate_keys"):
        monkeypatch.setattr(f"dive_infra.cli.{verb}.prepare", dict)
    monkeypatch.setattr(restart.service_restart, "restart", locked)
    monkeypatch.setattr(stacks, "refuse_while_updating", locked)
    monkeypatch.setattr(nuke, "take_inventory", locked)
    ended = CliRunner().invoke(app, command.split())
    assert ended.exit_code == 3
    told = " ".join(ended.stderr.split())
    assert f"FRA is being deployed by anne; {done}; next: wait for it to end, then: ./dive {command}" in told
