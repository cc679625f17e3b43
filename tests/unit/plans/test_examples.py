"""The comments that a page shows: what they say of today's program, from the resources that it declares."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from dive_infra.checks import phases
from dive_infra.checks.runner import Validation
from dive_infra.checks.spec import load
from dive_infra.orchestration.states import Phase
from dive_infra.plans import comment, provider_messages
from dive_infra.plans.events import plan
from dive_infra.results.finding import Finding, Verdict
from tests.support import members
from tests.unit.diagnosis.situations import held
from tests.unit.plans.events import said
from tests.unit.test_program import register

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # as the engine sends what a preview does not know
SIGN = "4dabf18193072939515e22adb298388d"  # of a secret
EARLY = {Phase.PREFLIGHT, Phase.INITIALIZATION}  # recorded by DEPLOYMENT
VARYING = ("declaration", "earlier", "after")  # inputs
RANDOM = re.compile("-----BEGIN|dive-request-v1|^[A-Za-z0-9+/]{43}=$")  # a certificate, a request, a public key
ENDS = ("Checkpoint", "Verification")
Resources = Mapping[str, Any]  # URN -> registration


@pytest.fixture(autouse=True)
def _the_same_files_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests, certificates and documents have random parts, which would be changes."""
    requests, certificates, documents = dict[str, Any](), dict[str, str](), list[Any]()
    ask, certify, issue = members.request_of, members.authority.certificate_for, members.issue
    monkeypatch.setattr(members, "issue", lambda *given: (documents.append(issue(*given)), documents[0])[1])
    monkeypatch.setattr(members, "request_of", lambda n, *rest: requests.setdefault(n.country.code, ask(n, *rest)))
    monkeypatch.setattr(
        members.authority,
        "certificate_for",
        lambda request, code, *rest: certificates.setdefault(code, certify(request, code, *rest)),
    )


def inputs(registration: Any) -> dict[str, Any]:
    """Return the inputs of a resource, with secrets as they are."""
    found: dict[str, Any] = MessageToDict(registration.object)
    return found


def shown(value: Any, name: str = "") -> Any:
    """Return inputs as the engine shows them; what is random, or depends on it, as `…`."""
    if isinstance(value, list):
        return [shown(inner, name) for inner in value]
    if name in VARYING:
        return "…"
    if isinstance(value, dict):
        return "[secret]" if SIGN in value else {key: shown(value[key], key) for key in sorted(value)}
    if isinstance(value, str) and RANDOM.search(value):
        return "…"
    return int(value) if isinstance(value, float) and value.is_integer() else value


def kind(urn: str) -> str:
    return urn.split("::")[2].rpartition(":")[2]


def name(urn: str) -> str:
    return urn.rpartition("::")[2]


def phase(urn: str) -> Phase | None:
    found = urn.split("::")[2].partition("dive:phases:")[2].partition("$")[0]
    return Phase(found.upper()) if found else None


def complete(resources: Resources) -> dict[str, Any]:
    """Return the resources of a program by the URNs of the engine, which name the types of all that is above."""

    def types(urn: str) -> str:
        above, own = resources[urn].parent, resources[urn].type
        return f"{types(above)}${own}" if above in resources and "Stack" not in resources[above].type else own

    return {f"{'::'.join(urn.split('::')[:2])}::{types(urn)}::{name(urn)}": r for urn, r in resources.items()}


def steps(before: Resources, after: Resources, repaired: Iterable[str]) -> list[tuple[str, str]]:
    """Return (URN, operation) of each resource, by phase, the checkpoint of a phase after what it proves.

    A checkpoint is updated with a resource of its phase, and VERIFICATION with any.
    """
    operations: dict[str, str] = {}
    for urn in {**before, **after}:
        if urn not in before or urn not in after:
            operations[urn] = "delete" if urn in before else "create"
        else:
            differs = inputs(before[urn]) != inputs(after[urn]) or name(urn) in repaired
            operations[urn] = "update" if differs else "same"
    lasting = {urn: operation for urn, operation in operations.items() if (after.get(urn) or before[urn]).custom}
    changed = {phase(urn) for urn, operation in lasting.items() if operation != "same"}
    for urn in lasting:
        if (kind(urn) == "Checkpoint" and phase(urn) in changed) or kind(urn) == "Verification":
            lasting[urn] = "update"
    order = [*Phase, None]
    return sorted(lasting.items(), key=lambda row: (order.index(phase(row[0])), kind(row[0]) in ENDS, name(row[0])))


def event(urn: str, operation: str, before: Resources, after: Resources, again: set[Phase | None]) -> str:
    old, new = (shown(inputs(side[urn])) if urn in side else None for side in (before, after))
    if kind(urn) in ENDS and operation == "update":
        assert new is not None
        if inputs(before[urn])["declaration"] != inputs(after[urn])["declaration"]:
            new["declaration"] = UNKNOWN
        for key in new.keys() & {"earlier", "after"}:  # what the phases before it have proven
            new[key] = [UNKNOWN if p in again else value for p, value in zip(Phase, new[key], strict=False)]
    state = {"urn": urn, "custom": True, "id": f"id-of-{name(urn)}", "parent": urn.rpartition("::")[0]}
    sides = {"old": old and {**state, "inputs": old}, "new": new and {**state, "inputs": new}}
    return json.dumps({"resourcePreEvent": {"metadata": {"op": operation, "urn": urn, **sides}}})


def evidence(registration: Any) -> str:
    """Return the evidence of a phase that is valid: the topics of what a preview checks."""
    given = inputs(registration)
    spec = load(Phase(given["phase"]), given["spec"]["value"])
    topics = [check.topic for check in phases.shallow_checks(spec)] + ["record"] * bool(given.get("store"))
    return Validation(tuple(Finding(topic, Verdict.VALID, topic=topic) for topic in topics), 0.3).evidence


def commented(code: str, before: Resources, after: Resources, drifted: Mapping[str, str], found: str = "") -> str:
    """Return the comment on an update; `drifted`: gate -> what is wrong with its container, `found` by DEPLOYMENT."""
    before, after = complete(before), complete(after)
    operations = steps(before, after, drifted)
    again = {phase(urn) for urn, operation in operations if operation != "same" and kind(urn) == "Checkpoint"}
    lines: list[str] = []
    for urn, operation in operations:
        if why := drifted.get(name(urn)):
            lines.append(said(provider_messages.drifted(kind(urn), f"id-of-{name(urn)}", why)))
        lines.append(event(urn, operation, before, after, again))
        own = phase(urn)
        if own is None or kind(urn) not in ENDS:
            continue
        if operation == "same":
            lines.append(said(provider_messages.skipped(own, evidence(after[urn]))))
            continue
        old, new = inputs(before[urn]), inputs(after[urn])
        changed = [key for key in sorted(new) if new[key] != old.get(key) and key != "spec"]
        changed += ["after"] if own == Phase.VERIFICATION else []
        changed += ["earlier"] if own == Phase.DEPLOYMENT and again & EARLY else []
        invalid = own == Phase.DEPLOYMENT and found
        lines.append(
            said(
                provider_messages.again(
                    own, f"not valid now\n{found}" if invalid else provider_messages.changed(changed)
                )
            )
        )
    return comment.markdown([plan(lines, code, f"pulumi up -s {code.lower()}", False, False, 1.0)])


def test_more_documents_while_the_key_service_happens_to_be_stopped() -> None:
    stopped = "is stopped (exit code 0)"
    found = "  ✗ dive-fra-kas: stopped (exit code 0); expected running, healthy; next: pulumi up"
    before, after = register("fra"), register("fra", documents=300)
    held("comment-documents", commented("FRA", before, after, {"kas-gate": stopped}, found))


def test_a_country_that_leaves() -> None:
    before, after = register("usa", spokes=["FRA", "DEU"]), register("usa", spokes=["FRA"])
    held("comment-leaves", commented("USA", before, after, {}))
