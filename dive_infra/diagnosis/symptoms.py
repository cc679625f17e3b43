"""What is wrong with a country: every finding that is not valid, with where it was found and who fixes it.

Every rule yields what it examined, valid or not. A repair is proven by that alone: what is absent from the second
examination was not examined, and is never taken for repaired.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dive_infra.automation.stack_state import CheckpointState
from dive_infra.checks import connectivity, report
from dive_infra.checks.spec import VerificationSpec, fingerprint
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.paths import ROOT, stack_file
from dive_infra.diagnosis.deployment_state import deployment_state
from dive_infra.diagnosis.snapshot import Snapshot, Source
from dive_infra.diagnosis.status_report import DeploymentStatus, Severity
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.results.codes import Code, code_of
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import UP, Remedy, RemedyKind
from dive_infra.results.text import first_line

# PREFLIGHT may fail while all services work: it serves no users.
_SERVES_NO_USERS = frozenset({Phase.PREFLIGHT})

SOURCES: dict[Source, str] = {
    "state": "the stack's state can be read",
    "engine": "the Docker engine answers",
    "record": "the record answers",
}


@dataclass(frozen=True)
class Subject:
    """What was examined: the sentence `check` at the place `where`, by the check with the sentence `source`."""

    where: str
    check: str
    source: str


@dataclass(frozen=True)
class Symptom:
    """A finding about the country `code` that is not valid.

    `where` is a phase, a source of `SOURCES`, or `deployment`, `links` or `report`. `others` are other subjects with
    the same cause. A `stale` one comes from what a dead run left in Pulumi. `summary` is a better title than the
    finding's own.
    """

    code: str
    where: str
    finding: Finding
    severity: Severity
    others: tuple[Subject, ...] = ()
    stale: bool = False
    summary: str = ""

    @property
    def check(self) -> str:
        more = len({other.check for other in self.others} - {self.finding.check})
        return self.finding.check + (f" (and {more} more)" if more else "")

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Return everything that must be examined again, and be valid, before the symptom counts as repaired."""
        return (subject(self.where, self.finding), *self.others)

    @property
    def title(self) -> str:
        """Return what is wrong, in one sentence."""
        return self.summary or replace(self.finding, check=self.check).statement

    @property
    def found(self) -> str:
        return self.finding.found

    @property
    def number(self) -> Code | None:
        """Return the error code."""
        return self.finding.code

    @property
    def next(self) -> str:
        """Return the command for the operator."""
        return self.finding.remedy.command(self.code) or f"./dive doctor {self.code}"

    @property
    def by(self) -> str:
        """Return the country whose update fixes it; empty if an operator must decide or act."""
        fixed_by = self.finding.remedy.fixed_by(self.code)
        if self.where in ("deployment", "engine"):  # an update finds out what is left to do
            return self.code
        asked_at_hub = self.where == "record" and self.finding.remedy.kind != RemedyKind.WAIT
        return fixed_by or HUB_CODE if asked_at_hub else fixed_by

    @property
    def source(self) -> bool:
        """Return True if a source did not answer, which says nothing about the country."""
        return self.where in SOURCES

    @property
    def refresh(self) -> bool:
        """Return True if only a refresh sees it."""
        return self.finding.remedy.kind == RemedyKind.REFRESH

    @property
    def unknown(self) -> bool:
        return self.finding.verdict == Verdict.UNKNOWN

    @property
    def advisory(self) -> bool:
        """Return True if it stops nothing."""
        return self.finding.advisory

    @property
    def cuts_off(self) -> bool:
        """Return True if containers cannot reach each other: everything else may follow, and no update can succeed."""
        return self.finding.source == connectivity.SENTENCE

    @property
    def key(self) -> tuple[str, str, str]:
        return self.code, self.where, self.finding.check

    @property
    def blocks(self) -> bool:
        """Return True if an update of the country stops at it: the first phases come before all others."""
        return not (self.unknown or self.advisory) and self.where in (Phase.PREFLIGHT, Phase.INITIALIZATION)


def subject(where: str, finding: Finding) -> Subject:
    return Subject(where, finding.check, finding.source or finding.check)


def _examined(where: str, sentence: str) -> Subject:
    """Return a subject that a rule of this module has examined itself, and found valid."""
    return Subject(where, sentence, sentence)


@dataclass(frozen=True)
class Examination:
    """What is wrong with a country, and the subjects that were examined and found valid."""

    symptoms: tuple[Symptom, ...]
    valid: frozenset[Subject]
    results: Mapping[tuple[str, str], bool]  # (where, source) -> whether all that the check reported is valid

    def proves(self, wanted: Subject) -> bool:
        """Return True if it was examined and is valid.

        What should not exist has no finding of its own once it is removed: then everything that the same check
        reports must be valid.
        """
        return wanted in self.valid or self.results.get((wanted.where, wanted.source), False)


Seen = Symptom | Subject  # a subject alone was examined and is valid


def examine(country: Snapshot) -> Examination:
    """Examine everything that can be; the cause of the others comes first, then sources that did not answer."""
    deployment = deployment_state(country)
    seen = [
        *_sources(country),
        *_unfinished(country, deployment),
        *_validators(country, deployment.state == "RUNNING"),
        *_declarations(country),
        *_disagreements(country, deployment),
        *_links(country),
        *_report(country),
    ]
    found = tuple(sorted((one for one in seen if isinstance(one, Symptom)), key=lambda one: not one.cuts_off))
    valid = {one for one in seen if isinstance(one, Subject)}
    results: dict[tuple[str, str], bool] = {}
    for phase, validation in country.phases.items():
        for finding in validation.findings:
            here, is_valid = subject(phase, finding), finding.verdict == Verdict.VALID
            key = (here.where, here.source)
            results[key] = is_valid and results.get(key, True)
            if is_valid:
                valid.add(here)
    refuted = {one for symptom in found for one in symptom.subjects}
    return Examination(found, frozenset(valid - refuted), results)


def symptoms(country: Snapshot) -> tuple[Symptom, ...]:
    """Return everything that is not as it should be."""
    return examine(country).symptoms


def _sources(country: Snapshot) -> Iterator[Seen]:
    for source, answered in country.answered.items():
        if answered:
            yield _examined(source, SOURCES[source])
    for failed in country.failed:
        finding = Finding(SOURCES[failed.source], Verdict.UNKNOWN, found=failed.cause, remedy=failed.remedy)
        stale = failed.source == "state" and failed.remedy.kind.automatic
        yield Symptom(country.code, failed.source, finding, "unknown", stale=stale)


def _unfinished(country: Snapshot, deployment: DeploymentStatus) -> Iterator[Seen]:
    """Yield what the deployment itself left undone."""
    up = Remedy.update(country.code)
    sentence = f"the deployment of {country.code} is complete"

    def symptom(found: str, remedy: Remedy, code: Code | None, title: str = "") -> Symptom:
        finding = Finding(sentence, Verdict.INVALID, State.COMPLETE, found, remedy, code=code)
        in_pulumi = bool(country.updates or (country.stack and country.stack.pending))
        return Symptom(country.code, "deployment", finding, "error", stale=in_pulumi, summary=title or found)

    if deployment.state == State.COMPLETE:
        yield _examined("deployment", sentence)
    if deployment.state == "NOT_DEPLOYED":
        known = stack_file(country.code.lower()).exists()
        yield symptom(deployment.detail, up if known else Remedy.run(f"./dive new {country.code}"), None)
    if deployment.state == "INTERRUPTED":
        stale = any(u.live is False for u in country.updates)
        who = f": {deployment.holder}" if deployment.holder else ""
        unlock = Remedy.update(country.code, f"pulumi cancel -s {country.code.lower()} --yes, then {UP}")
        yield symptom(f"interrupted, {deployment.detail}{who}", unlock if stale else up, Code.INTERRUPTED)
    if deployment.state in ("FAILED", "PARTIAL", "ROLLING_BACK", "CLEANUP"):
        failure = next(iter(country.record.failures), None) if country.record else None
        cause = first_line(failure.message) if failure else deployment.detail
        code = (code_of(failure.code) if failure else None) or Code.CHANGE_FAILED
        remedy = Remedy.run(failure.remedy) if failure and failure.remedy else up
        yield symptom(f"{deployment.state}: {cause}", remedy, code, _past(country, deployment.state, cause))
    if deployment.state == "UNKNOWN" and country.record:
        yield symptom(deployment.detail, up, Code.RECORD_MISMATCH)


def _past(country: Snapshot, state: str, cause: str) -> str:
    """Return how the last run ended, with its cause unless the validators show that now."""
    ended = f"the last run ended {state.replace('_', ' ')}"
    present = {
        f.statement for validation in country.phases.values() for f in validation.findings if f.verdict != Verdict.VALID
    }
    return ended if not cause or cause in present else f"{ended}; its cause at that time: {cause}"


def _validators(country: Snapshot, running: bool) -> Iterator[Symptom]:
    """Yield what the validators found: once for each check, or for each cause of what could not be checked.

    The lock is part of the deployment's state, and a source that did not answer is a symptom of its own.
    """
    known = {f.cause for f in country.failed}
    groups: dict[tuple[str, str], list[tuple[Phase, Finding]]] = {}
    for phase, validation in country.phases.items():
        for finding in validation.findings:
            if finding.verdict == Verdict.VALID or finding.found in known or (running and finding.topic == "lock"):
                continue
            key = ("", finding.found) if finding.verdict == Verdict.UNKNOWN else (finding.check, finding.found)
            groups.setdefault(key, []).append((phase, finding))
    for group in groups.values():
        yield _of_validator(country, group)


def _declarations(country: Snapshot) -> Iterator[Seen]:
    """Yield whether this program can read what each phase declared."""
    for phase, checkpoint in (country.stack.checkpoints if country.stack else {}).items():
        sentence = f"what {phase} declared can be read"
        if not checkpoint.unreadable:
            yield _examined(phase, sentence)
        else:
            finding = Finding(
                sentence,
                Verdict.UNKNOWN,
                "a declaration of this version",
                checkpoint.unreadable,
                Remedy.update(country.code),
                code=Code.DECLARATION_UNREADABLE,
            )
            title = f"could not check {phase}: {checkpoint.unreadable}"
            yield Symptom(country.code, phase, finding, "unknown", summary=title)


def _of_validator(country: Snapshot, group: Sequence[tuple[Phase, Finding]]) -> Symptom:
    (phase, finding), *others = group
    mild = finding.advisory or finding.undeclared or phase in _SERVES_NO_USERS
    severity: Severity = "unknown" if finding.verdict == Verdict.UNKNOWN else "warning" if mild else "error"
    return Symptom(country.code, phase, finding, severity, tuple(subject(*other) for other in others))


def _disagreements(country: Snapshot, deployment: DeploymentStatus) -> Iterator[Seen]:
    """Yield where the record and the state differ, unless a deployment is changing both."""
    record, stack = country.record, country.stack
    if not record or not stack or deployment.state in ("RUNNING", "INTERRUPTED", "FAILED"):
        return
    for phase in Phase:
        checkpoint, step = stack.checkpoints.get(phase), record.steps.get(phase)
        expected, found = _compared(checkpoint, step.status if step else None, step.fingerprint if step else "")
        sentence = f"{phase} is recorded as deployed"
        if found == expected:
            yield _examined(phase, sentence)
        else:
            title = f"the record disagrees with the state: {found}; expected {expected}"
            yield _warning(country, phase, sentence, expected, found, Code.RECORD_MISMATCH, title)


def _warning(country: Snapshot, where: str, check: str, expected: str, found: str, code: Code, title: str) -> Symptom:
    finding = Finding(check, Verdict.INVALID, expected, found, Remedy.update(country.code), code=code)
    return Symptom(country.code, where, finding, "warning", summary=title)


def _compared(checkpoint: CheckpointState | None, status: Status | None, recorded: str) -> tuple[str, str]:
    """Return what the record should say about a phase, and what it says."""
    if checkpoint is None:
        return "a checkpoint", "none in the state"
    if status != Status.COMPLETED or not checkpoint.spec:
        return Status.COMPLETED, status or "no record" if status != Status.COMPLETED else Status.COMPLETED
    return f"declaration {fingerprint(checkpoint.spec)}", f"declaration {recorded}"


def _links(country: Snapshot) -> Iterator[Seen]:
    """Yield every link without a proven login, of those that the country's own deployment proves."""
    spec = country.stack.spec(Phase.VERIFICATION) if country.stack else None
    if not country.record or not isinstance(spec, VerificationSpec):
        return
    links = {(link.source, link.target): link for link in country.record.links}
    for partner in (p.names.country.code for p in spec.partners):
        for source, target in ((country.code, partner), (partner, country.code)):
            link = links.get((source, target))
            check = f"users from {source} can log in at {target}"
            if link is None or link.status != "ACTIVE" or link.age is None:
                found = f"{link.status}: {link.error}" if link else "never proven"
                title = f"login of users from {source} at {target}: {found}"
                yield _warning(country, "links", check, "a proven login", found, Code.LINK_NOT_PROVEN, title)
            else:
                yield _examined("links", check)


def _report(country: Snapshot) -> Iterator[Seen]:
    """Yield a verification report that is not the one that was written: nothing decides by it, but people read it."""
    written = country.stack.report if country.stack else None
    if written is None:
        return
    check = "the verification report is the one that was written"
    off = report.judge(ROOT / written.path, written.text)
    if off:
        title = f"the verification report {written.path} {off}"
        yield _warning(country, "report", check, written.path, off, Code.LOCAL_FILE, title)
    else:
        yield _examined("report", check)
