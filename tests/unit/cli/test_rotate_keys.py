"""`./dive rotate-keys` with a stand-in for Keycloak and for `pulumi up`."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from dive_infra.automation.failures import CountryLocked, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.state_export import NotDeployed
from dive_infra.checks.spec import ConfigurationSpec
from dive_infra.cli import rotate_keys, stacks
from dive_infra.cli.__main__ import app
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity.keycloak_admin import KeycloakUnreachable
from tests.support.key_server import KeyServer

FRA = Names(COUNTRIES["FRA"])
ACCEPTED = f"DIVE_ACCEPT_KEYS={FRA.realm},master"


class Country:
    """A deployed country; `updates` are the variables of each update, `ends` is raised at the end of one."""

    def __init__(self) -> None:
        self.server = KeyServer(FRA)
        self.spec: ConfigurationSpec | None = ConfigurationSpec(FRA, (), "CA", "secret", "secret", {})
        self.updates: list[dict[str, str]] = []
        self.ends: Exception | None = None

    def update(self, runner: Runner, reporter: object) -> None:
        self.updates.append(dict(runner.variables))
        if self.ends:
            raise self.ends

    def keys(self) -> set[str]:
        return {c["key"]["kid"] for providers in self.server.providers.values() for c in providers}


@pytest.fixture
def country(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Country:
    there = Country()
    monkeypatch.setattr(rotate_keys, "prepare", dict)
    monkeypatch.setattr(stacks, "refuse_while_updating", lambda codes: None)
    monkeypatch.setattr(stacks, "export_state", lambda stack: {})
    state = SimpleNamespace(store=None, spec=lambda phase: there.spec)
    monkeypatch.setattr(rotate_keys.stack_state, "read_stack", lambda name, exported: state)
    monkeypatch.setattr(rotate_keys, "KeycloakAdmin", lambda access: there.server)
    monkeypatch.setattr(rotate_keys, "update", there.update)
    return there


def run() -> Any:
    return CliRunner().invoke(app, ["rotate-keys", "FRA"])


def test_the_keys_are_replaced_and_the_update_accepts_them(country: Country) -> None:
    before = country.keys()
    done = run()
    assert done.exit_code == 0, done.stderr
    assert not before & country.keys()
    assert country.updates == [{"DIVE_ACCEPT_KEYS": f"{FRA.realm},master"}]
    assert f"✓ realm {FRA.realm}: new keys of aes-generated, hmac-generated-hs512, rsa-enc-generated," in done.output
    assert "FRA: the keys of 2 realms replaced and recorded in " in done.output


def test_a_country_that_another_run_deploys_is_left_alone(country: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    before = country.keys()

    def locked(codes: list[str]) -> None:
        raise CountryLocked("FRA is being updated by me")

    monkeypatch.setattr(stacks, "refuse_while_updating", locked)
    done = run()
    assert done.exit_code == 3
    assert "nothing was changed" in done.stderr
    assert "then: ./dive rotate-keys FRA" in done.stderr
    assert (country.keys(), country.updates) == (before, [])


def test_a_country_that_is_not_deployed_is_reported(country: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    country.spec = None
    assert "./dive up FRA" in run().stderr

    def gone(stack: str) -> None:
        raise NotDeployed("FRA is not deployed")

    monkeypatch.setattr(stacks, "export_state", gone)
    done = run()
    assert (done.exit_code, country.updates) == (1, [])


def test_a_server_that_fails_in_the_middle_leaves_a_country_that_the_same_command_continues(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: str) -> None:
        raise KeycloakUnreachable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(country.server, "delete", broken)
        done = run()
    assert done.exit_code == 1
    assert "no answer; not all keys were replaced" in done.stderr
    assert "./dive rotate-keys FRA" in done.stderr
    assert country.updates == []
    assert run().exit_code == 0
    assert len(country.keys()) == 8


@pytest.mark.parametrize(
    ("ends", "code"),
    [(UpdateFailed("failed"), 4), (CountryLocked("locked"), 4), (UpdateInterrupted("interrupted"), 130)],
    ids=["failed", "locked", "interrupted"],
)
def test_keys_that_are_not_recorded_are_reported_with_the_command(country: Country, ends: Exception, code: int) -> None:
    country.ends = ends
    done = run()
    assert done.exit_code == code
    assert "the keys are replaced, but `pulumi up -s fra`" in done.stderr
    assert f"{ACCEPTED} pulumi up -s fra" in done.stderr
