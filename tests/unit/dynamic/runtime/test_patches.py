"""The contract of each patch with the SDK: it still works, and it is still needed. See `dynamic.runtime.patches`."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import empty_pb2
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import mocks
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from dive_infra.config.paths import ROOT
from dive_infra.dynamic.guard import GuardProvider
from dive_infra.dynamic.runtime import interpreter, patches
from tests.support.end_telling import EndTellingProvider
from tests.unit.test_program import Mocks

# Pulumi's provider server without the line that the launcher leaves in the environment, and with it.
_UNPREPARED = """
import runpy, sys
del sys.argv[0]
runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
"""
[_LINE] = re.findall("(?m)^hook='(.*)'$", (ROOT / "dive").read_text())


@contextmanager
def provider_process(
    *arguments: str, **environment: str
) -> Iterator[tuple["subprocess.Popen[bytes]", Any, socket.socket]]:
    """Start Pulumi's provider server as the engine does: the process, a client, and the engine's listening socket.

    Instead, `arguments` say how Python runs it.
    """
    with socket.create_server(("127.0.0.1", 0)) as engine:
        address = f"127.0.0.1:{engine.getsockname()[1]}"
        command = [sys.executable, "-u", *(arguments or ("-m", "pulumi.dynamic")), address]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE)
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield process, provider_pb2_grpc.ResourceProviderStub(channel), engine
        finally:
            process.kill()
            process.wait()


def end(process: "subprocess.Popen[bytes]") -> bytes:
    """End the process as the engine does: ask it, and kill it if that takes long. Return what it has printed."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def failed_delete(client: Any, provider: str = "", **props: Any) -> str:
    """Return the error of deleting a guard with these outputs."""
    request = provider_pb2.DeleteRequest(id="guard")
    request.properties.update({"__provider": provider or serialize_provider(GuardProvider()), **props})
    with pytest.raises(grpc.RpcError) as failed:
        client.Delete(request, timeout=30)
    return str(failed.value.details())  # type: ignore[attr-defined]


def test_the_provider_server_answers_our_errors_with_their_message_and_ends_with_its_engine() -> None:
    with provider_process() as (process, client, engine):
        told = failed_delete(client, country="FRA", protected=["data"])
        assert told.startswith("the data of FRA is protected: data; ")
        assert "Traceback" not in told, "the server reads `traceback` from its own globals no more: see the patch"
        line, _ = engine.accept()
        engine.close()
        line.close()
        assert process.wait(timeout=30) == 1


def test_the_provider_server_still_answers_other_errors_with_a_traceback() -> None:
    with provider_process(DIVE_TRACEBACK="yes") as (_, client, _engine):
        told = failed_delete(client, protected=["data"])
        assert "Traceback" in told, "remove `patches.answer_with_message`"
        assert "KeyError: 'country'" in told


class Forged:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.made = folder / "made"
        self.text = base64.b64encode(f"cposix\nsystem\n(S'touch {self.made}'\ntR.".encode()).decode()


REFUSED = "the state names a provider that is not in dive_infra/config/providers.py; it was not loaded; next: ./dive "


@pytest.fixture
def forged(tmp_path: Path) -> Forged:
    return Forged(tmp_path)


def test_without_the_launchers_line_the_provider_server_loads_any_pickle_until_the_first_of_ours(
    forged: Forged,
) -> None:
    with provider_process("-c", _UNPREPARED, "") as (_, client, _engine):
        failed_delete(client, forged.text)
        assert forged.made.exists(), "remove `patches.load_only`"
        forged.made.unlink()
        failed_delete(client, country="FRA", protected=["data"])
        other = Forged(forged.made.parent / "x")
        assert failed_delete(client, other.text).startswith(REFUSED)


def test_the_launchers_line_lets_the_provider_server_load_no_pickle_but_ours(forged: Forged, tmp_path: Path) -> None:
    (tmp_path / "dive.pth").write_text(f"{_LINE}\n")
    prepared = f"import site; site.addsitedir({str(tmp_path)!r})\n{_UNPREPARED}"
    with provider_process("-c", prepared, "pulumi.dynamic") as (_, client, _engine):
        assert REFUSED in failed_delete(client, forged.text)
        assert not forged.made.exists()
        assert failed_delete(client, country="FRA", protected=["data"]).startswith("the data of FRA is protected")
        assert failed_delete(client, forged.text).startswith(REFUSED)
        assert not forged.made.exists()


def test_the_list_of_packages_is_pips(tmp_path: Path) -> None:
    """pip itself answers in a folder without our program."""
    (tmp_path / "dive.pth").write_text(f"{_LINE}\n")
    asked = [*interpreter.LISTING]
    prepared = f"import site, sys; sys.orig_argv[1:] = {asked}; site.addsitedir({str(tmp_path)!r}); print('none')"

    def listed(*command: str, place: Path) -> set[tuple[str, str, str]]:
        done = subprocess.run([sys.executable, *command], cwd=place, capture_output=True, text=True, check=True)
        return {(p["name"], p["version"], p["location"].rstrip("/")) for p in json.loads(done.stdout)}

    pips = listed(*asked, place=tmp_path)
    assert len(pips) > 20
    assert listed("-c", prepared, place=ROOT) == pips


@pytest.mark.parametrize("arguments", [(), ("pulumi.dynamic",)], ids=["another process", "another program"])
def test_the_launchers_line_is_without_effect_elsewhere(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "dive.pth").write_text(f"{_LINE}\n")
    code = (
        f"import site, sys; site.addsitedir({str(tmp_path)!r}); "
        "print(sys.path[0], 'dive_infra' in sys.modules, 'dill' in sys.modules)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=tmp_path if arguments else ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (" False False\n", "")


@pytest.mark.parametrize(
    ("cancelled", "variables", "ended"),
    [(False, {}, True), (True, {}, False), (False, {"DIVE_RUN_ID": "of-the-command"}, False)],
    ids=["it failed", "it was cancelled", "the command records how it ended"],
)
def test_a_run_that_the_engine_ends_is_recorded_unless_it_was_cancelled(
    cancelled: bool, variables: dict[str, str], ended: bool
) -> None:
    with provider_process("-c", _UNPREPARED, "", **variables) as (process, client, _engine):
        request = provider_pb2.CreateRequest()
        request.properties.update({"__provider": serialize_provider(EndTellingProvider())})
        client.Create(request, timeout=30)
        if cancelled:
            client.Cancel(empty_pb2.Empty(), timeout=30)
        told = end(process)
    assert (b"this run has ended" in told) is ended


def log_of_one_resource(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the SDK sends to the engine's log for a program with one resource."""
    sent: list[str] = []
    engine = type("Engine", (), {"Log": lambda _, request: sent.append(request.message)})()
    mocks.set_mocks(Mocks(), project="dive", stack="fra", preview=False)
    monkeypatch.setattr(pulumi.log, "get_engine", lambda: engine)

    @pulumi.runtime.test
    def program() -> None:
        pulumi.ComponentResource("dive:test:Thing", "thing")

    program()
    return sent


def test_the_sdk_logs_each_resource_by_the_function_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIVE_TRACEBACK", raising=False)
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)  # restored after the test
    assert [m for m in log_of_one_resource(monkeypatch) if "thing" in m], "remove `patches.silence_debug_log`"
    patches.silence_debug_log()
    assert log_of_one_resource(monkeypatch) == []


def test_a_registration_is_sent_after_some_turns_of_the_loop_and_within_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    mocks.set_mocks(Mocks(), project="dive", stack="fra", preview=False)
    sent: list[bool] = []
    registers = mocks.MockMonitor.RegisterResource

    def recorded(self: Any, request: Any) -> Any:
        sent.append(request.name == "thing")
        return registers(self, request)

    at_once = Executor()
    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", recorded)
    turns: list[int] = []

    @pulumi.runtime.test
    async def program() -> None:
        asyncio.get_running_loop().run_in_executor = at_once  # type: ignore[method-assign]
        pulumi.ComponentResource("dive:test:Thing", "thing")
        while not any(sent):
            await asyncio.sleep(0)
            turns.append(1)

    program()
    assert turns, "remove `patches.send_registrations`: the SDK sends at once"
    assert len(turns) <= patches.TURNS, f"{len(turns)} turns until a registration is sent: raise `patches.TURNS`"


class Executor:
    """Replaces `loop.run_in_executor` and runs the call at once, so that turns of the loop can be counted."""

    def __call__(self, _pool: object, call: Any, *arguments: Any) -> "asyncio.Future[Any]":
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.set_result(call(*arguments))
        return done
