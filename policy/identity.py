"""Rules on Keycloak: how realms are protected, and how clients and partners may log people in."""

from collections.abc import Iterator
from typing import Any

from policy.rule import Resource, Rule, texts

REALM = "keycloak:index/realm:Realm"
CLIENT = "keycloak:openid/client:Client"
SAML_CLIENT = "keycloak:saml/client:Client"
PARTNER = "keycloak:oidc/identityProvider:IdentityProvider"

_MAX_FAILURES = 30  # Keycloak's own default
_URLS = ("authorizationUrl", "tokenUrl", "userInfoUrl", "jwksUrl", "logoutUrl", "issuer")


def _brute_force(resource: Resource) -> Iterator[str]:
    defense = (resource.inputs.get("securityDefenses") or {}).get("bruteForceDetection")
    if defense is None:
        yield f"bruteForceDetection is not set; expected maxLoginFailures of at most {_MAX_FAILURES}"
        return
    failures = float(defense.get("maxLoginFailures") or _MAX_FAILURES)
    if failures > _MAX_FAILURES:
        yield f"maxLoginFailures is {failures:g}; expected at most {_MAX_FAILURES}"


def _tls(resource: Resource) -> Iterator[str]:
    required = resource.inputs.get("sslRequired") or "external"
    if required.lower() not in ("external", "all"):
        yield f"sslRequired is {required}; expected all, or external"


def _pkce(resource: Resource) -> Iterator[str]:
    inputs = resource.inputs
    if resource.kind == PARTNER:
        extra = inputs.get("extraConfig") or {}
        if not _true(extra.get("pkceEnabled")) or extra.get("pkceMethod") != "S256":
            yield "the login at the partner has no PKCE; expected extraConfig pkceEnabled: true, pkceMethod: S256"
    elif inputs.get("standardFlowEnabled") and inputs.get("pkceCodeChallengeMethod") != "S256":
        found = inputs.get("pkceCodeChallengeMethod") or "not set"
        yield f"pkceCodeChallengeMethod is {found}; expected S256"


def _flows(resource: Resource) -> Iterator[str]:
    for key in ("implicitFlowEnabled", "directAccessGrantsEnabled"):
        if resource.inputs.get(key):
            yield f"{key} is true; expected false"


def _redirects(resource: Resource) -> Iterator[str]:
    for key in ("validRedirectUris", "validPostLogoutRedirectUris"):
        for uri in texts(resource.inputs.get(key)):
            # "+" after a logout means the redirect URIs of the login, which are judged themselves.
            if not (uri == "+" and key == "validPostLogoutRedirectUris") and not _exact(uri):
                yield f"{key} holds {uri}; expected an exact https:// address"
    if "*" in set(texts(resource.inputs.get("webOrigins"))):
        yield "webOrigins holds *; expected exact origins, or +"


def _exact(uri: str) -> bool:
    return uri.startswith("https://") and "*" not in uri and len(uri) > len("https://")


def _partner(resource: Resource) -> Iterator[str]:
    if not _true(resource.inputs.get("validateSignature")):
        yield "validateSignature is not set; expected true"
    if resource.inputs.get("trustEmail"):
        yield "trustEmail is true; expected false, because a partner can claim any address"
    for key in _URLS:
        url = resource.inputs.get(key)
        if url and not url.startswith("https://"):
            yield f"{key} is {url}; expected https://"


def _true(value: Any) -> bool:
    return value is True or value == "true"  # Keycloak uses both forms


RULES = (
    Rule(
        "realm-brute-force",
        "A realm locks accounts whose password is being guessed.",
        "Without a lockout, a password of eight characters is only a matter of time.",
        (REALM,),
        _brute_force,
    ),
    Rule(
        "realm-tls",
        "A realm requires TLS.",
        "Anyone on the network can read passwords and tokens sent over plain HTTP.",
        (REALM,),
        _tls,
    ),
    Rule(
        "pkce",
        "The authorization code flow uses PKCE with S256, in our clients and at partners.",
        "An intercepted code is useless without the verifier, which the redirect does not carry.",
        (CLIENT, PARTNER),
        _pkce,
    ),
    Rule(
        "redirects-exact",
        "The redirect URIs of a client are exact and use https.",
        "With a wildcard, any open redirect below it leaks codes and tokens.",
        (CLIENT, SAML_CLIENT),
        _redirects,
    ),
    Rule(
        "no-weak-flows",
        "No client uses the implicit flow or direct access grants.",
        "They expose tokens or passwords to the client's page; OAuth 2.1 has removed both.",
        (CLIENT,),
        _flows,
    ),
    Rule(
        "partner-proven",
        "A partner's token signatures are validated, its endpoints use TLS, and its e-mail addresses are not trusted.",
        "Anyone who can forge a partner's token can log in as any of its people.",
        (PARTNER,),
        _partner,
    ),
)
