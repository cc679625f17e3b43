"""What is wrong with a country, with what each finding needs, and what of it is proven mended afterwards.

The look is that of `./dive status`: all validators of all phases, the record, the engine and the state; when they find
nothing, people are logged in too. A country stands on its hub, so the hub is looked at beside it.
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

_LOOK, _LOGINS = 20.0, 60.0  # seconds for all checks of a country; it is acted upon, so nobody hurries them
_LOOKS = 2  # what is acted upon was seen twice: a busy machine answers late


@dataclass(frozen=True)
class View:
    """A country as it was looked at, and what is wrong with it."""

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
        """Whether its stack is here to be updated, be it that its state was cut off by a killed run."""
        return self.country.deployed and (self.country.stack is not None or any(s.leftover for s in self.symptoms))


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
        """What concerns the country: its own, and the hub's where the hub stands in the way."""
        return (*self.own.symptoms, *(self.hub.symptoms if self.hub and self.hub_in_the_way else ()))

    @property
    def hub_in_the_way(self) -> bool:
        """An own finding is the hub's to mend, or the hub is broken under a country that has to be updated."""
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
        """Who is being deployed now, of those that would be touched."""
        hub = self.hub if self.hub and self.hub_in_the_way else None
        return next((view for view in (self.own, hub) if view and view.running), None)


def diagnose(code: str) -> Diagnosis:
    """The country and its hub, side by side."""
    exports = [Export(c.lower()) for c in dict.fromkeys((code, HUB_CODE))]
    with ThreadPoolExecutor(max_workers=len(exports)) as side_by_side:
        own, *hub = side_by_side.map(_view, exports, [True, False][: len(exports)])
    return Diagnosis(own, hub[0] if hub else None)


def _view(export: Export, logins: bool) -> View:
    view = view_of(observe(export, deadline=_LOOK))
    for _ in range(_LOOKS - 1):
        if any(s.where in view.country.phases for s in view.symptoms):
            view = view_of(observe(Export(export.stack), deadline=_LOOK))
    return view if view.symptoms or not logins else view_of(_logged_in(view.country))


def _logged_in(country: Snapshot) -> Snapshot:
    """With real logins; where anything else is wrong they would only tell the same again, and count as wrong ones."""
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
    """Whether what was wrong is valid now: looked at again and found so, not merely out of sight."""
    view = after.views.get(symptom.code)
    if view is None or any(s.key == symptom.key for s in view.symptoms):
        return False
    if symptom.where in SOURCES:
        return view.country.problem(symptom.where) is None
    looked = view.country.phases.get(Phase(symptom.where)) if symptom.where in set(Phase) else None
    if looked is None:
        return view.in_reach and not view.country.failed  # of the state and the record, and both have answered
    same = [f for f in looked.findings if f.check == symptom.finding.check]
    if same:
        return all(f.verdict == Verdict.VALID for f in same)
    # Something that should not have been there: there is no finding of what is gone, if everything could be looked at.
    return not view.country.failed and all(f.verdict != Verdict.UNKNOWN for f in looked.findings)
