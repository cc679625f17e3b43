"""Reads Pulumi's events (one JSON object per line): those of a preview into a plan, of an update its first error."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dive_infra.orchestration.states import Phase
from dive_infra.plans import provider_messages
from dive_infra.plans.plan import Operation, PhasePlan, PlannedChange, PropertyChange, Situation, UpdatePlan, counted
from dive_infra.plans.provider_messages import ProviderMessage
from dive_infra.results.text import first_line

# Step of the engine -> operation in the plan; the three steps of a replacement are one operation.
_OPERATIONS: Mapping[str, Operation] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
}
_UNTOUCHED = ("same", "read")

# Kind of resource -> the data that is lost with it.
HOLDS: Mapping[str, str] = {
    "DataVolume": "a data volume",
    "Contents": "everything in a data volume",
    "Volume": "a volume",
    "Database": "a database with all its tables",
    "Realm": "a realm with its users, sessions and links",
    "User": "a user's account",
    "TestUsers": "the accounts of the test users",
    "PartnerPeople": "the accounts that the link created",
    "Seed": "the documents",
    "OrchestrationSchema": "the record of deployments",
    "Secret": "a generated secret, and what only it opens",
    "StackIdentity": "the mark by which a stack knows what it owns",
}

# Property -> its name in the plan.
_WORDS: Mapping[str, str] = {
    "after": "the phases before it",
    "container_id": "its container",
    "declaration": "what it declares",
    "declared": "what it declares",
    "earlier": "the phases before it",
    "recipe": "what it is built from",
}

_SECRET, _UNKNOWN = "[secret]", "[unknown]"
_UNKNOWN_MARK = re.compile(r"04da6b54-80e4-46f7-96ec-b56ff0331ba9")
_INTERNAL = ("__provider", "__defaults", "__internal")
_PHASE = re.compile(r"dive:phases:([A-Z][a-z]+)")
_COUNTED = re.compile(r"\d+ errors? occurred:")
_BRIDGE = re.compile(r"^sdk-v2/\S+ sdk\.helper_schema: |: provider=\S+$")  # around the errors of a bridged provider
_LONGEST = 400  # characters of a value


@dataclass
class _Output:
    """What the events hold, by kind and in their order."""

    steps: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict[str, list[Mapping[str, Any]]])
    untouched: set[str] = field(default_factory=set[str])
    messages: list[ProviderMessage] = field(default_factory=list[ProviderMessage])
    errors: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


def plan(lines: Iterable[str], country: str, command: str, fresh: bool, failed: bool, seconds: float) -> UpdatePlan:
    """Return the plan in the streamed output of `pulumi preview --json`."""
    output = _read(lines)
    reasons = _reasons(output)
    changes = [_change(urn, steps, reasons) for urn, steps in output.steps.items()]
    phases = [_phase(phase, output, changes) for phase in Phase] if output.steps or output.untouched else []
    blind = any(m.about in ("unknown", "unchecked") for m in output.messages)
    situation: Situation = "fresh" if fresh else "state" if blind else "live"
    return UpdatePlan(
        country=country,
        command=command,
        result="failed" if failed else "planned",
        situation=situation,
        changes=counted(changes),
        unchanged=len(output.untouched - output.steps.keys()),
        phases=phases,
        others=[c for c in changes if _phase_of(c.urn) is None],
        # An error of a preview that succeeds is a note, for example a plugin that exited early.
        notes=[*output.notes, *([] if failed else map(first_line, output.errors))],
        errors=output.errors if failed else [],
        seconds=round(seconds, 1),
    )


@dataclass(frozen=True)
class UpdateError:
    """The error that ended an update, in one line; `phase` is None if it is about no resource of a phase."""

    phase: Phase | None
    cause: str


def first_error(lines: Iterable[str]) -> UpdateError | None:
    """Return the first error about a resource of a phase; without one, the first of all."""
    found = [error for event in _events(lines) if (error := _error(event))]
    return next((error for error in found if error.phase), found[0] if found else None)


def _error(event: Mapping[str, Any]) -> UpdateError | None:
    judged, diagnostic = event.get("policyEvent", {}), event.get("diagnosticEvent", {})
    if judged.get("enforcementLevel") == "mandatory":
        return UpdateError(_phase_of(judged["resourceUrn"]), _violation(judged))
    if diagnostic.get("severity") != "error":
        return None
    return UpdateError(_phase_of(diagnostic.get("urn", "")), _cause(_plain(diagnostic["message"])))


def _cause(message: str) -> str:
    """Return the first line that names a cause; a bridged provider counts its errors first and lists them below."""
    lines = [line.strip() for line in message.strip().splitlines()]
    cause = next((line for line in lines if line and not _COUNTED.fullmatch(line)), "")
    return _BRIDGE.sub("", cause.removeprefix("* "))


def _read(lines: Iterable[str]) -> _Output:
    output, printed = _Output(), list[str]()
    for event in _events(lines):
        step = event.get("resourcePreEvent", {}).get("metadata")
        if step and _lasts(step):
            if step["op"] in _OPERATIONS:
                output.steps.setdefault(step["urn"], []).append(step)
            elif step["op"] in _UNTOUCHED:
                output.untouched.add(step["urn"])
        if judged := event.get("policyEvent"):
            violated = output.errors if judged["enforcementLevel"] == "mandatory" else output.notes
            violated.append(_violation(judged))
        diagnostic = event.get("diagnosticEvent", {})
        message = _plain(diagnostic.get("message", ""))
        match diagnostic.get("severity"):
            case "error":
                output.errors.append(message.strip())
            case "warning":
                output.notes.append(message.strip())
            case "info" | "info#err":
                printed.append(message)
    output.messages = list(provider_messages.parse("".join(printed)))
    if unchecked := [m.of for m in output.messages if m.about == "unchecked"]:
        # One note for all of them: the phases show the causes.
        output.notes.append(provider_messages.all_unchecked(unchecked))
    return output


def _violation(judged: Mapping[str, Any]) -> str:
    """Return what a rule of `policy/` found; docs/reference/policies.md gives the reasons of the rules."""
    name = judged["resourceUrn"].rpartition("::")[2]
    return f"{name} breaks the rule {judged['policyName']}: {first_line(_plain(judged['message']))}"


def _lasts(step: Mapping[str, Any]) -> bool:
    """Return whether the step is about a resource; a component only groups resources."""
    return bool((step.get("new") or step.get("old") or {}).get("custom"))


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            yield json.loads(line)


def _plain(message: str) -> str:
    """Return the message without the engine's colour marks."""
    return re.sub(r"<\{%.*?%\}>", "", message)


def _reasons(output: _Output) -> dict[str, list[str]]:
    """Return URN -> why it changes. A reason for one resource counts for the others of its component too."""
    by_id = {m.of: m.what for m in output.messages if m.about == "drifted"}
    found: dict[str, list[str]] = {}
    beside: dict[str, list[str]] = {}
    for urn, steps in output.steps.items():
        state = steps[0].get("old") or {}
        why = by_id.get(f"{_kind(urn)} {state.get('id')}")
        if why:
            found[urn] = [why]
            beside.setdefault(_parent(steps), []).append(why)
    for urn, steps in output.steps.items():
        if urn not in found and (shared := beside.get(_parent(steps))):
            found[urn] = list(dict.fromkeys(shared))
    return found


def _parent(steps: list[Mapping[str, Any]]) -> str:
    state = steps[0].get("new") or steps[0].get("old") or {}
    return str(state.get("parent", ""))


def _phase(phase: Phase, output: _Output, changes: list[PlannedChange]) -> PhasePlan:
    own = [c for c in changes if _phase_of(c.urn) == phase]
    verdicts: tuple[Literal["again", "unknown", "skipped"], ...] = ("again", "unknown", "skipped")
    for about in verdicts:
        if message := next((m for m in output.messages if m.about == about and m.of == phase), None):
            return PhasePlan(phase=phase, verdict=about, evidence=_evidence(message.what), changes=own)
    ends = [c for c in own if c.kind in ("Checkpoint", "Verification") and c.operation == "create"]
    reason = "" if ends or not own else "depends on what is changed before it"
    return PhasePlan(phase=phase, verdict="new" if ends or not own else "again", evidence=reason, changes=own)


def _evidence(what: str) -> str:
    """Return the evidence or the reason, with the changed properties by their names in the plan."""
    keys = provider_messages.changed_properties(what)
    return provider_messages.changed(_worded(keys)) if keys else what


def _phase_of(urn: str) -> Phase | None:
    match = _PHASE.search(urn.split("::")[2]) if urn else None
    return Phase(match[1].upper()) if match else None


def _kind(urn: str) -> str:
    """Return the last word of the type: `DataVolume`."""
    return urn.split("::")[2].rpartition("$")[2].rpartition(":")[2]


def _change(urn: str, steps: list[Mapping[str, Any]], reasons: Mapping[str, list[str]]) -> PlannedChange:
    operations = {_OPERATIONS[step["op"]] for step in steps}
    operation: Operation = "replace" if "replace" in operations else _OPERATIONS[steps[0]["op"]]
    step = next((s for s in steps if s["op"] in ("replace", "update")), steps[0])
    kind = _kind(urn)
    differences = [] if operation == "delete" else _differences(step)
    keys = [] if operation == "create" else list(dict.fromkeys(re.split(r"[.\[]", d.path)[0] for d in differences))
    why = reasons.get(urn) or ([provider_messages.changed(_worded(keys))] if keys else _hidden(step, operation))
    return PlannedChange(
        name=urn.rpartition("::")[2],
        kind=kind,
        urn=urn,
        operation=operation,
        why=why,
        holds=HOLDS.get(kind, ""),
        differences=differences,
    )


def _worded(keys: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(_WORDS.get(key, key) for key in keys)


def _hidden(step: Mapping[str, Any], operation: Operation) -> list[str]:
    """Return the reason of a change with no property to show. A phase shows the reason for its checkpoint."""
    inputs = json.dumps((step.get("new") or {}).get("inputs"))
    silent = operation in ("create", "delete") or _kind(step["urn"]) in ("Checkpoint", "Verification")
    return [] if silent or _SECRET not in inputs else [provider_messages.changed(["a property that is kept secret"])]


def _differences(step: Mapping[str, Any]) -> list[PropertyChange]:
    before = (step.get("old") or {}).get("inputs") or {}
    after = (step.get("new") or {}).get("inputs") or {}
    found = list(_compared("", before, after))
    seen = {re.split(r"[.\[]", d.path)[0] for d in found}
    # Two secrets are shown alike; only the engine knows that they differ.
    hidden = [k for k in step.get("diffs") or [] if k not in (*seen, *_INTERNAL) and (k in before or k in after)]
    return [*found, *(PropertyChange(path=k, before=_shown(before.get(k)), after=_shown(after.get(k))) for k in hidden)]


def _compared(path: str, before: Any, after: Any) -> Iterator[PropertyChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(k for k in after if k not in before)]:
            if key not in _INTERNAL:
                yield from _compared(f"{path}.{key}" if path else key, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _compared(f"{path}[{place}]", one, other)
    else:
        yield PropertyChange(path=path, before=_shown(before), after=_shown(after))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    text = _UNKNOWN_MARK.sub(_UNKNOWN, text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
