"""Typed view of a stack's exported state: what each phase declared and proved, and which operations are pending."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dive_infra.checks.spec import Spec, Unreadable, VerificationSpec, load
from dive_infra.config.naming import Names
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.states import Phase

_CHECKPOINTS = ("dynamic/dive:Checkpoint", "dynamic/dive:Verification")


@dataclass(frozen=True)
class CheckpointState:
    """The checkpoint of a completed phase; `completed` is the time (ISO 8601).

    `spec` is what the phase declared, with its secrets; if this program cannot read it, `unreadable` says why.
    """

    phase: Phase
    completed: str
    evidence: str
    spec: Spec | None = field(repr=False)
    unreadable: str = ""


@dataclass(frozen=True)
class ReportState:
    """The verification report: its `text`, and its `path` relative to the program."""

    path: str
    text: str


@dataclass(frozen=True)
class StackState:
    """`store` is the country's own login at the record; `pending` are operations that an update did not complete.

    `mark` is the owner id that this stack writes on its Docker objects; `updated` is when the last update ended.
    `outputs` are those of the stack, without secrets.
    """

    name: str
    resources: int
    updated: datetime | None
    checkpoints: Mapping[Phase, CheckpointState] = field(default_factory=dict[Phase, CheckpointState])
    pending: tuple[str, ...] = ()
    store: DatabaseAccess | None = field(default=None, repr=False)
    mark: str = ""
    program: str = ""  # the version of Pulumi that wrote the state
    report: ReportState | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def code(self) -> str:
        return self.name.upper()

    @property
    def specs(self) -> dict[Phase, Spec]:
        """Return what each completed phase declared, if this program can read it."""
        return {phase: c.spec for phase, c in self.checkpoints.items() if c.spec}

    def spec(self, phase: Phase) -> Any:
        """Return what `phase` declared; None if it was never completed or this program cannot read it."""
        return self.specs.get(phase)

    @property
    def names(self) -> Names | None:
        """Return the names of the country as it was deployed; None before its first phase is completed."""
        for spec in self.specs.values():
            return spec.own.names if isinstance(spec, VerificationSpec) else spec.names
        return None


def read_stack(name: str, state: Mapping[str, Any]) -> StackState:
    """Return the stack `name`; `state` is its exported state with secrets in plain text."""
    deployment = state.get("deployment") or {}
    resources: list[Mapping[str, Any]] = deployment.get("resources") or []
    manifest = deployment.get("manifest") or {}
    ended = manifest.get("time")
    checkpoints = {c.phase: c for c in map(_checkpoint, _of_type(resources, *_CHECKPOINTS))}
    return StackState(
        name,
        len(resources),
        datetime.fromisoformat(ended) if ended and not ended.startswith("0001") else None,
        {phase: checkpoints[phase] for phase in Phase if phase in checkpoints},
        tuple(_operation(p) for p in deployment.get("pending_operations") or []),
        _store(resources),
        next((str(plaintext(r["outputs"]["mark"])) for r in _of_type(resources, "dynamic/dive:StackIdentity")), ""),
        str(manifest.get("version", "")),
        next((_report(r["outputs"]) for r in _of_type(resources, "dynamic/dive:Report")), None),
        next((_open(r["outputs"]) for r in _of_type(resources, "pulumi:pulumi:Stack")), {}),
    )


def declared_specs(state: Mapping[str, Any]) -> dict[Phase, Spec]:
    """Return what each completed phase declared; `state` is exported with secrets in plain text."""
    return read_stack("", state).specs


def _checkpoint(resource: Mapping[str, Any]) -> CheckpointState:
    outputs = {key: plaintext(value) for key, value in resource["outputs"].items() if key != "report"}
    phase = Phase(outputs["phase"])
    try:
        spec, unreadable = load(phase, outputs["spec"]), ""
    except Unreadable as error:
        spec, unreadable = None, str(error)
    return CheckpointState(phase, str(outputs["completed"]), str(outputs["evidence"]), spec, unreadable)


def _report(outputs: Mapping[str, Any]) -> ReportState:
    return ReportState(str(plaintext(outputs["path"])), str(plaintext(outputs["text"])))


def _open(outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in outputs.items() if not (isinstance(value, Mapping) and "plaintext" in value)}


def _store(resources: list[Mapping[str, Any]]) -> DatabaseAccess | None:
    """Return the login of the first checkpoint that has one; the hub's first checkpoints have none."""
    for resource in _of_type(resources, *_CHECKPOINTS):
        if found := plaintext(resource["inputs"].get("store")):
            return DatabaseAccess(**{**found, "port": int(found["port"])})
    return None


def _of_type(resources: list[Mapping[str, Any]], *types: str) -> Iterator[Mapping[str, Any]]:
    return (r for r in resources if r["type"].endswith(types) and r.get("outputs"))


def _operation(pending: Mapping[str, Any]) -> str:
    """Return an operation in words: `creating service-opa-container`."""
    return f"{pending['type']} {pending['resource']['urn'].rsplit('::', 1)[-1]}"


def plaintext(value: Any) -> Any:
    """Return a value of an exported state with every secret in it opened: `{"plaintext": JSON}` becomes its content."""
    if isinstance(value, Mapping):
        if "plaintext" in value:
            return plaintext(json.loads(value["plaintext"]))
        return {key: plaintext(inner) for key, inner in value.items()}
    return [plaintext(inner) for inner in value] if isinstance(value, list) else value
