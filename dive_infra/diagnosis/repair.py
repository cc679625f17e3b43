"""What `./dive repair` can do: a table. A plan is what of it answers what was found, the hub before who stands on it.

Nothing here declares anything, and nothing removes data: an update by the Pulumi program is all that changes a country.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dive_infra.automation.deploy import deploy
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.recovery import recover
from dive_infra.automation.reporter import Reporter
from dive_infra.automation.stack_config import read_settings
from dive_infra.config.countries import HUB_CODE
from dive_infra.diagnosis.diagnosis import Diagnosis
from dive_infra.diagnosis.symptoms import Symptom
from dive_infra.engines.docker import engine
from dive_infra.images import country_images
from dive_infra.results.codes import Code
from dive_infra.toolchain import debian


@dataclass(frozen=True)
class RepairAction:
    """`answers` says of which symptoms it is the remedy; `does` and `spares` are told, with the country as `{code}`."""

    name: str
    answers: Callable[[Symptom], bool]
    does: str
    spares: str
    act: Callable[[str, Reporter], None]


@dataclass(frozen=True)
class RepairStep:
    """A remedy for one country, and what it is for."""

    remedy: RepairAction
    code: str
    causes: tuple[Symptom, ...]

    @property
    def does(self) -> str:
        return self.remedy.does.format(code=self.code, stack=self.code.lower())


@dataclass(frozen=True)
class RepairPlan:
    """`steps` in their order; `decisions` are what a person must decide or do, each with its exact next step."""

    steps: tuple[RepairStep, ...]
    decisions: tuple[Symptom, ...]


def _start_engine(_code: str, reporter: Reporter) -> None:
    with reporter.step("Docker engine") as progress:
        engine.ensure(progress)


def _obtain_images(code: str, reporter: Reporter) -> None:
    with reporter.step("images") as progress:
        country_images.ensure([read_settings(code)], progress)


def _clear(code: str, reporter: Reporter) -> None:
    recover(Runner.of(code.lower()), reporter)


def _update(code: str, reporter: Reporter) -> None:
    deploy(Runner.of(code.lower()), reporter, refresh=False)


def _refresh(code: str, reporter: Reporter) -> None:
    deploy(Runner.of(code.lower()), reporter, refresh=True)


_DATA = "data volumes: a lost one is never made anew without somebody's word"

ENGINE = RepairAction(
    "engine",
    lambda s: s.where == "engine",
    "start the Docker engine",
    "what is on it: containers come back by themselves",
    _start_engine,
)
CLEAR = RepairAction(
    "clear",
    lambda s: s.leftover,
    "clear what the dead run of {code} left in Pulumi: its lock, and operations without an end",
    "the lock of a run that lives, is on another host or can't be looked at",
    _clear,
)
IMAGES = RepairAction(
    "images",
    lambda s: s.number == Code.IMAGE,
    "obtain or build the images of {code}",
    "containers that run",
    _obtain_images,
)
REFRESH = RepairAction("refresh", lambda s: s.refresh, "pulumi up --refresh -s {stack}", _DATA, _refresh)
UPDATE = RepairAction("update", lambda s: True, "pulumi up -s {stack}", _DATA, _update)

REMEDIES: tuple[RepairAction, ...] = (ENGINE, CLEAR, IMAGES, REFRESH, UPDATE)


def plan(found: Diagnosis) -> RepairPlan:
    """What to do now. More may come to light once that is done: what could not be told, or stood behind it."""
    if engine_ours(found):
        (cause,) = [s for s in found.symptoms if s.where == ENGINE.name][:1]
        return RepairPlan((RepairStep(ENGINE, found.code, (cause,)),), ())  # nothing else can be told before
    able = [s for s in found.symptoms if s.by and _in_reach(found, s)]
    by_hand = tuple(s for s in found.symptoms if s not in able)
    shut = {s.code for s in by_hand if s.blocks} | _unreadable(found)
    codes = sorted({s.by for s in able}, key=lambda code: code != HUB_CODE)
    steps: list[RepairStep] = []
    for code in codes:
        causes = [s for s in able if s.by == code]
        # What could not be told may be the hub's doing: it is looked at again once the hub is well.
        causes = [s for s in causes if not s.unknown] if steps else causes
        steps += _steps(code, causes, code in shut)
    return RepairPlan(tuple(steps), by_hand)


def _steps(code: str, causes: list[Symptom], shut: bool) -> Iterator[RepairStep]:
    """Of one country; while it is `shut`, what a killed run left is cleared, and no update would come to its end."""
    for remedy in (CLEAR, IMAGES):
        if found := tuple(s for s in causes if remedy.answers(s)):
            yield RepairStep(remedy, code, found)
    if causes and not shut:
        # A refresh is an update that looks closer: where one is needed, it does for all.
        yield RepairStep(next(r for r in (REFRESH, UPDATE) if any(map(r.answers, causes))), code, tuple(causes))


def _in_reach(found: Diagnosis, symptom: Symptom) -> bool:
    """Whether the country that must be updated is here to be updated; a third one's operator is somebody else."""
    view = found.views.get(symptom.by)
    return view is not None and view.in_reach and symptom.where != ENGINE.name


def _unreadable(found: Diagnosis) -> set[str]:
    return {code for code, view in found.views.items() if view.country.problem("engine")}


def engine_ours(found: Diagnosis) -> bool:
    """Whether the engine is down, and to be started by us: the usual one of this machine, which we may start."""
    return found.own.country.problem("engine") is not None and engine.usual() and debian.possible()


def next_step(symptom: Symptom, found: Diagnosis) -> str:
    """The exact next command for what is left."""
    if symptom.by and symptom.by != found.code and not _in_reach(found, symptom):
        return f"the operator of {symptom.by}: ./dive repair {symptom.by}; then: ./dive repair {found.code}"
    return symptom.next
