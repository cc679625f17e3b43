"""The keys of a country and the request that is made of them: what `./dive new` creates."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from dive_infra.config.credentials import Credential
from dive_infra.config.naming import Names
from dive_infra.config.settings import Settings
from dive_infra.crypto import pki
from dive_infra.membership import authority, keys
from dive_infra.membership.request import Request
from dive_infra.membership.zone import endpoints_of

_CREATE = {
    "ec": keys.new_authority_key,
    "ed25519": keys.new_signing_key,
    "x25519": keys.new_sealing_key,
    "rsa": keys.new_policy_key,
}


def new_keys(credentials: Iterable[Credential]) -> dict[str, str]:
    """Return a new private key (PEM) for each of these credentials, by name."""
    return {c.name: _CREATE[c.kind]() for c in credentials}


def private_keys(settings: Settings) -> dict[str, str]:
    """Return the secrets of the stack file by name, in plain text."""
    return {name: value.get_secret_value() for name, value in settings.secrets.items()}


def request_of(names: Names, private: Mapping[str, str], created: datetime) -> Request:
    """Return the request of a country that has these names and private keys (credential -> PEM)."""
    code = names.country.code
    return Request(
        country=code,
        zone=names.zone,
        endpoints=endpoints_of(names),
        signing_request=authority.signing_request(code, private["ca-key"]),
        deployer_key=keys.public_text(private["deployer-key"]),
        sealing_key=keys.public_text(private["sealing-key"]),
        policy_key=pki.public_key(private["policy-key"]),
        created=created,
        address=names.address,
    )
