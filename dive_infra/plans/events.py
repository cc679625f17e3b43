"""Reads the events that `pulumi preview` tells (one JSON object a line) into a plan."""

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

# What the engine does -> what becomes of the resource; the three steps of a replacement are one.
_OPERATIONS: Mapping[str, Operation] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
}
_UNTOUCHED = ("same", "read")

# Kind of resource -> the data that goes with it.
HOLDS: Mapping[str, str] = {
    "DataVolume": "a data volume",
    "Contents": "everything in a data volume",
    "Volume": "a volume",
    "Database": "a database with all its tables",
    "Realm": "a realm with its people, sessions and links",
    "User": "a person's account",
    "TestUsers": "the accounts of the test users",
    "PartnerPeople": "the accounts that came by the link",
    "Seed": "the documents",
    "OrchestrationSchema": "the record of deployments",
    "Secret": "a generated secret, and what only it opens",
    "StackIdentity": "the mark by which a stack knows what it owns",
}

# Property -> what a reader knows it as.
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
_LONGEST = 400  # characters of a value


@dataclass
class _Heard:
    """What the events say, before it is put in order."""

    steps: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict[str, list[Mapping[str, Any]]])
    untouched: set[str] = field(default_factory=set[str])
    messages: list[ProviderMessage] = field(default_factory=list[ProviderMessage])
    errors: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


def plan(lines: Iterable[str], country: str, command: str, fresh: bool, failed: bool, seconds: float) -> UpdatePlan:
    """The plan that the output of `pulumi preview --json`, streamed, tells."""
    heard = _hear(lines)
    reasons = _reasons(heard)
    changes = [_change(urn, steps, reasons) for urn, steps in heard.steps.items()]
    phases = [_phase(phase, heard, changes) for phase in Phase] if heard.steps or heard.untouched else []
    blind = any(m.about in ("unknown", "unchecked") for m in heard.messages)
    situation: Situation = "fresh" if fresh else "state" if blind else "live"
    return UpdatePlan(
        country=country,
        command=command,
        result="failed" if failed else "planned",
        situation=situation,
        changes=counted(changes),
        unchanged=len(heard.untouched - heard.steps.keys()),
        phases=phases,
        others=[c for c in changes if _phase_of(c.urn) is None],
        # What Pulumi calls an error and goes on is a note: a plugin that ended before it was told to.
        notes=[*heard.notes, *([] if failed else map(first_line, heard.errors))],
        errors=heard.errors if failed else [],
        seconds=round(seconds, 1),
    )


def _hear(lines: Iterable[str]) -> _Heard:
    heard, said = _Heard(), list[str]()
    for event in _events(lines):
        step = event.get("resourcePreEvent", {}).get("metadata")
        if step and _lasts(step):
            if step["op"] in _OPERATIONS:
                heard.steps.setdefault(step["urn"], []).append(step)
            elif step["op"] in _UNTOUCHED:
                heard.untouched.add(step["urn"])
        if judged := event.get("policyEvent"):
            violated = heard.errors if judged["enforcementLevel"] == "mandatory" else heard.notes
            violated.append(_violation(judged))
        diagnostic = event.get("diagnosticEvent", {})
        message = _plain(diagnostic.get("message", ""))
        match diagnostic.get("severity"):
            case "error":
                heard.errors.append(message.strip())
            case "warning":
                heard.notes.append(message.strip())
            case "info" | "info#err":
                said.append(message)
    heard.messages = list(provider_messages.parse("".join(said)))
    if unchecked := [m.of for m in heard.messages if m.about == "unchecked"]:
        # Each of them names a cause of its own; their phases show the causes.
        heard.notes.append(f"could not be checked, kept as it was: {', '.join(unchecked)}")
    return heard


def _violation(judged: Mapping[str, Any]) -> str:
    """What a rule of `policy/` found; why there is such a rule is in docs/reference/policies.md."""
    name = judged["resourceUrn"].rpartition("::")[2]
    return f"{name} breaks the rule {judged['policyName']}: {first_line(_plain(judged['message']))}"


def _lasts(step: Mapping[str, Any]) -> bool:
    """Components only group what is in them."""
    return bool((step.get("new") or step.get("old") or {}).get("custom"))


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            yield json.loads(line)


def _plain(message: str) -> str:
    """Without the engine's marks for colours."""
    return re.sub(r"<\{%.*?%\}>", "", message)


def _reasons(heard: _Heard) -> dict[str, list[str]]:
    """urn -> why it is changed; what is told of one resource of a component counts for those beside it too."""
    by_id = {m.of: m.what for m in heard.messages if m.about == "drifted"}
    found: dict[str, list[str]] = {}
    beside: dict[str, list[str]] = {}
    for urn, steps in heard.steps.items():
        state = steps[0].get("old") or {}
        why = by_id.get(f"{_kind(urn)} {state.get('id')}")
        if why:
            found[urn] = [why]
            beside.setdefault(_parent(steps), []).append(why)
    for urn, steps in heard.steps.items():
        if urn not in found and (shared := beside.get(_parent(steps))):
            found[urn] = list(dict.fromkeys(shared))
    return found


def _parent(steps: list[Mapping[str, Any]]) -> str:
    state = steps[0].get("new") or steps[0].get("old") or {}
    return str(state.get("parent", ""))


def _phase(phase: Phase, heard: _Heard, changes: list[PlannedChange]) -> PhasePlan:
    own = [c for c in changes if _phase_of(c.urn) == phase]
    verdicts: tuple[Literal["again", "unknown", "skipped"], ...] = ("again", "unknown", "skipped")
    for about in verdicts:
        if message := next((m for m in heard.messages if m.about == about and m.of == phase), None):
            return PhasePlan(phase=phase, verdict=about, evidence=_evidence(message.what), changes=own)
    ends = [c for c in own if c.kind in ("Checkpoint", "Verification") and c.operation == "create"]
    reason = "" if ends or not own else "depends on what is changed before it"
    return PhasePlan(phase=phase, verdict="new" if ends or not own else "again", evidence=reason, changes=own)


def _evidence(what: str) -> str:
    """As it was told, the properties of a checkpoint by their words."""
    listed = what.removeprefix("changed: ")
    return f"changed: {_worded(listed.split(', '))}" if listed != what else what


def _phase_of(urn: str) -> Phase | None:
    match = _PHASE.search(urn.split("::")[2])
    return Phase(match[1].upper()) if match else None


def _kind(urn: str) -> str:
    """`DataVolume`: the last word of the type."""
    return urn.split("::")[2].rpartition("$")[2].rpartition(":")[2]


def _change(urn: str, steps: list[Mapping[str, Any]], reasons: Mapping[str, list[str]]) -> PlannedChange:
    operations = {_OPERATIONS[step["op"]] for step in steps}
    operation: Operation = "replace" if "replace" in operations else _OPERATIONS[steps[0]["op"]]
    step = next((s for s in steps if s["op"] in ("replace", "update")), steps[0])
    kind = _kind(urn)
    differences = [] if operation == "delete" else _differences(step)
    keys = [] if operation == "create" else list(dict.fromkeys(re.split(r"[.\[]", d.path)[0] for d in differences))
    why = reasons.get(urn) or ([f"changed: {_worded(keys)}"] if keys else _hidden(step, operation))
    return PlannedChange(
        name=urn.rpartition("::")[2],
        kind=kind,
        urn=urn,
        operation=operation,
        why=why,
        holds=HOLDS.get(kind, ""),
        differences=differences,
    )


def _worded(keys: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(_WORDS.get(key, key) for key in keys))


def _hidden(step: Mapping[str, Any], operation: Operation) -> list[str]:
    """A change of which nothing can be shown; why a phase is proven again stands above its checkpoint."""
    inputs = json.dumps((step.get("new") or {}).get("inputs"))
    silent = operation in ("create", "delete") or _kind(step["urn"]) in ("Checkpoint", "Verification")
    return [] if silent or _SECRET not in inputs else ["changed: a property that is kept secret"]


def _differences(step: Mapping[str, Any]) -> list[PropertyChange]:
    before = (step.get("old") or {}).get("inputs") or {}
    after = (step.get("new") or {}).get("inputs") or {}
    found = list(_compared("", before, after))
    seen = {re.split(r"[.\[]", d.path)[0] for d in found}
    # Two secrets look the same; the engine knows that they are not.
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
