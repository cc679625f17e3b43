"""Diagnose a country for a repair: its symptoms and its hub's, and which of them are proven fixed afterwards.

The observation is that of `./dive status`; if it finds nothing wrong, users are logged in too. A country depends on its
hub, so the hub is observed as well.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dive_infra.automation.state_export import Export
from dive_infra.checks import runner, verification
from dive_infra.checks.runner import Check
from dive_infra.checks.spec import VerificationSpec
from dive_infra.config.countries import HUB_CODE
from dive_infra.diagnosis.snapshot import Snapshot, observe, with_connectivity
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import CountryStatus
from dive_infra.diagnosis.symptoms import Examination, Symptom, examine
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Verdict

_CHECKS, _LOGINS = 20.0, 60.0  # seconds for all checks of a country; a repair acts on them, so they get more time
_OBSERVATIONS = 2  # a repair acts on what was seen twice: a busy machine answers late


@dataclass(frozen=True)
class View:
    """A country as it was observed, and what is wrong with it."""

    country: Snapshot
    status: CountryStatus
    symptoms: tuple[Symptom, ...]
    examination: Examination

    @property
    def code(self) -> str:
        return self.country.code

    @property
    def running(self) -> bool:
        return self.status.deployment.state == "RUNNING"

    @property
    def in_reach(self) -> bool:
        """Return True if its stack can be updated here, even if a killed run truncated its state."""
        return self.country.deployed and (self.country.stack is not None or any(s.stale for s in self.symptoms))


@dataclass(frozen=True)
class Diagnosis:
    """`hub` is None for the hub itself."""

    own: View
    hub: View | None = None

    @property
    def code(self) -> str:
        return self.own.code

    @property
    def symptoms(self) -> tuple[Symptom, ...]:
        """Return the country's own symptoms, and the hub's if the hub is in the way."""
        return (*self.own.symptoms, *(self.hub.symptoms if self.hub and self.hub_in_the_way else ()))

    @property
    def hub_in_the_way(self) -> bool:
        """Return True if the hub must fix a symptom of the country, or is broken while the country needs an update."""
        if self.hub is None or not self.own.in_reach:
            return False
        named = any(s.by == HUB_CODE for s in self.own.symptoms)
        broken = any(p.severity == "error" for p in self.hub.status.problems)
        return named or (broken and any(s.by == self.code for s in self.own.symptoms))

    @property
    def views(self) -> dict[str, View]:
        return {view.code: view for view in (self.hub, self.own) if view}

    @property
    def running(self) -> View | None:
        """Return which of the countries that a repair would change is being deployed now."""
        hub = self.hub if self.hub and self.hub_in_the_way else None
        return next((view for view in (self.own, hub) if view and view.running), None)


def diagnose(code: str, again: Sequence[Symptom] = ()) -> Diagnosis:
    """Diagnose the country and its hub, side by side; repeat the logins that found one of the symptoms `again`."""
    exports = [Export(c.lower()) for c in dict.fromkeys((code, HUB_CODE))]
    found_by = frozenset(subject.source for symptom in again for subject in symptom.subjects)
    with ThreadPoolExecutor(max_workers=len(exports)) as side_by_side:
        own, *hub = side_by_side.map(_view, exports, [True, False][: len(exports)], [found_by] * len(exports))
    return Diagnosis(own, hub[0] if hub else None)


def _view(export: Export, logins: bool, again: Collection[str] = ()) -> View:
    view = view_of(observe(export, deadline=_CHECKS))
    for _ in range(_OBSERVATIONS - 1):
        if any(s.where in view.country.phases for s in view.symptoms):
            view = view_of(observe(Export(export.stack), deadline=_CHECKS))
    return view_of(with_connectivity(_logged_in(view, again), _CHECKS)) if logins else view


def _logged_in(view: View, again: Collection[str]) -> Snapshot:
    """Add real logins.

    If anything else is wrong they would only report it again, and count as failed logins: then only those in `again`
    are made, which found something before.
    """
    country = view.country
    spec = country.stack.spec(Phase.VERIFICATION) if country.stack else None
    if not isinstance(spec, VerificationSpec):
        return country
    wanted: list[Check] = [check for check in verification.logins(spec) if not view.symptoms or check.sentence in again]
    if not wanted:
        return country
    proven = runner.settle(wanted, _LOGINS, again=(Verdict.UNKNOWN,))
    before = country.phases[Phase.VERIFICATION]
    both = runner.Validation((*before.findings, *proven.findings), before.seconds + proven.seconds)
    return replace(country, phases={**country.phases, Phase.VERIFICATION: both})


def view_of(country: Snapshot) -> View:
    examined = examine(country)
    return View(country, judge(country, examined.symptoms), examined.symptoms, examined)


def proven(symptom: Symptom, after: Diagnosis) -> bool:
    """Return True if everything that the symptom is about was examined again and found valid."""
    view = after.views.get(symptom.code)
    return view is not None and all(map(view.examination.proves, symptom.subjects))


@dataclass(frozen=True)
class RepairOutcome:
    """How a repair ended: of the symptoms `seen` in all its rounds, those `repaired`, and everything that is `left`.

    `unproven` are those that were seen and are not seen any more, but were not checked again either.
    """

    seen: tuple[Symptom, ...]
    repaired: tuple[Symptom, ...]
    unproven: tuple[Symptom, ...]
    wrong: tuple[Symptom, ...]

    @property
    def left(self) -> tuple[Symptom, ...]:
        return (*self.wrong, *self.unproven)

    @property
    def new(self) -> tuple[Symptom, ...]:
        """Return what was not wrong before."""
        known = {s.key for s in self.seen}
        return tuple(s for s in self.wrong if s.key not in known)


def outcome(seen: Sequence[Symptom], after: Diagnosis) -> RepairOutcome:
    """Return how a repair of what was `seen` ended."""
    wrong = list(after.symptoms)
    repaired, unproven = [], []
    for symptom in seen:
        view = after.views.get(symptom.code)
        still = [s for s in view.symptoms if _share(s, symptom)] if view else []
        if proven(symptom, after):
            repaired.append(symptom)
        elif still:
            wrong += [s for s in still if s not in wrong]
        else:
            unproven.append(symptom)
    return RepairOutcome(tuple(seen), tuple(repaired), tuple(unproven), tuple(wrong))


def _share(one: Symptom, other: Symptom) -> bool:
    """Return True if they are about the same subject."""
    return not set(one.subjects).isdisjoint(other.subjects)
