"""The documents of a country: their list, the decision on each, and their content.

OPA decides each time a document is read, and `decisions` gets a row before the answer is sent. The list carries a
decision for each document too; Redis caches those for some seconds, and they are never used for reading.
"""

import logging
from collections.abc import Mapping
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from dive_backend.decision_cache import DecisionCache
from dive_backend.key_access import KeyAccessClient
from dive_common.agreements import BEYOND
from dive_common.decisions import Decision, DecisionPoint, context_of, now, resource_of, subject_of
from dive_common.problems import forbidden, not_found, unavailable
from dive_common.tokens import Claims
from dive_common.ztdf import IntegrityError, open_payload

log = logging.getLogger("dive.resources")

_NO_PAYLOAD = {"ztdf.payload": False}
_SHOWN = ("title", "classification", "originalClassification", "releasabilityTo", "COI", "coiOperator", "creationDate")


class Resources:
    """Lists and opens documents on behalf of the bearer of a token; `tenant` is this country's code."""

    def __init__(
        self,
        tenant: str,
        database: Database[dict[str, Any]],
        opa: DecisionPoint,
        kas: KeyAccessClient,
        cache: DecisionCache,
    ) -> None:
        self._tenant = tenant
        self._database = database
        self._opa = opa
        self._kas = kas
        self._cache = cache

    def page(self, claims: Claims, source_ip: str, request_id: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` documents with their decisions, ordered by id, starting after the id `after`."""
        where = {"_id": {"$gt": after}} if after else {}
        try:
            found = list(self._database.resources.find(where, _NO_PAYLOAD).sort("_id", 1).limit(limit))
        except PyMongoError as error:
            raise unavailable("document store", error) from error
        context = context_of(claims, self._tenant, source_ip, request_id)
        return [_shown(document, self._cached(claims, document, context)) for document in found]

    def read(self, resource_id: str, token: str, claims: Claims, source_ip: str, request_id: str) -> dict[str, Any]:
        """Return a document with its content; raise `HttpProblem` 403 (with the policy's reason), 404 or 503."""
        document = self._load(resource_id)
        question = {
            "subject": subject_of(claims),
            "action": {"operation": "view"},
            "resource": resource_of(document),
            "context": context_of(claims, self._tenant, source_ip, request_id),
        }
        decision = self._opa.decide(question)
        self._record(claims, resource_id, decision, request_id)
        if not decision.allow:
            raise forbidden(decision.reason, _refusal(document, decision))
        return {**_shown(document, decision), "content": self._content(document, token, request_id)}

    def _load(self, resource_id: str) -> dict[str, Any]:
        try:
            document = self._database.resources.find_one({"_id": resource_id})
        except PyMongoError as error:
            raise unavailable("document store", error) from error
        if document is None:
            raise not_found(f"document {resource_id!r}")
        return document

    def _record(self, claims: Claims, resource_id: str, decision: Decision, request_id: str) -> None:
        row = {
            "_id": request_id,
            "time": now(),
            "instanceCode": self._tenant,
            "operation": "view",
            "resourceId": resource_id,
            "uniqueID": claims.get("uniqueID"),
            "countryOfAffiliation": claims.get("countryOfAffiliation"),
            "clearance": claims.get("clearance"),
            **{name: claims[name] for name in (BEYOND,) if name in claims},
            "issuer": claims["iss"],
            "allow": decision.allow,
            "reason": decision.reason,
            "check": decision.check,
        }
        try:
            self._database.decisions.insert_one(row)
        except PyMongoError as error:  # no access without an audit row
            raise unavailable("audit store", error) from error
        log.info("view %s by %s: %s %s", resource_id, row["uniqueID"], decision.allow, decision.reason)

    def _content(self, document: Mapping[str, Any], token: str, request_id: str) -> str:
        if "ztdf" not in document:
            return str(document.get("content", ""))
        key = self._kas.release(document, token, request_id)
        try:
            return open_payload(document["ztdf"], key).decode()
        except IntegrityError as error:
            raise forbidden(str(error), {"check": "integrity"}) from error

    def _cached(self, claims: Claims, document: Mapping[str, Any], context: Mapping[str, Any]) -> Decision:
        question = {"subject": subject_of(claims), "action": {"operation": "view"}, "resource": resource_of(document)}
        lasting = {name: context[name] for name in ("acr", "amr", "tenant")}
        return self._cache.decide(
            {**question, "context": lasting}, lambda: self._opa.decide({**question, "context": context})
        )


def _refusal(document: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
    return {"check": decision.check, "resource": _shown(document, decision), "evaluation": decision.details}


def _label(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: resource[name] for name in _SHOWN if name in resource}


def _shown(document: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
    label = {name: document[name] for name in _SHOWN if name in document} | _label(resource_of(document))
    return {
        "resourceId": document["_id"],
        **label,
        "encrypted": "ztdf" in document,
        "decision": {"allow": decision.allow, "reason": decision.reason, "check": decision.check},
    }
