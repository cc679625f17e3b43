"""Whether packets pass between containers, with the engine replaced; `providers` has a real one without its rules."""

import contextlib
import io
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from unittest.mock import Mock

import pytest

from dive_infra.catalog.spec import HealthCheck
from dive_infra.checks import connectivity, objects, runner
from dive_infra.checks.spec import ContainerSpec
from dive_infra.engines.declaration import Declared
from dive_infra.engines.engine import Condition, ContainerFailed
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY
from tests.unit.checks.specs import DEPLOYMENT, FRANCE, USA

SERVICES = ("redis", "opa", "backend", "kas")
RUNS = Condition(True, running=True, health="healthy")


def container(service: str) -> ContainerSpec:
    test = ("python", "-c", "") if service in ("backend", "kas") else ("true",)
    networks = {FRANCE.network: (FRANCE.host(service), service)}
    declared = Declared(
        FRANCE.container(service), "1:1", HealthCheck(test), ports=(FRANCE.port(service),), networks=networks
    )
    return ContainerSpec(service, "core", declared, "f1")


SPEC = replace(DEPLOYMENT, containers=tuple(map(container, SERVICES)))


class Asked(Mock):
    """An engine on which a service `answers` with True, False or None; all others are not declared to run."""

    def answering(self, answers: Mapping[str, bool | None], firewall: str = "") -> "Asked":
        running = {FRANCE.container(s) for s in (*answers, "backend")}
        self.find.side_effect = lambda d: replace(RUNS, running=d.name in running, name=d.name)
        self.output.side_effect = lambda _, command: json.dumps(
            {target: answers[target.split(".")[0]] for target in command[5:]}
        )
        self.firewall.return_value = firewall
        self.restart_command.return_value = "systemctl restart docker"
        return self


def asked(monkeypatch: pytest.MonkeyPatch, engine: Mock) -> Finding:
    monkeypatch.setattr(objects, "connect", lambda: engine)
    [found] = runner.run([connectivity.check(SPEC)], 5).findings
    return found


def test_no_answer_of_any_service_is_the_firewall_with_the_command_that_restores_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Asked().answering({"redis": False, "opa": False, "kas": False}, "FORWARD has no jump to Docker's chains")
    found = asked(monkeypatch, engine)
    assert (found.verdict, found.code) == (Verdict.INVALID, Code.NETWORK)
    assert found.statement == (
        f"network {FRANCE.network}: no packet passes between its containers: 3 of 3 services that run cannot be "
        f"reached from {FRANCE.container('backend')}; FORWARD has no jump to Docker's chains; "
        "expected the engine's firewall rules let them through"
    )
    assert found.remedy.command("FRA") == "systemctl restart docker, then: ./dive up FRA"
    assert found.remedy.fixed_by("FRA") == "", "no update brings the rules back"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"redis": True, "opa": True}, "reaches 2 of 2 services"),
        ({"redis": True, "opa": False, "kas": False}, "reaches 1 of 3 services"),
        ({"redis": True, "opa": False, "kas": None}, "reaches 1 of 2 services"),
    ],
    ids=["all", "some: another cause", "one whose name is not known"],
)
def test_one_packet_that_passes_acquits_the_firewall(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, bool | None], found: str
) -> None:
    seen = asked(monkeypatch, Asked().answering(answers))
    assert (seen.verdict, seen.found) == (Verdict.VALID, f"{FRANCE.container('backend')} {found}")


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"redis": False}, "too few containers run: expected one with Python and two others"),
        ({"redis": None, "opa": None, "kas": False}, "t-unit-fra-backend does not resolve the names of 3 services"),
    ],
    ids=["a single service may hang", "off the network"],
)
def test_too_little_is_known_to_name_a_cause(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, bool | None], found: str
) -> None:
    seen = asked(monkeypatch, Asked().answering(answers))
    assert (seen.verdict, seen.found) == (Verdict.UNKNOWN, found)


def test_a_container_that_cannot_be_asked_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Asked().answering({"redis": False, "opa": False})
    engine.output.side_effect = ContainerFailed("python in t-unit-fra-backend: exit code 127: not found")
    seen = asked(monkeypatch, engine)
    assert (seen.verdict, seen.found) == (Verdict.UNKNOWN, "python in t-unit-fra-backend: exit code 127: not found")


def test_the_probe_counts_a_refusal_as_an_answer_and_a_timeout_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Mapping[str, object] = {
        "open": Mock(),
        "refused": ConnectionRefusedError(),
        "dropped": TimeoutError(),
        "rejected": OSError("No route to host"),
        "unknown": socket.gaierror(),
    }

    def connect(address: tuple[str, int], timeout: float) -> object:
        answer = answers[address[0]]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def run(targets: Sequence[str]) -> str:
        printed = io.StringIO()
        monkeypatch.setattr(sys, "argv", ["-c", *targets])
        with contextlib.redirect_stdout(printed):
            exec(connectivity._PROBE, {})
        return printed.getvalue()

    monkeypatch.setattr(socket, "create_connection", connect)
    assert json.loads(run([f"{name}:1" for name in answers])) == {
        "open:1": True,
        "refused:1": True,
        "dropped:1": False,
        "rejected:1": False,
        "unknown:1": None,
    }


HERE, THERE = replace(FRANCE, address="192.0.2.7"), replace(USA, address="192.0.2.1")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("true", ""),
        ("false", f"no packet of the containers of FRA reaches 192.0.2.1:{USA.port('keycloak')}"),
        ("null", ""),
        ("no JSON", ""),
    ],
)
def test_a_partner_elsewhere_is_out_of_reach_only_if_a_container_says_so(
    answer: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, target = Mock(), f"192.0.2.1:{USA.port('keycloak')}"
    engine.output.return_value = answer if " " in answer else f'{{"{target}": {answer}}}'
    monkeypatch.setattr(objects, "connect", lambda: engine)
    assert connectivity.cut_off(HERE, THERE, "keycloak") == found
    [(container, command), _] = engine.output.call_args
    assert (container, command[-1]) == (FRANCE.container("backend"), target)
    engine.output.side_effect = ContainerFailed("no backend")
    assert connectivity.cut_off(HERE, THERE, "keycloak") == "", "that is another check's finding"


def test_no_one_asks_whether_a_partner_on_the_same_engine_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "connect", Mock(side_effect=AssertionError))
    assert connectivity.cut_off(FRANCE, USA, "keycloak") == connectivity.cut_off(HERE, HERE, "keycloak") == ""


@pytest.mark.parametrize(
    ("found", "unknown"),
    [
        ("[Errno 113] No route to host", True),
        ("[Errno 101] Network is unreachable", True),
        ("timed out", True),
        ("[Errno 111] Connection refused", False),
    ],
)
def test_a_host_that_no_packet_reaches_says_nothing_about_its_servers(
    found: str, unknown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "connect", Mock())
    assert isinstance(objects.unanswered(found, "an answer", NO_REMEDY), runner.CheckUnknown) == unknown
