"""The key access service can release keys: it holds the declared key, reaches what it asks, and knows its realm.

A release needs a person's token, and leaves a row in the audit. So this asks for one with a token that the realm has
never signed: the refusal with the right reason proves that the service trusts the realm and has read its keys. That a
policy permits a release, and that it opens the document, is proven by the documents that VERIFICATION opens.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import httpx

from dive_infra.checks import objects
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.identity import https
from dive_infra.results.codes import Code
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import first_line
from dive_infra.seeds.sealing import KeyService, canonical

# The words of services/common for a trusted issuer, read keys, and none of them.
REFUSAL = "the token is signed with a key that its issuer does not publish"
_ASKED = ("mongodb", "opa")  # what it asks for each release, besides the realm
_REALM = ("postgres", "keycloak")


def checks(names: Names, ca: str) -> list[Check]:
    """Return the check that the service can decide on a release and carry it out."""
    code = names.country.code
    sentence = f"the key access service of {code} reaches its policies and documents, and trusts its realm"
    return [Check(sentence, "key release", partial(ready, names, ca), subject=f"key release of {code}")]


def held(names: Names, keys: Mapping[str, str], ca: str) -> list[Check]:
    """Return the check that the service holds the key that documents are sealed for; `keys` as in `SeedingSpec`."""
    code = names.country.code
    sentence = f"the key access service of {code} holds the key that documents are sealed for"
    return [Check(sentence, "key", partial(key, names, keys, ca), subject=f"key of {names.kas_id}")]


def ready(names: Names, ca: str) -> str:
    with https.client(ca, CHECK_REQUEST, names) as http:
        health = _asked(http, names, "GET", "/health", _ASKED)
        reported = _body(health).get("dependencies", {})
        down = [service for service in _ASKED if reported.get(service) != "up"]
        if down:
            found = ", ".join(
                f"{service} {reported.get(service, f'unknown (status {health.status_code})')}" for service in down
            )
            wanted = ", ".join(f"{service} up" for service in down)
            raise objects.caused_by(names, down, _failed(names, found, wanted))
        token = {"authorization": f"Bearer {unsigned(names)}"}
        refused = _asked(http, names, "POST", "/rewrap", _REALM, headers=token, json={})
        away = refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        cause = _realm(http, names) if away else None
    reason = _body(refused).get("reason", "")
    if (refused.status_code, reason) != (httpx.codes.UNAUTHORIZED, REFUSAL):
        failed = cause or _failed(names, f"{refused.status_code} {reason}".rstrip(), f"401 {REFUSAL}")
        raise objects.caused_by(names, _REALM, failed) if away else failed
    return "refuses a token that its realm has not signed"


def key(names: Names, keys: Mapping[str, str], ca: str) -> str:
    wanted = _kid(names, keys[names.country.code])
    with https.client(ca, CHECK_REQUEST, names) as http:
        answer = _asked(http, names, "GET", "/public-key", ())
    if answer.status_code == httpx.codes.NOT_FOUND:  # a service of an earlier version
        raise CheckFailed("publishes no key", wanted, Remedy.update(names.country.code), Code.DECISION_OR_API)
    served = _body(answer).get("publicKey")
    found = _kid(names, served) if served else f"status {answer.status_code}"
    if found != wanted:  # DEPLOYMENT compares its files: then the process has read others
        raise _failed(names, found, wanted)
    return found


def _kid(names: Names, public_key: str) -> str:
    return KeyService(names.kas_id, names.url("kas"), public_key).kid


def unsigned(names: Names) -> str:
    """Return an access token of the country's realm, except that no key of the realm has signed it."""
    parts = ({"alg": "RS256", "kid": "dive-probe", "typ": "JWT"}, {"iss": names.issuer, "typ": "Bearer"})
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*map(canonical, parts), b"none"))


def _asked(
    http: httpx.Client, names: Names, method: str, path: str, needs: Sequence[str], **how: Any
) -> httpx.Response:
    """Return the service's answer; it `needs` these other services, and may answer late without them."""
    url = f"{names.url('kas')}{path}"
    try:
        return http.request(method, url, **how)
    except httpx.HTTPError as error:
        update = Remedy.update(names.country.code)
        silent = objects.unanswered(f"{url}: {first_line(error)}", "an answer", update, Code.DECISION_OR_API)
        raise objects.caused_by(names, ("kas", *needs), silent) from None


def _realm(http: httpx.Client, names: Names) -> CheckFailed | CheckUnknown | None:
    """Return why the realm itself does not answer, if it does not: then a restart of the service helps nothing."""
    code = names.country.code
    try:
        status = http.get(names.issuer).status_code
    except httpx.HTTPError as error:
        return CheckUnknown(f"{names.issuer}: {first_line(error)}", Remedy.update(code))
    if status == httpx.codes.NOT_FOUND:
        return CheckFailed("no such realm", f"realm {names.realm}", Remedy.refresh(code), Code.DECISION_OR_API)
    if status != httpx.codes.OK:
        return CheckUnknown(f"{names.issuer}: status {status}", Remedy.update(code))
    return None


def _body(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    return body if isinstance(body, dict) else {}


def _failed(names: Names, found: str, expected: str) -> CheckFailed:
    return CheckFailed(found, expected, Remedy.restart(names.country.code, "kas"), Code.DECISION_OR_API)
