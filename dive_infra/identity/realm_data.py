"""What a country's realm holds, as tables of Keycloak's own representations (keys as in its REST API).

The realm component declares these tables, and `realm_diff` compares the live realm with them. Durations are seconds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from dive_infra.config.clearances import LEVELS
from dive_infra.config.naming import Names

Json = dict[str, object]

OIDC = "openid-connect"
SHORT = "300"  # seconds that the access token of a service account or a broker lives
PORTAL_AUDIENCE = "dive-v3-backend"  # in every access token of the portal; the backend and the KAS ask for it
FIRST_LOGIN_FLOW = "dive first broker login"
FIRST_LOGIN_PURPOSE = "Makes an account for a partner's person; an account that exists is an error, never a link"
REALM_MANAGEMENT = "realm-management"  # Keycloak's own client, which holds the roles of a realm's administrators
BACKEND_CLIENT = "dive-v3-backend-client"

_LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl")
# Languages that Keycloak's login pages speak (serverinfo, themes.login), among those of the country table.
_TRANSLATED = frozenset(
    (
        *("ar", "ca", "cs", "da", "de", "el", "en", "es", "fi", "fr", "hr", "hu", "it", "ja", "ko", "lt", "lv", "nl"),
        *("no", "pl", "pt", "ro", "sk", "sl", "sv", "tr", "uk"),
    )
)


def default_locale(names: Names) -> str:
    """Return the country's language if Keycloak has it, else English."""
    locale = names.country.locale
    return locale if locale in _TRANSLATED else "en"


def locales(names: Names) -> list[str]:
    return sorted({*_LANGUAGES, default_locale(names)})


LIFESPANS = {
    "accessTokenLifespan": 900,
    "ssoSessionIdleTimeout": 900,
    "ssoSessionMaxLifespan": 8 * 3600,
    "offlineSessionIdleTimeout": 720 * 3600,
}

SETTINGS: Json = {
    "enabled": True,
    "sslRequired": "all",
    "registrationAllowed": False,
    # An account claims no mail address: a partner's person who was deleted and recreated at home would be refused for
    # the address of the old account. No one is found by an address either: Keycloak allows one or the other.
    "loginWithEmailAllowed": False,
    "duplicateEmailsAllowed": True,
    "editUsernameAllowed": False,
    "resetPasswordAllowed": False,  # CVE-2026-18963's path; there is no mail server either
    "rememberMe": False,
    "verifyEmail": False,
    "revokeRefreshToken": True,
    "refreshTokenMaxReuse": 1,
    "passwordPolicy": (
        "length(16) and upperCase(1) and lowerCase(1) and digits(1) and specialChars(1)"
        " and notUsername(undefined) and notEmail(undefined) and passwordHistory(5)"
    ),
}

# Keycloak's key -> (the Pulumi argument, value)
BRUTE_FORCE: dict[str, tuple[str, int | bool]] = {
    "permanentLockout": ("permanent_lockout", False),
    "failureFactor": ("max_login_failures", 5),
    "waitIncrementSeconds": ("wait_increment_seconds", 60),
    "maxFailureWaitSeconds": ("max_failure_wait_seconds", 900),
    "maxDeltaTimeSeconds": ("failure_reset_time_seconds", 12 * 3600),
    "quickLoginCheckMilliSeconds": ("quick_login_check_milli_seconds", 1000),
    "minimumQuickLoginWaitSeconds": ("minimum_quick_login_wait_seconds", 60),
}
HEADERS: dict[str, str] = {
    "xFrameOptions": "DENY",
    "contentSecurityPolicy": "frame-src 'self'; frame-ancestors 'none'; object-src 'none';",
    "xContentTypeOptions": "nosniff",
    "xRobotsTag": "none",
    "referrerPolicy": "no-referrer",
    "strictTransportSecurity": "max-age=31536000; includeSubDomains",
}
WEBAUTHN: Json = {
    "signatureAlgorithms": ["ES256", "RS256"],
    "userVerificationRequirement": "required",
    "createTimeout": 60,
}
WEBAUTHN_PASSWORDLESS: Json = {**WEBAUTHN, "createTimeout": 120, "requireResidentKey": "Yes"}

EVENTS: Json = {
    "eventsEnabled": True,
    "eventsExpiration": 7 * 24 * 3600,
    "eventsListeners": ["jboss-logging"],
    "adminEventsEnabled": True,
    "adminEventsDetailsEnabled": True,
    "enabledEventTypes": [
        "CODE_TO_TOKEN_ERROR",
        "IDENTITY_PROVIDER_FIRST_LOGIN",
        "IDENTITY_PROVIDER_FIRST_LOGIN_ERROR",
        "IDENTITY_PROVIDER_LOGIN",
        "IDENTITY_PROVIDER_LOGIN_ERROR",
        "LOGIN",
        "LOGIN_ERROR",
        "LOGOUT",
    ],
}


def attributes(names: Names) -> dict[str, str]:
    """Return the realm's attributes: the one public address, and the levels of assurance (a number and a URN each)."""
    levels = {name: level for level in (1, 2, 3) for name in (str(level), f"urn:dive25:aal:{level}")}
    return {"frontendUrl": names.url("keycloak"), "acr.loa.map": json.dumps(levels, sort_keys=True)}


def display_name(names: Names) -> str:
    return f"DIVE V3 {names.country.name}"


@dataclass(frozen=True)
class Mapper:
    """A protocol mapper; `config` says which of the three kinds of token carry the claim."""

    name: str
    kind: str
    config: Mapping[str, str]


_EVERYWHERE = {f"{token}.token.claim": "true" for token in ("id", "access", "userinfo", "introspection")}


def _claim(kind: str, claim: str, config: Mapping[str, str], many: bool = False) -> Mapper:
    shape = {"claim.name": claim, "jsonType.label": "String", "multivalued": str(many).lower()}
    return Mapper(claim, kind, {**config, **shape, **_EVERYWHERE})


def _attribute(attribute: str, claim: str = "", many: bool = False) -> Mapper:
    return _claim("oidc-usermodel-attribute-mapper", claim or attribute, {"user.attribute": attribute}, many)


# Client scopes of our own; every client of the realm gets them by default.
SCOPES: dict[str, tuple[Mapper, ...]] = {
    "uniqueID": (_attribute("uniqueID"),),
    "clearance": (_attribute("clearance"),),
    "countryOfAffiliation": (_attribute("countryOfAffiliation"),),
    "acpCOI": (_attribute("acpCOI", many=True),),
    "affiliation": (_attribute("organization"), _attribute("organizationType")),
    "user_amr": (_attribute("amr", "user_amr", many=True),),
    "user_acr": (_attribute("acr", "user_acr"),),
}
BUILT_IN_SCOPES = ("acr", "basic", "email", "profile", "roles", "web-origins")
DEFAULT_SCOPES = (*BUILT_IN_SCOPES, *SCOPES)


def _roles(claim: str) -> Mapper:
    return _claim("oidc-usermodel-realm-role-mapper", claim, {}, many=True)


PORTAL_MAPPERS = (
    Mapper(
        "audience",
        "oidc-audience-mapper",
        {
            "included.custom.audience": PORTAL_AUDIENCE,
            "id.token.claim": "false",
            "access.token.claim": "true",
            "userinfo.token.claim": "false",
            "introspection.token.claim": "true",
        },
    ),
    _roles("realm_access.roles"),
    _roles("realm_roles"),
    _roles("dive_roles"),
    Mapper("amr", "oidc-amr-mapper", _EVERYWHERE),
)

ROLES = {
    "user": "reads what the policy permits",
    "admin": "administers the country's instance",
    "super_admin": "administers the coalition",
}
DEFAULT_ROLES = ("user",)  # the role of a partner's user here
GROUPS = {"users": "user", "admins": "admin", "super_admins": "super_admin"}  # group -> its role


def portal_client(names: Names) -> Json:
    """Return the portal: confidential, authorization code with PKCE, exact redirect URIs."""
    url = names.url("frontend")
    return {
        "clientId": names.client,
        "name": f"Portal of {names.country.name}",
        "enabled": True,
        "publicClient": False,
        "standardFlowEnabled": True,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
        "frontchannelLogout": False,
        "redirectUris": [f"{url}/callback"],
        "webOrigins": [url],
        "baseUrl": url,
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{url}##{url}/",
            "access.token.lifespan": str(LIFESPANS["accessTokenLifespan"]),
        },
    }


def backend_client(names: Names) -> Json:
    """Return a service account without any role, for what the backend does in its own name."""
    return {
        "clientId": BACKEND_CLIENT,
        "name": f"Backend of {names.country.name}",
        "enabled": True,
        "publicClient": False,
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": True,
        "frontchannelLogout": False,
        "attributes": {"access.token.lifespan": SHORT},
    }


Validators = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class ProfileAttribute:
    """A row of the user profile. Only administrators edit.

    `people`: users see it themselves (and must have it, for names and mail). Tokens lack the claim of an attribute that
    users do not see.
    """

    name: str
    validators: Validators = field(default_factory=dict[str, Mapping[str, object]])
    many: bool = False
    group: str = "dive-attributes"
    people: bool = False
    required: bool = False

    @property
    def display_name(self) -> str:
        """Keycloak translates its own; ours have one name everywhere."""
        return f"${{{self.name}}}" if not self.group else self.name

    @property
    def view(self) -> list[str]:
        return ["admin", "user"] if self.people else ["admin"]


def _length(most: int, least: int = 0) -> Validators:
    return {"length": {"min": least, "max": most} if least else {"max": most}}


_NAME: Validators = {**_length(255), "person-name-prohibited-characters": {}}
_USERNAME: Validators = {
    **_length(255, 3),
    "username-prohibited-characters": {},
    "up-username-not-idn-homograph": {},
}

PROFILE = (
    ProfileAttribute("username", _USERNAME, group="", people=True),
    ProfileAttribute("email", {"email": {}, **_length(255)}, group="", people=True, required=True),
    ProfileAttribute("firstName", _NAME, group="", people=True, required=True),
    ProfileAttribute("lastName", _NAME, group="", people=True, required=True),
    ProfileAttribute("uniqueID", _length(255, 3), people=True),
    ProfileAttribute("clearance", {"options": {"options": list(LEVELS)}}, people=True),
    ProfileAttribute("countryOfAffiliation", _length(3, 3), people=True),
    ProfileAttribute("acpCOI", {"multivalued": {"max": 50}}, many=True, people=True),
    ProfileAttribute("organization", _length(255), people=True),
    ProfileAttribute("organizationType", {"options": {"options": ["GOV", "MIL", "INDUSTRY"]}}, people=True),
    ProfileAttribute("amr", {"multivalued": {"max": 10}}, many=True, people=True),
    ProfileAttribute("acr", _length(64), people=True),
    ProfileAttribute("userType", _length(64)),
    ProfileAttribute("clearanceOriginal", _length(255)),
    ProfileAttribute("clearance_level", {"integer": {"min": 1, "max": 5}}),
    ProfileAttribute("dutyOrg", _length(255)),
    ProfileAttribute("orgUnit", _length(255)),
    ProfileAttribute("primaryEndorser", _length(255)),
    ProfileAttribute("industry_user", _length(5)),
    ProfileAttribute("pilot_user", _length(5)),
    ProfileAttribute("created_by", _length(255)),
)
PROFILE_GROUPS = {
    "user-metadata": ("User metadata", "Attributes, which refer to user metadata"),
    "dive-attributes": ("DIVE attributes", "What policies decide by"),
}


def profile_groups() -> dict[str, Json]:
    """Return the groups of attributes as Keycloak does."""
    return {
        name: {"name": name, "displayHeader": header, "displayDescription": text}
        for name, (header, text) in PROFILE_GROUPS.items()
    }


def profile() -> dict[str, Json]:
    """Return the user profile by attribute as Keycloak does."""
    return {row.name: _attribute_representation(row) for row in PROFILE}


def _attribute_representation(row: ProfileAttribute) -> Json:
    found: Json = {
        "name": row.name,
        "displayName": row.display_name,
        "multivalued": row.many,
        "validations": row.validators,
        "permissions": {"view": row.view, "edit": ["admin"]},
    }
    if row.group:
        found["group"] = row.group
    if row.required:
        found["required"] = {"roles": ["user"]}
    return found


def representation(names: Names) -> Json:
    """Return the realm's settings as Keycloak does."""
    return {
        "displayName": display_name(names),
        **SETTINGS,
        **LIFESPANS,
        **EVENTS,
        "bruteForceProtected": True,
        **{key: value for key, (_, value) in BRUTE_FORCE.items()},
        "browserSecurityHeaders": HEADERS,
        "internationalizationEnabled": True,
        "supportedLocales": locales(names),
        "defaultLocale": default_locale(names),
        "attributes": attributes(names),
        **_policy("webAuthnPolicy", WEBAUTHN),
        **_policy("webAuthnPolicyPasswordless", WEBAUTHN_PASSWORDLESS),
    }


def _policy(prefix: str, table: Json) -> Json:
    return {f"{prefix}{key[0].upper()}{key[1:]}": value for key, value in table.items()}
