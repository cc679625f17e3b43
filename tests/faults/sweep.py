"""The crash-point sweep: one deployment that is killed at point after point, each time resumed as `./dive up` does.

A resumed run passes all points that were killed at before, and is killed at the next. Each kill costs one start of
Pulumi, not a whole deployment.
"""

import ast
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import dive_infra
from dive_infra.automation.pending_creates import REMOVERS, REPEATABLE
from dive_infra.automation.recovery import clear_pending, recover
from dive_infra.orchestration.states import Phase
from tests.coalition.country import Country
from tests.faults.killing import Killed, Point, deploy
from tests.support.providers import providers
from tests.support.reporter import RecordingReporter

PACKAGE = Path(dive_infra.__file__).parent
REMOVED = "was created but not recorded: removed"
_EACH = 60  # one of so many points is killed at in every test run
TRIES = 4  # of a moment that only luck can meet: made, and not recorded

# Steps that the first deployment of a spoke never takes, and why.
ELSEWHERE: Mapping[str, str] = {
    "create ServiceAccountRoles": "of no country any more",
    "create Admission": "of no country any more",
    "create CoalitionDocument": "the hub's",
    "create People": "of its two kinds, ProbePersons and TestUsers",
    "record PREFLIGHT": "with DEPLOYMENT, whose Postgres holds the record",
    "record INITIALIZATION": "with DEPLOYMENT, whose Postgres holds the record",
    "create MemberAuthority": "the hub's",
    "delete documents": "of another declaration",
    "replace documents": "of altered ones",
    "connect container": "of a network that was lost",
    "create network": "of a link, which the hub creates first",
    "leave network": "of a link that ended",
    "start container": "of one that is stopped",
    "rename container": "of one that was renamed",
    "remove container": "of one that was made otherwise",
    "remove network": "of one that was made otherwise",
    "DELETE at Keycloak": "of what is not declared",
    "PUT at Keycloak": "of people who are not as declared",
    "drop schema": "of one that was altered",
    "create StackIdentity": "of a run before, which PREFLIGHT refused",
    "repair state": "the command's, of a state that was cut off",
    "give back lock": "of a process that stood still and was overtaken",
}


class Plan(Protocol):
    """Where the next kill is. `chosen` is asked at every point, from several threads."""

    def chosen(self, point: Point) -> bool: ...

    def killed(self, points: Iterable[Point]) -> None: ...

    def resumed(self, told: str) -> None: ...


class Selection:
    """One kill for each step of these `names`, after it, and for each type of another provider among them, once it is
    made and not recorded."""

    def __init__(self, names: Container[str], tries: int = TRIES) -> None:
        self._names, self._most = names, tries
        self._done: set[Point] = set()
        self._tries: Counter[Point] = Counter()
        self._last: list[Point] = []

    def chosen(self, point: Point) -> bool:
        if point.name not in self._names:
            return False
        if point.moment == "made":
            return point not in self._done and self._tries[point] < self._most
        return point.moment == "after" and point not in self._done

    def killed(self, points: Iterable[Point]) -> None:
        self._last = [*points]
        self._tries.update(p for p in self._last if p.moment == "made")
        self._done |= {p for p in self._last if p.moment != "made" or p.name not in REMOVERS}

    def resumed(self, told: str) -> None:
        if REMOVED in told:
            self._done |= {p for p in self._last if p.moment == "made"}


class Everything:
    """A kill before and after each step, as often as it is taken, and at each resource of other providers.

    Steps of one name are distinguished by counting: the n-th one is killed at once all before it have passed.
    """

    def __init__(self) -> None:
        self._kills: Counter[Point] = Counter()
        self._passed: Counter[str] = Counter()
        self._holding: Counter[Point] = Counter()

    def chosen(self, point: Point) -> bool:
        if point.moment == "made":
            return self._kills[point] < 1
        now = self._kills[point] + self._holding[point]
        if self._kills[point] <= self._passed[point.name] and now - self._passed[point.name] < 4:
            self._holding[point] += 1
            return True
        if point.moment == "after":
            self._passed[point.name] += 1
        return False

    def killed(self, points: Iterable[Point]) -> None:
        self._kills.update(points)
        self._holding.clear()

    def resumed(self, told: str) -> None:
        """Nothing depends on it."""


@dataclass
class Swept:
    """What happened: every kill, what recovery reported after it, and the run that ended by itself."""

    kills: list[tuple[Killed, str]] = field(default_factory=list[tuple[Killed, str]])
    last: Killed = field(default_factory=Killed)

    @property
    def points(self) -> Counter[Point]:
        return Counter(p for killed, _ in self.kills for p in killed.points)

    @property
    def reached(self) -> set[str]:
        """The names of all steps that were reported."""
        return {p.name for killed in (*(k for k, _ in self.kills), self.last) for p in killed.told}

    @property
    def unrecorded(self) -> set[str]:
        """The names of resources that recovery found made and not recorded."""
        lines = [line for _, told in self.kills for line in told.splitlines() if REMOVED in line]
        return {line.strip().partition(":")[0] for line in lines}


def sweep(
    country: Country, plan: Plan, within: float = 24 * 3600, tell: Callable[[str], None] = lambda _: None
) -> Swept:
    """Deploys the country, killed wherever the plan says during `within` seconds, until it is complete."""
    swept, ends, again = Swept(), time.monotonic() + within, False
    while True:
        reporter = RecordingReporter()
        recovered = recover(country.runner, reporter)
        plan.resumed(reporter.text)
        if swept.kills:
            swept.kills[-1] = (swept.kills[-1][0], reporter.text)
        tell(reporter.text.strip())
        late = time.monotonic() > ends
        # Every other kill takes our own provider with it; else it has to end by itself.
        killed = deploy(country, (lambda _: False) if late else plan.chosen, provider_too=bool(len(swept.kills) % 2))
        if not killed.points and killed.code and recovered.open and not again:
            again = True  # as `./dive up` does, once
            continue
        again = False
        if not killed.points:
            if recovered.open:
                clear_pending(country.runner)
            swept.last = killed
            return swept
        plan.killed(killed.points)
        swept.kills.append((killed, ""))
        tell(
            f"{len(swept.kills)}. {killed.seconds:.0f} s: {', '.join(map(' '.join, killed.points))}; ours lived "
            f"{killed.lived:.1f} s; left {killed.remained}"
        )


def reachable() -> set[str]:
    """The names of all points of a spoke's first deployment: our steps, and the types of other providers."""
    return (steps() - ELSEWHERE.keys()) | REMOVERS.keys() | REPEATABLE


def sample() -> set[str]:
    """A few of them, spread over the alphabet; others whenever a step is added."""
    return set(sorted(reachable())[::_EACH])


def steps() -> set[str]:
    """Every step that the program can take, read from its code: `create Files`, `write manifest complete` …"""
    kinds = [k.__name__.removesuffix("Provider") for k in providers() if k.__name__ != "Provider"]
    values = {"verb": ["create"], "self._kind": kinds, "phase": [*Phase], "status": ["loading", "complete"]}
    values["method"] = ["POST", "PUT", "DELETE"]
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if "cli" in path.relative_to(PACKAGE).parts:
            continue  # the command's own steps
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "crash_point"
                and node.args
            ):
                found |= _names(node.args[0], values)
    return found - {f"delete {kind}" for kind in kinds}  # nothing of ours is deleted in a first deployment


def _names(argument: ast.expr, values: Mapping[str, list[str]]) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    made = {""}
    for part in argument.values if isinstance(argument, ast.JoinedStr) else ():
        if isinstance(part, ast.Constant):
            made = {name + str(part.value) for name in made}
        elif isinstance(part, ast.FormattedValue):
            made = {name + value for name in made for value in values[ast.unparse(part.value)]}
    return made


def markdown(swept: Swept, undisturbed: Iterable[Point], valid: bool) -> str:
    """Return docs/reference/crash-points-table.md."""
    count = Counter(p.name for p in undisturbed if p.moment == "before")
    killed: dict[str, Counter[str]] = defaultdict(Counter)
    for point, times in swept.points.items():
        killed[point.name][point.moment] += times
    seconds: dict[str, list[float]] = defaultdict(list)
    runs = [*(k for k, _ in swept.kills), swept.last]
    for before, after in pairwise(runs):
        for point in before.points:
            seconds[point.name].append(after.seconds)
    head = [
        "# Crash points",
        "",
        "Where the sweep killed the first deployment of France, and whether all is as declared in the end. Written by:",
        "`./dive test -- tests/integration/test_2_hub.py tests/integration/test_2_sweep.py --sweep --docs`.",
        "",
        "| step | times | killed before | killed after | made, not recorded | seconds until the next point | result |",
    ]
    rows = [
        f"| {name} | {count.get(name, '–')} | {killed[name]['before']} | {killed[name]['after']} | "
        f"{killed[name]['made'] or '–'} | {max(seconds[name], default=0):.0f} | {'valid' if valid else 'differs'} |"
        for name in sorted({*count, *killed})
    ]
    return "\n".join([*head, "|---|---|---|---|---|---|---|", *rows]) + "\n"
