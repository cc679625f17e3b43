"""The engine as the checks use it: a short timeout, and `CheckUnknown` if it does not answer."""

from collections.abc import Sequence

from dive_infra import engines
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import ENGINE_ANSWER
from dive_infra.engines.engine import Engine, EngineError, EngineObject
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy


def connect() -> Engine:
    """Return the engine, connected with a short timeout; raise `CheckUnknown` if no engine answers."""
    try:
        return engines.connect(ENGINE_ANSWER)
    except EngineError as error:
        raise CheckUnknown(error.cause, engines.unanswered(error.remedy)) from None


# The clients' words for a timeout, and the system's for a host that no packet reaches.
_UNREACHED = ("timeout expired", "timed out", "no route to host", "network is unreachable")


def unanswered(found: str, expected: str, remedy: Remedy, code: Code | None = None) -> CheckFailed | CheckUnknown:
    """Return the error to raise for a server that does not answer.

    The server is down if its engine answers, and unknown if the engine does not. A server that times out may only be
    busy: the health check of its container decides. A host out of reach says nothing about its servers.
    """
    if any(words in found.lower() for words in _UNREACHED) and "refused" not in found.lower():
        return CheckUnknown(found, remedy)
    try:
        connect().close()
    except CheckUnknown as error:
        return error
    return CheckFailed(found, expected, remedy, code)


def caused_by(
    names: Names, services: Sequence[str], otherwise: CheckFailed | CheckUnknown
) -> CheckFailed | CheckUnknown:
    """Return the error to raise for a check that needs `services`: unknown, with the first container that is down.

    So is one that has our name and another owner. DEPLOYMENT reports that container, and all checks that need it say
    the same, which a status shows once. If all of them are healthy, the error is `otherwise`.
    """
    engine = connect()
    try:
        found = {container: engine.observe(container) for container in map(names.container, services)}
        down = [f"{container} is {now.describe()}" for container, now in found.items() if not now.healthy]
        foreign = [f"{container} is not this stack's" for container, now in found.items() if not now.stack]
        if cause := next(iter(down + foreign), ""):
            return CheckUnknown(cause, Remedy.update(names.country.code))
    except EngineError as error:
        return CheckUnknown(error.cause, engines.unanswered(error.remedy))
    finally:
        engine.close()
    return otherwise


def foreign(engine: Engine, network: str, container: str, expected: str, topic: str) -> Finding:
    """Return the finding of a container that does not belong on a network; a person decides on it."""
    return Finding(
        f"{container} is not on {network}",
        Verdict.INVALID,
        expected,
        f"{container}, which is not one",
        Remedy.decide(engine.disconnect_command(network, container)),
        code=Code.NETWORK,
        topic=topic,
        subject=f"network {network}",
        undeclared=True,
    )


def owned_by_stack(names: Names, mark: str) -> list[EngineObject]:
    """Return all objects of the country that the stack with this mark created on the engine."""
    return [o for o in connect().everything() if names.owns(o.labels) and o.stack == mark]
