"""The reports of `./dive status` and `./dive doctor` as data: versioned, with JSON schemas in `schemas/`."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Verdict
from dive_infra.results.report_part import ReportPart

Health = Literal["healthy", "degraded", "unhealthy", "unknown", "none"]  # none: not deployed
# The states of the record, and those that only an observation shows.
DeploymentState = Literal[
    "COMPLETE", "PARTIAL", "FAILED", "RUNNING", "INTERRUPTED", "NOT_DEPLOYED", "ROLLING_BACK", "CLEANUP", "UNKNOWN"
]
Severity = Literal["error", "warning", "unknown"]


class DeploymentStatus(ReportPart):
    """The first axis: how far the deployment is. `age` is how long that has been so, in seconds.

    `holder` is who deploys it now, or did when it was interrupted; `phase` is where, or where it failed; `updated` is
    when the last update of Pulumi ended.
    """

    state: DeploymentState
    detail: str = ""
    age: float | None = None
    holder: str = ""
    phase: str = ""
    updated: datetime | None = None
    resources: int = 0


class PhaseStatus(ReportPart):
    """A phase: its checkpoint, and what its validator finds now (`now` is null if nothing can be validated).

    `age` and `seconds` are in seconds; of `checks` findings, `valid` hold. `note` says what will happen to the phase,
    or what its valid findings point out.
    """

    phase: Phase
    recorded: str
    age: float | None = None
    evidence: str = ""
    run: str = ""
    now: Verdict | None = None
    checks: int = 0
    valid: int = 0
    seconds: float = 0.0
    note: str = ""


class ContainerStatus(ReportPart):
    service: str
    name: str
    state: str
    healthy: bool
    restarts: int
    service_class: str
    declared: bool


class LinkStatus(ReportPart):
    """Users from `source` at `target`; `age` since the last proven login, null for never; `seconds` it took."""

    source: str
    target: str
    alias: str
    status: str
    age: float | None
    seconds: float | None
    error: str = ""


class MemberStatus(ReportPart):
    """What a partner last said about itself in its signed status, `age` seconds ago."""

    code: str = Field(pattern="^[A-Z]{3}$")
    state: str
    age: float


class RotationStatus(ReportPart):
    """A rotation of the coalition's CA or of a country's keys: the `next` step, and whom it waits for, code -> why."""

    next: str
    waiting: dict[str, str]


class Problem(ReportPart):
    """Something that is not as it should be: `check` is what should be so, `next` the command that fixes it.

    `code` is a number of docs/reference/errors.md; `title` says what is wrong in one sentence, for people.
    """

    severity: Severity
    where: str
    check: str
    expected: str
    found: str
    next: str
    code: int | None
    title: str = Field(exclude=True)


class CollectingError(ReportPart):
    """A source that did not answer: this says nothing about the country."""

    source: str
    cause: str
    next: str


class CountryStatus(ReportPart):
    code: str = Field(pattern="^[A-Z]{3}$")
    name: str
    deployment: DeploymentStatus
    health: Health
    phases: list[PhaseStatus]
    containers: list[ContainerStatus]
    links: list[LinkStatus]
    members: list[MemberStatus] = []
    cut: list[str] = []
    rotation: RotationStatus | None = None
    keys: RotationStatus | None = None
    problems: list[Problem]
    collecting: list[CollectingError]
    seconds: float = Field(ge=0)


class StatusReport(ReportPart):
    """`exit_code` is that of the command."""

    version: Literal[1] = 1
    at: datetime
    seconds: float = Field(ge=0)
    exit_code: int
    countries: list[CountryStatus]


class CheckReport(ReportPart):
    """A check and its verdict: `check` states the wanted condition; `findings` counts what was checked.

    An invalid check with `warning` stops nothing. `link` leads to the page that explains `code`; `title` says
    what holds or what is wrong, for people.
    """

    check: str
    answer: Verdict
    warning: bool
    found: str
    expected: str
    next: str
    code: int | None
    link: str
    findings: int = 1
    seconds: float = Field(ge=0)
    title: str = Field(exclude=True)


class GroupReport(ReportPart):
    title: str
    seconds: float = Field(ge=0)
    checks: list[CheckReport]


class PatientReport(ReportPart):
    code: str = Field(pattern="^[A-Z]{3}$")
    name: str
    groups: list[GroupReport]


class DoctorReport(ReportPart):
    """`exit_code` is that of the command."""

    version: Literal[1] = 1
    at: datetime
    seconds: float = Field(ge=0)
    exit_code: int
    countries: list[PatientReport]


def json_schema(model: type[BaseModel], title: str) -> dict[str, object]:
    """Return the JSON schema of a report, as in `schemas/`."""
    made = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": title}
