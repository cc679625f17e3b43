"""Decisions: what the services ask OPA, and how they read its answer. Only an explicit `allow` permits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from dive_common import ztdf
from dive_common.agreements import BEYOND, listed
from dive_common.problems import unavailable
from dive_common.tokens import Claims

LABEL = (
    "classification",
    "originalClassification",
    "originalCountry",
    "natoEquivalent",
    "releasabilityTo",
    "COI",
    "coiOperator",
)
SECOND_FACTORS = frozenset({"otp", "hwk", "swk", "mfa", "sms"})


@dataclass(frozen=True)
class Decision:
    """OPA's answer: `reason` is a sentence, `check` the code of the check that denied, `details` all results."""

    allow: bool
    reason: str
    check: str = ""
    obligations: list[Any] = field(default_factory=list[Any])
    details: dict[str, Any] = field(default_factory=dict[str, Any])


def now() -> str:
    """Return the time in UTC as RFC 3339, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def subject_of(claims: Claims) -> dict[str, Any]:
    """Return the subject of a question. An absent claim stays absent, so that the policy names it in its denial.

    `unbelievedCOI`: communities of the person that the agreement does not cover. They open no document, and keep those
    closed that are for people of one community alone.
    """
    beyond = claims.get(BEYOND, {})
    plain = ("uniqueID", "clearance", "countryOfAffiliation", "organizationType")
    return {
        "authenticated": True,
        "issuer": claims["iss"],
        "acpCOI": listed(claims.get("acpCOI")),
        "mfa_used": bool(SECOND_FACTORS & set(listed(claims.get("amr")))),
        **{name: claims[name] for name in plain if claims.get(name)},
        **({"unbelievedCOI": beyond["acpCOI"]} if "acpCOI" in beyond else {}),
    }


def resource_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resource of a question. A sealed document counts by the label that its payload is bound to."""
    sealed = document.get("ztdf")
    policy: Mapping[str, Any] = sealed["policy"] if sealed else document
    label: Mapping[str, Any] = policy["securityLabel"] if sealed else document
    resource = {
        "resourceId": document["_id"],
        "encrypted": bool(sealed),
        "creationDate": policy.get("creationDate"),
        **{name: label[name] for name in LABEL if name in label},
    }
    if sealed:
        found = ztdf.policy_hash(policy)
        resource["ztdf"] = {
            "policyHash": sealed.get("policyHash"),
            "computedPolicyHash": found,
            "integrityValid": found == sealed.get("policyHash") and policy.get("resourceId") == document["_id"],
        }
    return resource


def context_of(claims: Claims, tenant: str, source_ip: str, request_id: str) -> dict[str, Any]:
    """Return the context of a question: time, strength of the login, and the country whose service asks."""
    return {
        "currentTime": now(),
        "sourceIP": source_ip,
        "requestId": request_id,
        "tenant": tenant,
        "acr": str(claims.get("acr", "")),
        "amr": listed(claims.get("amr")),
        **({"auth_time": claims["auth_time"]} if "auth_time" in claims else {}),
    }


class DecisionPoint:
    """OPA at `/v1/data/national/answer`: the coalition's policies, and the rules of the country."""

    def __init__(self, url: str, token: str, http: httpx.Client) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = http

    def decide(self, question: Mapping[str, Any]) -> Decision:
        """Return OPA's decision; raise `HttpProblem` 503 if OPA gives none (unreachable, no policy loaded yet)."""
        try:
            response = self._http.post(
                f"{self._url}/v1/data/national/answer", json={"input": question}, headers=self._headers
            )
            result = response.raise_for_status().json().get("result")
        except (httpx.HTTPError, ValueError) as error:
            raise unavailable("policy engine", error) from error
        if not isinstance(result, dict) or not isinstance(result.get("allow"), bool):
            raise unavailable("policy engine", "no policy for this question is loaded yet")
        details = result.get("evaluation_details") or {}
        return Decision(
            allow=result["allow"],
            reason=str(result.get("reason", "")),
            check=str(details.get("check", "")),
            obligations=listed(result.get("obligations")),
            details=details,
        )

    def ping(self) -> None:
        """Raise `httpx.HTTPError` if OPA is down."""
        self._http.get(f"{self._url}/health", timeout=2.0).raise_for_status()
