"""Restart services in the order of their needs: each is healthy before those that need it are restarted.

A restart is one request to the engine, so the container comes back even if this process ends. Its data stays in its
volume, and it gets its grace period to end in good order.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from dive_infra.catalog.spec import ServiceSpec
from dive_infra.config.naming import Names
from dive_infra.engines.engine import ContainerFailed, Engine, EngineRefused
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

_POLL = 0.5  # seconds between two observations
_SETTLE = 60.0  # seconds in which services reconnect to a restarted one


@dataclass(frozen=True)
class Restarted:
    """The outcome for a service; `problem` is empty if it is healthy, `restarted` is False if it was not restarted."""

    service: str
    seconds: float
    problem: str = ""
    restarted: bool = True


@dataclass(frozen=True)
class Restart:
    """Restarts the services `chosen` of a country, whose containers must carry the mark `stack`.

    `specs` are all its services; `around` returns a context for the restart of one service; `tell` gets each outcome.
    """

    engine: Engine
    names: Names
    stack: str
    specs: Sequence[ServiceSpec]
    chosen: Sequence[str]
    tell: Callable[[Restarted], None]
    around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()

    def run(self) -> list[Restarted]:
        """Restart them, and wait for the services that need them. An error of `around` ends it."""
        needs = all_needs(self.specs)
        with ThreadPoolExecutor(max_workers=len(self.specs)) as side_by_side:
            ends: dict[str, Future[Restarted]] = {}
            for spec in self.specs:
                if spec.name in self.chosen:
                    before = [ends[need] for need in needs[spec.name] if need in ends]
                    ends[spec.name] = side_by_side.submit(self._restart, spec, before)
            done = [end.result() for end in ends.values()]
            well = {one.service for one in done if not one.problem}
            users = [s for s in self.specs if s.name not in self.chosen and needs[s.name] & well]
            return done + [found for found in side_by_side.map(self._user, users) if found]

    def _restart(self, spec: ServiceSpec, before: Sequence["Future[Restarted]"]) -> Restarted:
        failed = [need.result().service for need in before if need.result().problem]
        started = time.monotonic()
        if failed:
            return self._report(spec, started, f"not restarted: {', '.join(failed)} failed", restarted=False)
        name = self.names.container(spec.name)
        try:
            with self.around(spec.name):
                now = self.engine.observe(name)
                if not now.exists:
                    remedy = Remedy.deploy(self.names.country.code)
                    missing = DiveError(f"container {name} does not exist", remedy)
                    return self._report(spec, started, str(missing), restarted=False)
                if now.stack != self.stack:
                    whose = f"{name} is of stack {now.stack or '(none)'}, not of {self.stack}"
                    return self._report(spec, started, f"{whose}; not restarted", restarted=False)
                self.engine.restart(name, spec.stop_grace)
                self.engine.await_healthy(name, spec.health.deadline)
        except EngineRefused as error:
            return self._report(spec, started, f"the engine refused: {error.cause}")
        except ContainerFailed as error:
            return self._report(spec, started, str(error))
        return self._report(spec, started)

    def _user(self, spec: ServiceSpec) -> Restarted | None:
        """Wait until a service that needs a restarted one, itself not restarted, passes its health check again."""
        started, name = time.monotonic(), self.names.container(spec.name)
        now = self.engine.observe(name)
        if not now.running or now.paused:
            return None  # it was not running before the restart
        while not self.engine.passes(name):
            if time.monotonic() - started > _SETTLE:
                return self._report(
                    spec, started, f"not healthy within {_SETTLE:.0f} s of the restart", restarted=False
                )
            time.sleep(_POLL)
        return self._report(spec, started, restarted=False)

    def _report(self, spec: ServiceSpec, started: float, problem: str = "", restarted: bool = True) -> Restarted:
        found = Restarted(spec.name, time.monotonic() - started, problem, restarted)
        self.tell(found)
        return found


def all_needs(specs: Sequence[ServiceSpec]) -> Mapping[str, set[str]]:
    """Return service -> everything it needs, directly or not; `specs` in their start order."""
    found: dict[str, set[str]] = {}
    for spec in specs:
        found[spec.name] = set(spec.needs).union(*(found[need] for need in spec.needs))
    return found
