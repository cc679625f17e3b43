"""The federation link between two countries, as tables of Keycloak's own representations.

A link is symmetrical. `at` is the country whose realm holds the object, `of` the partner. The identity provider
`<of>-idp` in at's realm logs users of `of` in. The client `dive-v3-broker-<of>` in at's realm is the one that of's
broker uses here. The broker authenticates with its realm's own key (private_key_jwt), which the other side reads from
its JWKS address: the two share no secret. Each country declares its own side.
"""

from dive_infra.config.naming import Names
from dive_infra.identity.realm_data import FIRST_LOGIN_FLOW, SHORT, Json, Mapper

# The provider requires one, `private_key_jwt` uses none.
NO_SECRET = "unused"  # noqa: S105
SCOPES = "openid profile email uniqueID clearance countryOfAffiliation acpCOI affiliation"


def certificates(names: Names) -> str:
    """Return the address where a realm publishes its keys (JWKS)."""
    return f"{names.issuer}/protocol/openid-connect/certs"


def _endpoint(at: Names, of: Names) -> str:
    """Return the address to which users return from `of` to at's broker."""
    return f"{at.issuer}/broker/{of.idp_alias}/endpoint"


def identity_provider(at: Names, of: Names) -> Json:
    """Return `<of>-idp` in at's realm. Its claim filter refuses a token that claims another country than `of`."""
    endpoints = f"{of.issuer}/protocol/openid-connect"
    return {
        "alias": of.idp_alias,
        "displayName": of.country.name,
        "providerId": "oidc",
        "enabled": True,
        "storeToken": False,
        "trustEmail": False,
        "linkOnly": False,
        "hideOnLogin": False,
        "addReadTokenRoleOnCreate": False,
        "authenticateByDefault": False,
        "firstBrokerLoginFlowAlias": FIRST_LOGIN_FLOW,
        "config": {
            "issuer": of.issuer,
            "authorizationUrl": f"{endpoints}/auth",
            "tokenUrl": f"{endpoints}/token",
            "userInfoUrl": f"{endpoints}/userinfo",
            "logoutUrl": f"{endpoints}/logout",
            "jwksUrl": certificates(of),
            "useJwksUrl": "true",
            "validateSignature": "true",
            "clientId": at.client,
            "clientAuthMethod": "private_key_jwt",
            "clientAssertionSigningAlg": "RS256",
            "pkceEnabled": "true",
            "pkceMethod": "S256",
            "defaultScope": SCOPES,
            "backchannelSupported": "true",
            "syncMode": "FORCE",
            "guiOrder": str(of.country.offset),
            "filteredByClaim": "true",
            "claimFilterName": "countryOfAffiliation",
            "claimFilterValue": f"^{of.country.code}$",
        },
    }


def _import(claim: str, attribute: str = "") -> Mapper:
    config = {"claim": claim, "user.attribute": attribute or claim, "syncMode": "FORCE"}
    return Mapper(claim, "oidc-user-attribute-idp-mapper", config)


def identity_provider_mappers(of: Names) -> tuple[Mapper, ...]:
    """Return what each login through `<of>-idp` writes on the local account. The link itself determines the country."""
    country = {"attribute": "countryOfAffiliation", "attribute.value": of.country.code, "syncMode": "FORCE"}
    # Home gives a recreated person's user name again and its subject never. A name without the subject would be taken
    # by the old account, and the first-login flow never links: whoever can name an account at home would own it here.
    template = "${ALIAS}.${CLAIM.preferred_username}.${CLAIM.sub}"
    username = {"template": template, "target": "LOCAL", "syncMode": "FORCE"}
    return (
        Mapper("countryOfAffiliation", "hardcoded-attribute-idp-mapper", country),
        Mapper("username", "oidc-username-idp-mapper", username),
        _import("uniqueID"),
        _import("clearance"),
        _import("acpCOI"),
        _import("organization"),
        _import("organizationType"),
        _import("amr"),
        _import("acr"),
    )


def broker_client(at: Names, of: Names) -> Json:
    """Return `dive-v3-broker-<of>` in at's realm: of's broker, which returns to of's provider entry for `at`."""
    endpoint = _endpoint(of, at)
    return {
        "clientId": of.client,
        "name": f"Broker of {of.country.name}",
        "enabled": True,
        "publicClient": False,
        "standardFlowEnabled": True,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
        "frontchannelLogout": False,
        "fullScopeAllowed": False,
        "clientAuthenticatorType": "client-jwt",
        "redirectUris": [endpoint],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "use.jwks.url": "true",
            "jwks.url": certificates(of),
            "token.endpoint.auth.signing.alg": "RS256",
            "access.token.lifespan": SHORT,
            "post.logout.redirect.uris": f"{endpoint}/logout_response",
            "backchannel.logout.url": f"{of.issuer}/protocol/openid-connect/logout/backchannel-logout",
            "backchannel.logout.session.required": "true",
        },
    }
