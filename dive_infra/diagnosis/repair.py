"""Repair actions as a table, and the plan: which of them a diagnosis needs, the hub's before those of its spokes.

No action declares a resource or removes data: only an update by the Pulumi program changes a country.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dive_infra import engines
from dive_infra.automation import service_restart
from dive_infra.automation.deploy import deploy
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.recovery import recover
from dive_infra.automation.reporter import Reporter
from dive_infra.automation.stack_config import read_settings
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.diagnosis.diagnosis import Diagnosis
from dive_infra.diagnosis.symptoms import Symptom
from dive_infra.images import country_images
from dive_infra.results.codes import Code
from dive_infra.results.remedy import RemedyKind
from dive_infra.toolchain import debian


@dataclass(frozen=True)
class RepairAction:
    """A repair: `answers` selects its symptoms; `does` and `spares` describe it.

    `does` may name the country as `{code}` or `{stack}`, and the `{services}` to restart.
    """

    name: str
    answers: Callable[[Symptom], bool]
    does: str
    spares: str
    act: Callable[["RepairStep", Reporter], None]


@dataclass(frozen=True)
class RepairStep:
    """An action for one country, and the symptoms it is for."""

    action: RepairAction
    code: str
    causes: tuple[Symptom, ...]

    @property
    def does(self) -> str:
        """Return what the step does, with the country filled in."""
        return self.action.does.format(code=self.code, stack=self.code.lower(), services=" and ".join(self.services))

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services to restart, each once."""
        return tuple(dict.fromkeys(name for cause in self.causes for name in cause.finding.remedy.services))


@dataclass(frozen=True)
class RepairPlan:
    """The `steps` in their order; `decisions` are symptoms that need an operator, each with its exact next step."""

    steps: tuple[RepairStep, ...]
    decisions: tuple[Symptom, ...]


def _start_engine(_: RepairStep, reporter: Reporter) -> None:
    with reporter.step("Docker engine") as progress:
        engines.ensure(progress)


def _obtain_images(step: RepairStep, reporter: Reporter) -> None:
    with reporter.step("images") as progress:
        country_images.ensure([read_settings(step.code)], progress)


def _clear(step: RepairStep, reporter: Reporter) -> None:
    recover(Runner.of(step.code.lower()), reporter)


def _update(step: RepairStep, reporter: Reporter) -> None:
    deploy(Runner.of(step.code.lower()), reporter, refresh=False)


def _refresh(step: RepairStep, reporter: Reporter) -> None:
    deploy(Runner.of(step.code.lower()), reporter, refresh=True)


def _restart(step: RepairStep, reporter: Reporter) -> None:
    with reporter.step(f"restart of {' and '.join(step.services)} of {step.code}"):
        service_restart.restart_or_fail(read_settings(step.code), step.services)


_DATA = "data volumes: a lost one is recreated only with an operator's consent"

ENGINE = RepairAction(
    "engine",
    lambda s: s.where == "engine",
    "start the Docker engine",
    "its containers: they restart by themselves",
    _start_engine,
)
CLEAR = RepairAction(
    "clear",
    lambda s: s.stale,
    "clear what the dead run of {code} left in Pulumi: its lock and pending operations",
    "the lock of a run that is alive, on another host or cannot be inspected",
    _clear,
)
IMAGES = RepairAction(
    "images",
    lambda s: s.number == Code.IMAGE,
    "obtain or build the images of {code}",
    "running containers",
    _obtain_images,
)
RESTART = RepairAction(
    "restart",
    lambda s: s.finding.remedy.kind == RemedyKind.RESTART,
    "restart {services} of {code}: what someone changed in memory is lost, the declared is loaded again",
    "all other services, and all data",
    _restart,
)
REFRESH = RepairAction("refresh", lambda s: s.refresh, "pulumi up --refresh -s {stack}", _DATA, _refresh)
UPDATE = RepairAction("update", lambda s: True, "pulumi up -s {stack}", _DATA, _update)

ACTIONS: tuple[RepairAction, ...] = (ENGINE, CLEAR, IMAGES, RESTART, REFRESH, UPDATE)


def plan(found: Diagnosis) -> RepairPlan:
    """Return what to do now. Further symptoms may appear afterwards: unknown ones, and those hidden by others."""
    if engine_ours(found):
        (cause,) = [s for s in found.symptoms if s.where == ENGINE.name][:1]
        return RepairPlan((RepairStep(ENGINE, found.code, (cause,)),), ())  # nothing else can be checked before
    if cut_off := tuple(s for s in found.symptoms if s.cuts_off):
        return RepairPlan((), cut_off)  # an update would fail half-way, for the same cause
    able = [s for s in found.symptoms if s.by and _in_reach(found, s)]
    by_hand = tuple(s for s in found.symptoms if s not in able)
    blocked = {s.code for s in by_hand if s.blocks} | _unreadable(found)
    codes = sorted({s.by for s in able}, key=lambda code: code != HUB_CODE)
    steps: list[RepairStep] = []
    for code in codes:
        causes = [s for s in able if s.by == code]
        # An unknown may be caused by the hub: it is checked again once the hub is repaired.
        causes = [s for s in causes if not s.unknown] if steps else causes
        steps += _steps(code, causes, code in blocked, found.views[code].country.names)
    return RepairPlan(tuple(steps), by_hand)


def _steps(code: str, causes: list[Symptom], blocked: bool, names: Names | None) -> Iterator[RepairStep]:
    """Return the steps of one country; a `blocked` one gets no update, because that would stop half-way.

    A container that is not as declared may be unable to start: an update restores it first, and what only a restart
    mends, if that is still wrong then, is planned afterwards.
    """
    off = set[str]() if blocked else {s.finding.subject for s in causes if not RESTART.answers(s)}
    deferred = [s for s in causes if RESTART.answers(s) and off & _containers(s, names)]
    for action in (CLEAR, IMAGES, RESTART):
        if answered := tuple(s for s in causes if action.answers(s) and s not in deferred):
            yield RepairStep(action, code, answered)
    causes = [s for s in causes if s in deferred or not RESTART.answers(s)]
    if causes and not blocked:
        # A refresh is an update that also reads the live system: one is enough for all causes.
        yield RepairStep(next(r for r in (REFRESH, UPDATE) if any(map(r.answers, causes))), code, tuple(causes))


def _containers(symptom: Symptom, names: Names | None) -> set[str]:
    return {names.container(service) for service in symptom.finding.remedy.services} if names else set()


def _in_reach(found: Diagnosis, symptom: Symptom) -> bool:
    """Return True if the stack of the country to update is in this backend; a third one has another operator."""
    view = found.views.get(symptom.by)
    return view is not None and view.in_reach and symptom.where != ENGINE.name


def _unreadable(found: Diagnosis) -> set[str]:
    return {code for code, view in found.views.items() if view.country.problem("engine")}


def engine_ours(found: Diagnosis) -> bool:
    """Return True if this machine's usual engine is down and we are permitted to start it."""
    return found.own.country.problem("engine") is not None and engines.current().is_default and debian.possible()


def next_step(symptom: Symptom, found: Diagnosis) -> str:
    """Return the exact next command for a symptom that is left."""
    if symptom.by and symptom.by != found.code and not _in_reach(found, symptom):
        return f"the operator of {symptom.by}: ./dive repair {symptom.by}; then: ./dive repair {found.code}"
    return symptom.next
