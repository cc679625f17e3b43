"""VERIFICATION: people of each country log in at the other, and are permitted and denied what the policy says."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import httpx

from dive_infra.checks import deployment
from dive_infra.checks.runner import Check, CouldNotTell, Validation, Wrong
from dive_infra.checks.spec import Party, Verification
from dive_infra.findings import Finding
from dive_infra.identity import web
from dive_infra.identity.login import LoginFailed, login
from dive_infra.naming import Names
from dive_infra.seeds.documents import CORNERSTONES
from dive_infra.seeds.documents import documents as seeded

_LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP_SECRET")
_USER, _CLEARANCE = 3, "CONFIDENTIAL"  # testuser-<c>-3 has no community of interest
_SECONDS = 10
_UP = "pulumi up"


def checks(spec: Verification) -> list[Check]:
    """Everything, the real logins included: some seconds a direction."""
    return [*quick(spec), *deployment.checks(spec.deployment)[1:], *(_visit(spec, *pair) for pair in _visits(spec))]


def quick(spec: Verification) -> list[Check]:
    """What is cheap enough to be asked at every preview."""
    parties = (spec.own, *spec.partners)
    found = [
        Check(
            "the declared containers run, healthy",
            "containers",
            lambda: deployment.containers(spec.deployment.containers),
        )
    ]
    found += [
        Check(f"the issuer of {p.names.country.code} is one string", "discovery", partial(discovery, p.names, spec.ca))
        for p in parties
    ]
    return found


def discovery(names: Names, ca: str) -> str:
    url = f"{names.issuer}/.well-known/openid-configuration"
    remedy = f"pulumi up -s {names.country.lower}"
    try:
        with web.client(ca, 2) as http:
            response = http.get(url)
            issuer = response.json()["issuer"] if response.status_code == 200 else f"status {response.status_code}"
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise Wrong(f"{url}: {str(error) or type(error).__name__}", names.issuer, remedy, 1401) from None
    if issuer != names.issuer:
        raise Wrong(issuer, names.issuer, remedy, 1404)
    return issuer


def _visits(spec: Verification) -> list[tuple[Party, Party]]:
    """(where, whose people): at home, and both ways with each partner."""
    pairs = [(spec.own, spec.own)]
    for partner in spec.partners:
        pairs += [(spec.own, partner), (partner, spec.own)]
    return pairs


def visited(spec: Verification, validation: Validation) -> list[tuple[str, str, str, str, float]]:
    """The brokered logins that succeeded: source and target country, alias and client of the link, seconds."""
    seconds = {f.check: f.seconds for f in validation.findings if f.answer == "valid"}
    return [
        (
            whose.names.country.code,
            where.names.country.code,
            whose.names.idp_alias,
            where.names.client,
            seconds[_sentence(where, whose)],
        )
        for where, whose in _visits(spec)
        if where != whose and _sentence(where, whose) in seconds
    ]


def _sentence(where: Party, whose: Party) -> str:
    return f"a user of {whose.names.country.code} logs in at {where.names.country.code}"


def _visit(spec: Verification, where: Party, whose: Party) -> Check:
    return Check(_sentence(where, whose), "logins", lambda: visit(where, whose, spec.ca, spec.documents))


def visit(where: Party, whose: Party, ca: str, documents: int) -> Sequence[Finding]:
    """The brokered login, the token's claims, one document permitted and others denied, each for the right reason."""
    home, here = whose.names.country, where.names.country
    user = f"testuser-{home.lower}-{_USER}"
    try:
        result = login(where.names, whose.names, user, whose.password, where.portal, ca)
    except LoginFailed as error:
        remedy = f"pulumi up --refresh -s {home.lower if here.is_hub else here.lower}"
        raise Wrong(str(error), f"{user} logged in at {where.names.url('frontend')}", remedy, 1403) from None
    wanted = {"uniqueID": user, "countryOfAffiliation": home.code, "clearance": _CLEARANCE}
    differing = {k: result.claims.get(k) for k, v in wanted.items() if result.claims.get(k) != v}
    if differing:
        raise Wrong(f"claims {differing}", f"claims {wanted}", f"pulumi up --refresh -s {here.lower}", 1404)
    path = " > ".join(result.hosts)
    signed_in = Finding(_sentence(where, whose), "valid", found=f"{user} by {path}", seconds=result.seconds)
    return [signed_in, *_decisions(where.names, home.code, result.access_token, ca, documents)]


def _decisions(where: Names, home: str, token: str, ca: str, documents: int) -> list[Finding]:
    with web.client(ca, _SECONDS) as http:
        http.headers["authorization"] = f"Bearer {token}"
        return [_decision(http, where, home, *case) for case in cases(where, home, documents)]


def cases(where: Names, home: str, documents: int) -> list[tuple[str, str]]:
    """(document, check that denies it, or "" where it is permitted) for the user without communities of `home`."""

    def outcome(document: dict[str, Any]) -> str | None:
        if document["COI"]:
            return None
        high = _LEVELS.index(document["classification"]) > _LEVELS.index(_CLEARANCE)
        foreign = home not in document["releasabilityTo"]
        return None if high and foreign else "clearance" if high else "country" if foreign else ""

    found: dict[str, str] = {}
    for document in seeded(where, min(documents, len(CORNERSTONES))):
        kind = outcome(document)
        if kind is not None:
            found.setdefault(kind, document["_id"])
    if "" not in found or len(found) < 2:
        raise CouldNotTell(f"the seeds of {where.country.code} hold no document to permit and one to deny for {home}")
    return [(document, kind) for kind, document in sorted(found.items())]


def _decision(http: httpx.Client, where: Names, home: str, document: str, denied_by: str) -> Finding:
    url = f"{where.url('backend')}/api/resources/{document}"
    expected = f"403 by check {denied_by}" if denied_by else "200 with content"
    sentence = f"{where.country.code} {'denies' if denied_by else 'permits'} {document} to a user of {home}"
    response = http.get(url)
    body = response.json() if "json" in response.headers.get("content-type", "") else {}
    if response.status_code == 403:
        found = f"403 by check {body.get('details', {}).get('check')}"
    else:
        found = (
            f"{response.status_code} {'with content' if body.get('content') else body.get('error', 'without content')}"
        )
    remedy = f"{_UP} -s {where.country.lower}"
    return Finding(
        sentence, "valid" if found == expected else "invalid", expected, found, remedy, code=1405, topic="decisions"
    )
