"""The country decides: its policy engine permits what it must and denies the rest, each for the right reason.

The questions are about a person and documents that exist nowhere, so no change of people or documents alters an answer.
The policies and their data do: a policy that someone replaced, and data that never arrived, show here.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from dive_infra.catalog import policy
from dive_infra.checks import objects, policy_engine
from dive_infra.checks.runner import Check
from dive_infra.checks.spec import DeploymentSpec
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.identity import https
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import first_line

_NOWHERE = "XXX"  # no country's code
_TOPIC, _UNDECIDED = "decisions", "no policy is loaded"

# What differs from a permitted question, and the check that must deny it.
CASES: tuple[tuple[str, Mapping[str, Mapping[str, Any]], str], ...] = (
    ("a document for everyone here", {}, ""),
    ("a document above the person's clearance", {"resource": {"classification": "TOP_SECRET"}}, "clearance"),
    ("a document that is not for this country", {"resource": {"releasabilityTo": [_NOWHERE]}}, "country"),
    (
        "a document of a community without the person",
        {"resource": {"COI": ["dive-probe"], "coiOperator": "ANY"}},
        "coi",
    ),
    ("a document to someone who is not logged in", {"subject": {"authenticated": False}}, "authentication"),
    ("a document to a person of an untrusted issuer", {"subject": {"issuer": "https://untrusted.test"}}, "federation"),
)


def checks(spec: DeploymentSpec) -> list[Check]:
    sentence = f"{spec.names.country.code} decides as its policies say"
    return [Check(sentence, _TOPIC, lambda: _asked(spec, sentence))]


def _asked(spec: DeploymentSpec, sentence: str) -> list[Finding]:
    found = decisions(spec.names, spec.opa, spec.ca, policy_engine.restart(spec.names))
    undecided = all(f.found == _UNDECIDED for f in found)
    if undecided and (pending := policy_engine.awaited(spec)):
        return [pending.finding(sentence, _TOPIC, f"decisions of {spec.names.country.code}")]
    return found


def question(here: Names, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a question that the policies permit, with these changes."""
    code = here.country.code
    permitted: dict[str, dict[str, Any]] = {
        "subject": {
            "authenticated": True,
            "uniqueID": "dive-probe",
            "issuer": here.issuer,
            "countryOfAffiliation": code,
            "clearance": "CONFIDENTIAL",
            "acpCOI": [],
            "mfa_used": False,
        },
        "action": {"operation": "view"},
        "resource": {
            "resourceId": "dive-probe",
            "encrypted": False,
            "classification": "UNCLASSIFIED",
            "originalClassification": "UNCLASSIFIED",
            "originalCountry": code,
            "natoEquivalent": "UNCLASSIFIED",
            "releasabilityTo": [code],
            "COI": [],
            "coiOperator": "ANY",
            "creationDate": "2026-01-01T00:00:00Z",
        },
        "context": {"tenant": code, "acr": "1", "currentTime": "2026-06-01T00:00:00Z"},
    }
    return {part: {**values, **changes.get(part, {})} for part, values in permitted.items()}


def decisions(here: Names, token: str, ca: str, remedy: Remedy) -> list[Finding]:
    """Return one finding for each case; `remedy` loads the distributed policies and data again."""
    url = f"{here.url('opa')}{policy.DECISION}"
    found: list[Finding] = []
    try:
        with https.client(ca, CHECK_REQUEST, here) as http:
            for what, changes, denied_by in CASES:
                asked = {"input": question(here, changes)}
                answer = http.post(url, headers={"authorization": f"Bearer {token}"}, json=asked)
                found.append(_finding(here, what, denied_by, _decided(answer), remedy))
    except httpx.HTTPError as error:
        raise objects.unanswered(
            f"{url}: {first_line(error)}", "an answer", Remedy.update(), Code.DECISION_OR_API
        ) from None
    return found


def _decided(answer: httpx.Response) -> str:
    if answer.status_code != httpx.codes.OK:
        return f"status {answer.status_code}"
    result = answer.json().get("result")
    if not isinstance(result, dict):
        return _UNDECIDED
    if result.get("allow") is True:
        return "permitted"
    return f"denied by check {(result.get('evaluation_details') or {}).get('check')}"


def _finding(here: Names, what: str, denied_by: str, found: str, remedy: Remedy) -> Finding:
    code = here.country.code
    expected = f"denied by check {denied_by}" if denied_by else "permitted"
    # The rules of the country are asked last: what they deny, the policies permit.
    valid = found == expected or (not denied_by and found.startswith(f"denied by check {policy.NATIONAL}"))
    return Finding(
        f"{code} {'denies' if denied_by else 'permits'} {what}",
        Verdict.VALID if valid else Verdict.INVALID,
        expected,
        found,
        remedy,
        code=None if valid else Code.DECISION_OR_API,
        topic=_TOPIC,
        subject=f"{what} at {code}",
    )
