"""A state is refused unless this program wrote every provider in it; nothing of a forged one is run."""

import base64
import importlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from dive_infra.automation import pulumi_cli, recovery
from dive_infra.automation.state_providers import ForeignProviders, foreign, refuse_foreign
from dive_infra.config.providers import PROVIDERS
from dive_infra.dynamic.probe import ProbeProvider
from tests.support.reporter import RecordingReporter
from tests.unit import test_program
from tests.unit.exported_states import exported
from tests.unit.test_state_compatibility import RESOURCES

SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def resource(kind: str, inputs: Any = None, outputs: Any = None, name: str = "one") -> dict[str, Any]:
    found = {"urn": f"urn:pulumi:fra::dive::{kind}::{name}", "type": kind, "inputs": inputs, "outputs": outputs}
    return {key: value for key, value in found.items() if value is not None}


def of(kind: str, provider: Any, place: str = "inputs") -> dict[str, Any]:
    return resource(f"pulumi-python:dynamic/dive:{kind}", **{place: {"__provider": provider}})


def ours(kind: str) -> str:
    module, _, name = PROVIDERS[kind].partition(":")
    return str(serialize_provider(getattr(importlib.import_module(module), name)()))


def encoded(pickled: bytes) -> str:
    return base64.b64encode(pickled).decode()


class Runs:
    """Its pickle runs a command when it is loaded."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.made}",)


def with_an_attribute() -> bytes:
    provider = ProbeProvider()
    provider.lost = "yes"  # type: ignore[attr-defined]
    return base64.b64decode(serialize_provider(provider))


def by_a_longer_way() -> bytes:
    """The same object, after a call that is thrown away."""
    call = b"\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R0"
    return b"\x80\x04" + call + base64.b64decode(ours("Probe"))[11:]


FORGED = {
    "another class that can be imported": pickle.dumps(Path("/")),
    "one of our classes with an attribute": with_an_attribute(),
    "our class after a call": by_a_longer_way(),
    "our class and more after it": base64.b64decode(ours("Probe")) + b".",
    "a class of ours that is no provider": base64.b64decode(ours("Probe")).replace(b"probe", b"probf"),
    "the provider of another resource": base64.b64decode(ours("Gate")),
    "no pickle": b"hello",
    "nothing": b"",
}


def test_each_provider_of_the_program_passes_at_every_place() -> None:
    found = [of(kind, ours(kind), place) for kind in PROVIDERS for place in ("inputs", "outputs")]
    secret = {**SIGNATURE, "plaintext": json.dumps(ours("Probe"))}
    pending = [{"type": "creating", "resource": of("Gate", ours("Gate"))}]
    refuse_foreign("fra", exported(*found, of("Probe", secret), pending_operations=pending))


def test_a_state_of_an_earlier_commit_passes() -> None:
    found = [resource(token, {"__provider": known["provider"]}) for token, known in RESOURCES.items()]
    refuse_foreign("fra", exported(*found))


def test_what_pulumi_writes_of_itself_and_of_plugins_passes() -> None:
    settings = {"version": "5.2.0", "__internal": {}}
    plugins = [
        resource(f"pulumi:providers:{name}", settings, settings) for name in ("docker", "keycloak", "postgresql")
    ]
    dynamic = resource("pulumi:providers:pulumi-python", {"dive:country": "FRA"})
    references = resource("pulumi:providers:pulumi")  # of a spoke: it reads the hub's outputs
    container = resource("docker:index/container:Container", {"name": "dive-fra-redis"}, {"name": "dive-fra-redis"})
    refuse_foreign("fra", exported(resource("pulumi:pulumi:Stack"), *plugins, dynamic, references, container))


def test_all_that_the_program_registers_at_the_hub_and_at_a_spoke_passes() -> None:
    program = test_program.register("fra") | test_program.register("usa", spokes=["FRA"])
    program |= test_program.register("fra", engine="ssh://anne@host")
    found = [resource(r.type, dict(r.object), dict(r.object)) | {"urn": urn} for urn, r in program.items()]
    assert "pulumi:providers:docker" in {r["type"] for r in found}, "of the engine that the settings name"
    assert len([r for r in found if r["type"].startswith("pulumi:providers:")]) > 1
    refuse_foreign("fra", exported(*found))


@pytest.mark.parametrize("state", [{}, {"version": 3, "deployment": {}}, {"deployment": None}])
def test_an_empty_state_passes(state: dict[str, Any]) -> None:
    refuse_foreign("fra", state)


@pytest.mark.parametrize("place", ["inputs", "outputs", "pending"])
def test_a_pickle_that_runs_a_command_is_refused_and_is_not_run(tmp_path: Path, place: str) -> None:
    made = tmp_path / "made"
    forged = of("Probe", encoded(pickle.dumps(Runs(made))), "inputs" if place == "pending" else place)
    pending = {"pending_operations": [{"type": "deleting", "resource": forged}]}
    state = exported(**pending) if place == "pending" else exported(forged)
    with pytest.raises(ForeignProviders) as refusal:
        refuse_foreign("fra", state)
    told = str(refusal.value)
    assert told.startswith(
        "the state of fra names programs that are not ours: one has the provider posix system touch "
    )
    assert "expected the providers of dive_infra/config/providers.py" in told
    assert "next: find out who can write this state, and restore one from before: pulumi stack import -s fra" in told
    assert not made.exists()


@pytest.mark.parametrize("pickled", FORGED.values(), ids=FORGED)
def test_anything_that_differs_from_what_the_program_writes_is_refused(pickled: bytes) -> None:
    assert len(foreign(exported(of("Probe", encoded(pickled))))) == 1


@pytest.mark.parametrize("value", [None, 5, [], {"a": "b"}, {**SIGNATURE, "ciphertext": "v1:x"}, {"plaintext": 1}])
def test_what_is_no_text_or_cannot_be_read_is_refused(value: Any) -> None:
    assert len(foreign(exported(of("Probe", value)))) == 1


def test_a_forged_provider_in_a_secret_or_in_a_resource_of_another_kind_is_refused() -> None:
    secret = {**SIGNATURE, "plaintext": json.dumps(encoded(b"cposix\nsystem\n."))}
    assert foreign(exported(of("Probe", secret))) == ["one has the provider posix system"]
    for kind in ("pulumi-python:dynamic:Resource", "docker:index/container:Container"):
        assert len(foreign(exported(resource(kind, {"__provider": ours("Probe")})))) == 1


@pytest.mark.parametrize(
    ("package", "settings", "told"),
    [
        ("command", {}, "the plugin command"),
        (
            "docker",
            {"__internal": {"pluginDownloadURL": "https://x"}},
            "the setting pluginDownloadURL of the plugin docker",
        ),
        ("docker", {"__internal": {"name": "command"}}, "the setting name of the plugin docker"),
        ("keycloak", {"parameterization": "eA=="}, "the setting parameterization of the plugin keycloak"),
        ("docker", {"sshOpts": '["-oProxyCommand=id"]'}, "the setting sshOpts of the plugin docker"),
    ],
)
def test_a_plugin_that_is_another_program_is_refused(package: str, settings: dict[str, Any], told: str) -> None:
    for place in ("inputs", "outputs"):
        state = exported(resource(f"pulumi:providers:{package}", **{place: settings}))
        assert foreign(state) == [f"one has {told}"]


def test_the_message_names_some_of_many_and_shows_no_control_characters() -> None:
    forged = [of("Probe", encoded(b"c\x1b[2Jmodule\nname\n.")) | {"urn": f"::bad\n{n}"} for n in range(9)]
    with pytest.raises(ForeignProviders, match="and 6 more; nothing of them was run") as refusal:
        refuse_foreign("fra", exported(*forged))
    assert str(refusal.value).isprintable()


def test_a_run_is_refused_before_pulumi_is_asked_for_anything_but_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    stuck = {
        "type": "deleting",
        "resource": of("Probe", encoded(b"cposix\nsystem\n.")),
    }  # would be settled by a refresh
    state = json.dumps(exported(pending_operations=[stuck]))
    monkeypatch.setattr(recovery, "_unlock", lambda *_: True)
    monkeypatch.setattr(recovery, "_repair_state", lambda *_: None)
    monkeypatch.setattr(pulumi_cli.Runner, "ask", lambda _self, *words: asked.append(" ".join(words)) or state)
    with pytest.raises(ForeignProviders):
        recovery.recover(pulumi_cli.Runner("fra"), RecordingReporter())
    assert asked == ["stack export --show-secrets"]
