"""Where services run: one interface, and one package for each engine that implements it.

Belongs here: to declare, observe, compare, act on and remove a country's objects. Belongs elsewhere: what a service is
(`catalog`), what is valid (`checks`), when to act (`dynamic`, the verbs). A process has one engine: `select` names it,
and `connect`, `current` and `ensure` mean it. Other packages use these and the types of `engines.engine`; a unit test
lists the few that know Docker, each with its reason.

May import: `toolchain`, `catalog`, `process`, `config`, `results`.
"""

from typing import TYPE_CHECKING

from dive_infra.config.timeouts import ENGINE_REQUEST
from dive_infra.engines.selection import select, unanswered

# Imported where they are used: Docker's client takes a third of a second to load, which most runs can do without.
if TYPE_CHECKING:
    from dive_infra.engines.engine import Endpoint, Engine
    from dive_infra.toolchain.debian import Progress

__all__ = ["connect", "current", "ensure", "select", "unanswered"]


def current() -> "Endpoint":
    """Return where the engine of this process is: the selected one, or this machine's choice. Raises `EngineError`."""
    from dive_infra.engines.docker import endpoint

    return endpoint.current()


def connect(timeout: int = ENGINE_REQUEST) -> "Engine":
    """Return that engine, connected; `timeout` in seconds for one request. Raises `EngineError`."""
    from dive_infra.engines.docker.docker_engine import DockerEngine

    return DockerEngine.connect(timeout)


def ensure(progress: "Progress") -> "Endpoint":
    """Return where an engine answers; install and start this machine's usual one if that is ours to do."""
    from dive_infra.engines.docker import engine

    return engine.ensure(progress)
