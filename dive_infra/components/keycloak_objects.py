"""Converts Keycloak's own representations, as in the tables of `identity`, to Pulumi's resources."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pulumi_keycloak as keycloak

from dive_infra.identity.realm_data import OIDC, Json, Mapper

_Arguments = dict[str, Any]


def snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


def go_duration(seconds: int) -> str:
    """Return the provider's own spelling, so that a refresh sees no difference: `8h0m0s`, `15m0s`, `30s`."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}h{minutes}m{left}s" if hours else f"{minutes}m{left}s" if minutes else f"{left}s"


def _same(value: Any) -> Any:
    return value


def _flag(value: Any) -> bool:
    return bool(value == "true")


def _lines(value: Any) -> list[str]:
    return str(value).split("##")


_Table = Mapping[str, tuple[str, Callable[[Any], Any]]]

_CLIENT: _Table = {
    "clientId": ("client_id", _same),
    "redirectUris": ("valid_redirect_uris", _same),
    "frontchannelLogout": ("frontchannel_logout_enabled", _same),
}
_CLIENT_ATTRIBUTES: _Table = {
    "pkce.code.challenge.method": ("pkce_code_challenge_method", _same),
    "access.token.lifespan": ("access_token_lifespan", _same),
    "post.logout.redirect.uris": ("valid_post_logout_redirect_uris", _lines),
    "backchannel.logout.url": ("backchannel_logout_url", _same),
    "backchannel.logout.session.required": ("backchannel_logout_session_required", _flag),
}
_PROVIDER: _Table = {"hideOnLogin": ("hide_on_login_page", _same)}
_SAME_NAME = (
    "issuer",
    "authorizationUrl",
    "tokenUrl",
    "userInfoUrl",
    "logoutUrl",
    "jwksUrl",
    "clientId",
    "syncMode",
    "guiOrder",
)
_PROVIDER_CONFIG: _Table = {
    "backchannelSupported": ("backchannel_supported", _flag),
    "validateSignature": ("validate_signature", _flag),
    "defaultScope": ("default_scopes", _same),
    **{key: (snake(key), _same) for key in _SAME_NAME},
}


def _split(config: Mapping[str, Any], table: _Table) -> tuple[_Arguments, dict[str, str]]:
    """Return what the resource has arguments for, and the rest, for `extra_config`."""
    own = {table[k][0]: table[k][1](v) for k, v in config.items() if k in table}
    return own, {k: v for k, v in config.items() if k not in table}


def _top(representation: Json, table: _Table, without: tuple[str, ...]) -> _Arguments:
    left = {k: v for k, v in representation.items() if k not in without}
    return {table[k][0] if k in table else snake(k): table[k][1](v) if k in table else v for k, v in left.items()}


def client(
    name: str, realm: pulumi.Input[str], representation: Json, opts: pulumi.ResourceOptions, secret: Any = None
) -> keycloak.openid.Client:
    """Create a confidential client; without a `secret`, Keycloak generates one."""
    attributes: Any = representation["attributes"]
    own, extra = _split(attributes, _CLIENT_ATTRIBUTES)
    arguments = {**_top(representation, _CLIENT, ("attributes", "publicClient")), **own}
    return keycloak.openid.Client(
        name,
        realm_id=realm,
        access_type="CONFIDENTIAL",
        client_secret=secret,
        extra_config=extra or None,
        opts=opts,
        **arguments,
    )


def protocol_mapper(
    name: str, realm: pulumi.Input[str], mapper: Mapper, opts: pulumi.ResourceOptions, **holder: pulumi.Input[str]
) -> keycloak.GenericProtocolMapper:
    """Create a mapper of `client_id=` or `client_scope_id=` (Keycloak's ids)."""
    return keycloak.GenericProtocolMapper(
        f"{name}-{mapper.name}",
        realm_id=realm,
        name=mapper.name,
        protocol=OIDC,
        protocol_mapper=mapper.kind,
        config=dict(mapper.config),
        opts=opts,
        **holder,
    )


def identity_provider(
    name: str, realm: pulumi.Input[str], representation: Json, secret: str, opts: pulumi.ResourceOptions
) -> keycloak.oidc.IdentityProvider:
    config: Any = representation["config"]
    # The provider derives `useJwksUrl` from `jwks_url` and rejects both.
    own, extra = _split({k: v for k, v in config.items() if k != "useJwksUrl"}, _PROVIDER_CONFIG)
    arguments = {**_top(representation, _PROVIDER, ("config",)), **own}
    return keycloak.oidc.IdentityProvider(
        name, realm=realm, client_secret=secret, extra_config=extra, opts=opts, **arguments
    )


def identity_provider_mapper(
    name: str, realm: pulumi.Input[str], alias: pulumi.Input[str], mapper: Mapper, opts: pulumi.ResourceOptions
) -> keycloak.CustomIdentityProviderMapping:
    return keycloak.CustomIdentityProviderMapping(
        f"{name}-{mapper.name}",
        realm=realm,
        name=mapper.name,
        identity_provider_alias=alias,
        identity_provider_mapper=mapper.kind,
        extra_config=dict(mapper.config),
        opts=opts,
    )
