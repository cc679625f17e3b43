"""The plan of an update as data, for people and for gates; its JSON schema stands in `schemas/preview.json`.

Nothing in it is secret: Pulumi puts `[secret]` in the place of every one, and what is not known yet is `[unknown]`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dive_infra.orchestration.states import Phase

Operation = Literal["create", "update", "replace", "delete"]
OPERATIONS: tuple[Operation, ...] = ("create", "update", "replace", "delete")
_ORDER = ("delete", "replace", "update", "create")
_LISTED = 8  # more resources that are only created are counted

# live: everything was looked at; state: something was out of reach, and is planned as it was left; fresh: there is no
# state here, so this is the plan of a first deployment
Situation = Literal["live", "state", "fresh"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PropertyChange(_Part):
    """One property: `before` is empty when it is new, `after` when it goes."""

    path: str
    before: str
    after: str


class PlannedChange(_Part):
    """What is done to one resource. `holds`: the data in it, empty for most; `why`: the reasons, told or seen."""

    name: str
    kind: str
    urn: str
    operation: Operation
    why: list[str] = []
    holds: str = ""
    differences: list[PropertyChange] = []

    @property
    def loses(self) -> bool:
        """Whether data goes with it."""
        return bool(self.holds) and self.operation in ("replace", "delete")


class PhasePlan(_Part):
    """`verdict`: skipped as it is valid now, with its `evidence`; unknown, with what could not be looked at; to be
    proven again, with the reason; or new."""

    phase: Phase
    verdict: Literal["skipped", "unknown", "again", "new"]
    evidence: str = ""
    changes: list[PlannedChange] = []

    @property
    def listed(self) -> list[PlannedChange]:
        """What is worth a line: what loses data first, then by operation; much that is created is only counted."""
        shown = [c for c in self.changes if c.operation != "create" or not self._many]
        return sorted(shown, key=lambda c: (not c.loses, _ORDER.index(c.operation)))

    @property
    def counted(self) -> str:
        """The rest: `42 to create: 9 Container, 9 Gate`."""
        if not self._many:
            return ""
        created = Counter(c.kind for c in self.changes if c.operation == "create")
        return f"{created.total()} to create: {', '.join(f'{n} {kind}' for kind, n in created.most_common())}"

    @property
    def _many(self) -> bool:
        return sum(c.operation == "create" for c in self.changes) > _LISTED


class UpdatePlan(_Part):
    """The plan of one country. `command` does what is announced; `seconds` is how long the preview took."""

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


class Preview(_Part):
    """What `./dive preview --json` writes."""

    version: Literal[1] = 1
    plans: list[UpdatePlan]


def counted(changes: Sequence[PlannedChange]) -> dict[Operation, int]:
    found = Counter(c.operation for c in changes)
    return {operation: found[operation] for operation in OPERATIONS}


def json_schema() -> dict[str, object]:
    """The JSON schema of the preview as it stands in `schemas/preview.json`."""
    made = Preview.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "DIVE preview"}
