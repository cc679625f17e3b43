"""The federation link between two countries, as tables of Keycloak's own representations.

A link is symmetrical. `at` is the country whose realm holds the object, `of` the partner. The identity provider
`<of>-idp` in at's realm logs users of `of` in. The client `dive-v3-broker-<of>` in at's realm is the one that of's
broker uses here. The broker authenticates with its realm's own key (private_key_jwt), which the other side reads from
its JWKS address: the two share no secret. Each country declares its own side.

Browsers know a realm by its issuer alone. What one Keycloak asks another goes to the address of a partner elsewhere
(`Names.realm_of`): a name would have to be an entry of the container, which each partner that comes or moves replaced.
"""

from dive_infra.config.naming import Names
from dive_infra.identity.realm_data import FIRST_LOGIN_FLOW, SHORT, Json, Mapper

# The provider requires one, `private_key_jwt` uses none.
NO_SECRET = "unused"  # noqa: S105
_OIDC = "protocol/openid-connect"
SCOPES = "openid profile email uniqueID clearance countryOfAffiliation acpCOI affiliation"


def certificates(at: Names, of: Names) -> str:
    """Return where at's Keycloak reads the keys (JWKS) of of's realm."""
    return f"{_asked(at, of)}/certs"


def _asked(at: Names, of: Names) -> str:
    """Return the start of the URLs that at's Keycloak asks in of's realm."""
    return f"{at.realm_of(of)}/{_OIDC}"


def _endpoint(at: Names, of: Names) -> str:
    """Return the address to which users return from `of` to at's broker."""
    return f"{at.issuer}/broker/{of.idp_alias}/endpoint"


def identity_provider(at: Names, of: Names) -> Json:
    """Return `<of>-idp` in at's realm. Its claim filter refuses a token that claims another country than `of`."""
    public, asked = f"{of.issuer}/{_OIDC}", _asked(at, of)
    # By default, the audience is the token's URL, which the partner expects to be the public one.
    audience = {"clientAssertionAudience": f"{public}/token"} if asked != public else {}
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
            "authorizationUrl": f"{public}/auth",
            "tokenUrl": f"{asked}/token",
            "userInfoUrl": f"{asked}/userinfo",
            "logoutUrl": f"{asked}/logout",  # of `backchannelSupported`: no browser goes there
            "jwksUrl": certificates(at, of),
            "useJwksUrl": "true",
            "validateSignature": "true",
            "clientId": at.client,
            "clientAuthMethod": "private_key_jwt",
            "clientAssertionSigningAlg": "RS256",
            **audience,
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
            "jwks.url": certificates(at, of),
            "token.endpoint.auth.signing.alg": "RS256",
            "access.token.lifespan": SHORT,
            "post.logout.redirect.uris": f"{endpoint}/logout_response",
            "backchannel.logout.url": f"{_asked(at, of)}/logout/backchannel-logout",
            "backchannel.logout.session.required": "true",
        },
    }
