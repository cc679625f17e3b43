"""Packets pass between the containers of a country, and to partners elsewhere: asked from inside one of them.

The engine's firewall rules let them pass. Without these rules a health check, which stays inside its container,
still passes. The question costs a process in a container, so it is asked only about the cause of something else.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePath

from dive_infra.checks import objects
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.checks.spec import DeploymentSpec
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.engines.declaration import Declared
from dive_infra.engines.engine import Engine
from dive_infra.results.codes import Code
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import UP, Remedy

SENTENCE = "packets pass between the containers of the country"

_LEAST = 2  # one service that does not answer may hang

# Runs in the container: prints target -> whether a packet came back, or null if its name was not resolved.
# A refused connection is an answer, too.
_PROBE = f"""
import concurrent.futures, json, socket, sys

def answers(target):
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), timeout={CHECK_REQUEST}).close()
    except ConnectionRefusedError:
        return True
    except socket.gaierror:
        return None
    except OSError:
        return False
    return True

targets = sys.argv[1:]
with concurrent.futures.ThreadPoolExecutor(len(targets)) as side_by_side:
    print(json.dumps(dict(zip(targets, side_by_side.map(answers, targets)))))
"""


def check(spec: DeploymentSpec) -> Check:
    return Check(SENTENCE, "connectivity", partial(passes, spec), subject=f"network {spec.names.network}")


def passes(spec: DeploymentSpec) -> str:
    """Check that a container with Python reaches the other services that run."""
    engine, network = objects.connect(), spec.names.network
    running = _running(engine, [container.declared for container in spec.containers])
    source = next((name for name, declared in running.items() if _has_python(declared)), None)
    targets = [
        f"{declared.networks[network][0]}:{declared.ports[0]}" for name, declared in running.items() if name != source
    ]
    if source is None or len(targets) < _LEAST:
        raise CheckUnknown("too few containers run: expected one with Python and two others", Remedy.update())
    python = running[source].health.test[0]
    answered = _asked(engine, source, python, *targets)
    known = [answer for answer in answered.values() if answer is not None]
    if len(known) < _LEAST:
        raise CheckUnknown(f"{source} does not resolve the names of {len(answered)} services", Remedy.update())
    if not any(known):
        silent = f"{len(known)} of {len(known)} services that run cannot be reached from {source}"
        found = [f"no packet passes between its containers: {silent}", engine.firewall()]
        raise CheckFailed(
            "; ".join(filter(None, found)),
            "the engine's firewall rules let them through",
            Remedy.decide(f"{engine.restart_command()}, then: {UP}"),
            Code.NETWORK,
        )
    return f"{source} reaches {sum(known)} of {len(known)} services"


def cut_off(own: Names, partner: Names, service: str) -> str:
    """Return why a service of a partner elsewhere is out of reach of this country's containers; empty if it is not.

    Empty, too, if that is unknown. The machine that asks may reach the service nevertheless.
    """
    if not (address := own.elsewhere(partner)):
        return ""
    target = f"{address}:{partner.port(service)}"
    try:
        reached = _asked(objects.connect(), own.container("backend"), "python", target)[target] is not False
    except (DiveError, ValueError, KeyError):
        return ""
    return "" if reached else f"no packet of the containers of {own.country.code} reaches {target}"


def _asked(engine: Engine, source: str, python: str, *targets: str) -> Mapping[str, bool | None]:
    """Return target (`host:port`) -> whether a container reaches it, or None if it does not know the host."""
    answered: Mapping[str, bool | None] = json.loads(
        engine.output(source, (python, "-I", "-S", "-c", _PROBE, *targets))
    )
    return answered


def _running(engine: Engine, declared: Sequence[Declared]) -> dict[str, Declared]:
    """Return those that run, by their present name."""
    with ThreadPoolExecutor(max_workers=len(declared) or 1) as side_by_side:
        found = list(side_by_side.map(engine.find, declared))
    return {now.name: each for each, now in zip(declared, found, strict=True) if now.running and not now.paused}


def _has_python(declared: Declared) -> bool:
    """Return True if the container's own health check runs in Python."""
    return PurePath(declared.health.test[0]).name.startswith("python")
