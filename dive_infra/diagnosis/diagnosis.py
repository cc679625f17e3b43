"""Diagnose a country for a repair: its symptoms and its hub's, and which of them are proven fixed afterwards.

The observation is that of `./dive status`; if it finds nothing wrong, users are logged in too. A country depends on its
hub, so the hub is observed as well.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dive_infra.automation.state_export import Export
from dive_infra.checks import runner, verification
from dive_infra.checks.spec import VerificationSpec
from dive_infra.config.countries import HUB_CODE
from dive_infra.diagnosis.snapshot import Snapshot, observe
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import CountryStatus
from dive_infra.diagnosis.symptoms import SOURCES, Symptom, symptoms
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
        named = any(s.by == HUB_CODE or s.where == "record" for s in self.own.symptoms)
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


def diagnose(code: str) -> Diagnosis:
    """Diagnose the country and its hub, side by side."""
    exports = [Export(c.lower()) for c in dict.fromkeys((code, HUB_CODE))]
    with ThreadPoolExecutor(max_workers=len(exports)) as side_by_side:
        own, *hub = side_by_side.map(_view, exports, [True, False][: len(exports)])
    return Diagnosis(own, hub[0] if hub else None)


def _view(export: Export, logins: bool) -> View:
    view = view_of(observe(export, deadline=_CHECKS))
    for _ in range(_OBSERVATIONS - 1):
        if any(s.where in view.country.phases for s in view.symptoms):
            view = view_of(observe(Export(export.stack), deadline=_CHECKS))
    return view if view.symptoms or not logins else view_of(_logged_in(view.country))


def _logged_in(country: Snapshot) -> Snapshot:
    """Add real logins. If anything else is wrong they would only report it again, and count as failed logins."""
    spec = country.stack.spec(Phase.VERIFICATION) if country.stack else None
    if not isinstance(spec, VerificationSpec):
        return country
    proven = runner.settle(verification.logins(spec), _LOGINS, again=(Verdict.UNKNOWN,))
    before = country.phases[Phase.VERIFICATION]
    both = runner.Validation((*before.findings, *proven.findings), before.seconds + proven.seconds)
    return replace(country, phases={**country.phases, Phase.VERIFICATION: both})


def view_of(country: Snapshot) -> View:
    found = tuple(symptoms(country))
    return View(country, judge(country, found), found)


def proven(symptom: Symptom, after: Diagnosis) -> bool:
    """Return True if the symptom was checked again and found valid, not merely not found."""
    view = after.views.get(symptom.code)
    if view is None or any(s.key == symptom.key for s in view.symptoms):
        return False
    if symptom.where in SOURCES:
        return view.country.problem(symptom.where) is None
    validation = view.country.phases.get(Phase(symptom.where)) if symptom.where in set(Phase) else None
    if validation is None:
        return view.in_reach and not view.country.failed  # from the state and the record, and both have answered
    same = [f for f in validation.findings if f.check == symptom.finding.check]
    if same:
        return all(f.verdict == Verdict.VALID for f in same)
    # What should not exist has no finding once it is removed, provided that everything could be checked.
    return not view.country.failed and all(f.verdict != Verdict.UNKNOWN for f in validation.findings)
