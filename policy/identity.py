"""Rules of Keycloak: how realms defend themselves, and how clients and partners may log people in."""

from collections.abc import Iterator
from typing import Any

from policy.rule import Resource, Rule, texts

REALM = "keycloak:index/realm:Realm"
CLIENT = "keycloak:openid/client:Client"
SAML_CLIENT = "keycloak:saml/client:Client"
PARTNER = "keycloak:oidc/identityProvider:IdentityProvider"

_MOST_FAILURES = 30  # Keycloak's own default
_URLS = ("authorizationUrl", "tokenUrl", "userInfoUrl", "jwksUrl", "logoutUrl", "issuer")


def _brute_force(resource: Resource) -> Iterator[str]:
    defense = (resource.inputs.get("securityDefenses") or {}).get("bruteForceDetection")
    if defense is None:
        yield "securityDefenses.bruteForceDetection is not given; expected it"
        return
    failures = float(defense.get("maxLoginFailures") or _MOST_FAILURES)
    if failures > _MOST_FAILURES:
        yield f"maxLoginFailures is {failures:g}; expected at most {_MOST_FAILURES}"


def _tls(resource: Resource) -> Iterator[str]:
    required = resource.inputs.get("sslRequired") or "external"
    if required.lower() not in ("external", "all"):
        yield f"sslRequired is {required}; expected all, or external"


def _pkce(resource: Resource) -> Iterator[str]:
    inputs = resource.inputs
    if resource.kind == PARTNER:
        extra = inputs.get("extraConfig") or {}
        if not _true(extra.get("pkceEnabled")) or extra.get("pkceMethod") != "S256":
            yield "the login at the partner goes without PKCE; expected extraConfig pkceEnabled and pkceMethod: S256"
    elif inputs.get("standardFlowEnabled") and inputs.get("pkceCodeChallengeMethod") != "S256":
        found = inputs.get("pkceCodeChallengeMethod") or "not given"
        yield f"pkceCodeChallengeMethod is {found}; expected S256"


def _flows(resource: Resource) -> Iterator[str]:
    for key in ("implicitFlowEnabled", "directAccessGrantsEnabled"):
        if resource.inputs.get(key):
            yield f"{key} is true; expected false"


def _redirects(resource: Resource) -> Iterator[str]:
    for key in ("validRedirectUris", "validPostLogoutRedirectUris"):
        for uri in texts(resource.inputs.get(key)):
            # "+" after a logout: the addresses of the login, which are judged themselves.
            if not (uri == "+" and key == "validPostLogoutRedirectUris") and not _exact(uri):
                yield f"{key} holds {uri}; expected an exact https:// address"
    if "*" in set(texts(resource.inputs.get("webOrigins"))):
        yield "webOrigins holds *; expected the origins themselves, or +"


def _exact(uri: str) -> bool:
    return uri.startswith("https://") and "*" not in uri and len(uri) > len("https://")


def _partner(resource: Resource) -> Iterator[str]:
    if not _true(resource.inputs.get("validateSignature")):
        yield "validateSignature is not set; expected true"
    if resource.inputs.get("trustEmail"):
        yield "trustEmail is true; expected false: an address that the partner claims proves nothing"
    for key in _URLS:
        url = resource.inputs.get(key)
        if url and not url.startswith("https://"):
            yield f"{key} is {url}; expected https://"


def _true(value: Any) -> bool:
    return value is True or value == "true"  # Keycloak knows both


RULES = (
    Rule(
        "realm-brute-force",
        "A realm locks out who guesses passwords.",
        "Without it a password of eight characters is a matter of patience.",
        (REALM,),
        _brute_force,
    ),
    Rule(
        "realm-tls",
        "A realm demands TLS.",
        "Passwords and tokens over plain HTTP belong to whoever listens.",
        (REALM,),
        _tls,
    ),
    Rule(
        "pkce",
        "A login by code uses PKCE with S256, at our clients and at the partner's.",
        "A code that is overheard is worth nothing without the verifier, which never travels.",
        (CLIENT, PARTNER),
        _pkce,
    ),
    Rule(
        "redirects-exact",
        "The addresses to which a client sends people back are exact, and https.",
        "A wildcard lets whoever finds an open page below it collect codes and tokens.",
        (CLIENT, SAML_CLIENT),
        _redirects,
    ),
    Rule(
        "no-weak-flows",
        "No client uses the implicit flow or takes passwords itself.",
        "Both hand tokens or passwords to the client's page; OAuth 2.1 has dropped them.",
        (CLIENT,),
        _flows,
    ),
    Rule(
        "partner-proven",
        "A partner's tokens are checked, over TLS, and its word on mail addresses is not taken.",
        "Whoever can forge a partner's token logs in as any of its people.",
        (PARTNER,),
        _partner,
    ),
)
