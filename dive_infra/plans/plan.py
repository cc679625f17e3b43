"""The plan of an update as data, for people and for CI; its JSON schema is `schemas/preview.json`.

It holds no secrets: Pulumi shows each as `[secret]`. A value that is not known yet is `[unknown]`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from dive_infra.orchestration.states import Phase
from dive_infra.results.report_part import ReportPart

Operation = Literal["create", "update", "replace", "delete"]
OPERATIONS: tuple[Operation, ...] = ("create", "update", "replace", "delete")
_ORDER = ("delete", "replace", "update", "create")
_LISTED = 8  # resources to create that are listed; more are counted

# live: every resource was checked; state: something was out of reach, and is planned from the state; fresh: without a
# state, this is the plan of a first deployment
Situation = Literal["live", "state", "fresh"]


class PropertyChange(ReportPart):
    """One property: `before` is empty if it is new, `after` if it is removed."""

    path: str
    before: str
    after: str


class PlannedChange(ReportPart):
    """What happens to one resource. `holds`: the data in it, empty for most; `why`: reported or derived reasons."""

    name: str
    kind: str
    urn: str
    operation: Operation
    why: list[str] = []
    holds: str = ""
    differences: list[PropertyChange] = []

    @property
    def loses(self) -> bool:
        """Return whether data is lost with it."""
        return bool(self.holds) and self.operation in ("replace", "delete")


class PhasePlan(ReportPart):
    """`verdict`: `skipped` as it is valid now, with its `evidence`; `unknown`, with what could not be checked;
    `again`, with the reason to prove it again; or `new`."""

    phase: Phase
    verdict: Literal["skipped", "unknown", "again", "new"]
    evidence: str = ""
    changes: list[PlannedChange] = []

    @property
    def listed(self) -> list[PlannedChange]:
        """Return what gets a line: losses first, then by operation. Many creations are only counted."""
        shown = [c for c in self.changes if c.operation != "create" or not self._many]
        return sorted(shown, key=lambda c: (not c.loses, _ORDER.index(c.operation)))

    @property
    def counted(self) -> str:
        """Return the rest: `42 to create: 9 Container, 9 Gate`."""
        if not self._many:
            return ""
        created = Counter(c.kind for c in self.changes if c.operation == "create")
        return f"{created.total()} to create: {', '.join(f'{n} {kind}' for kind, n in created.most_common())}"

    @property
    def _many(self) -> bool:
        return sum(c.operation == "create" for c in self.changes) > _LISTED


class UpdatePlan(ReportPart):
    """The plan of one country. `command` carries it out; `seconds` is how long the preview took."""

    country: str = Field(pattern="^[A-Z]{3}$")
    command: str
    result: Literal["planned", "failed"]
    situation: Situation
    changes: dict[Operation, int]
    unchanged: int
    phases: list[PhasePlan] = []
    others: list[PlannedChange] = []  # of no phase
    notes: list[str] = []
    errors: list[str] = []
    seconds: float = Field(ge=0)

    @property
    def all_changes(self) -> list[PlannedChange]:
        return [*(c for p in self.phases for c in p.changes), *self.others]

    @property
    def losses(self) -> list[PlannedChange]:
        return [c for c in self.all_changes if c.loses]


class Preview(ReportPart):
    """The output of `./dive preview --json`."""

    version: Literal[1] = 1
    plans: list[UpdatePlan]


def counted(changes: Sequence[PlannedChange]) -> dict[Operation, int]:
    found = Counter(c.operation for c in changes)
    return {operation: found[operation] for operation in OPERATIONS}


def json_schema() -> dict[str, object]:
    """Return the JSON schema of the preview, as in `schemas/preview.json`."""
    made = Preview.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "DIVE preview"}
