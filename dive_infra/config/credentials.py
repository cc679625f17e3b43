"""The secrets of a country: one table says what each is for, how strong it is, and who creates it.

A secret is given by `pulumi config set --secret dive:secrets...`, or generated once and kept in the stack's encrypted
state. The keys that a country's request to join is made of are created before its stack, by `./dive new`, and are in
its encrypted stack file. The catalog says how a secret reaches a container: as a file wherever the image reads one.
"""

import secrets
from dataclasses import dataclass
from typing import Literal

from dive_infra.config.countries import COUNTRIES

# 32 URL-safe characters; the same with one of every class that a realm's password policy asks for; private keys (PEM):
# RSA of 2048 bits, EC on P-256, Ed25519, X25519
Kind = Literal["password", "login", "rsa", "ec", "ed25519", "x25519"]
Owner = Literal["country", "hub"]  # each country, or the hub alone


_EVERY_CLASS = "-Aa1!"  # a character of each class that a realm's password policy asks for


@dataclass(frozen=True)
class Credential:
    """A row of the table; `minimum` is the least length accepted from the configuration, in characters.

    `enrolled`: a key that `./dive new` creates, because others know its public half before the country is deployed.
    """

    name: str
    purpose: str
    kind: Kind = "password"
    owner: Owner = "country"
    minimum: int = 16
    enrolled: bool = False


CREDENTIALS = (
    Credential("ca-key", "key of the country's CA, which signs the certificates of its services", "ec", enrolled=True),
    Credential("deployer-key", "signs the country's request to join and its status", "ed25519", enrolled=True),
    Credential("sealing-key", "opens what partners have sealed to the country", "x25519", enrolled=True),
    Credential(
        "policy-key",
        "signs the token with which the country asks the hub for policies; at the hub, the policies",
        "rsa",
        enrolled=True,
    ),
    Credential("coalition-key", "signs the coalition document", "ed25519", "hub", enrolled=True),
    Credential("postgres-superuser", "administers the Postgres server"),
    Credential("keycloak-db", "Keycloak's role in Postgres"),
    Credential("portal-db", "the portal's role in Postgres"),
    Credential("orchestration-db", "owner of the orchestration database"),
    Credential("mongodb", "root user of MongoDB"),
    Credential("redis", "default user of Redis"),
    Credential("keycloak-admin", "secret of the service account `dive-deployer` that configures Keycloak"),
    Credential("portal-client", "client secret of the portal"),
    Credential("portal-session", "signs the portal's session cookies", minimum=32),
    Credential("opa-token", "lets the backend and the key access service ask OPA for decisions"),
    Credential("opa-read", "lets the checks read what OPA decides by, and ask for decisions"),
    Credential("kas-key", "unwraps document keys", kind="rsa"),
    Credential("test-users", "password of the test users", kind="login", minimum=16),
    Credential("opal-master", "master token of the OPAL server", owner="hub", minimum=32),
)


# Of the probe persons of a country, by the code of the partner that each is for, or its own.
PROBES = {
    code: Credential(f"probe-{code.lower()}", f"password of the probe person for {code}", kind="login")
    for code in COUNTRIES
}


def own(is_hub: bool) -> list[Credential]:
    """Return the credentials of a country, beside those of its probe persons."""
    return [c for c in CREDENTIALS if c.owner == "country" or is_hub]


def enrolled(is_hub: bool) -> list[Credential]:
    """Return those of them that `./dive new` creates."""
    return [c for c in own(is_hub) if c.enrolled]


def generate_password(kind: str) -> str:
    """Return a new random password of this kind (`password` or `login`); `strong` accepts each `login`."""
    return secrets.token_urlsafe(24) + (_EVERY_CLASS if kind == "login" else "")


def strong(password: str) -> bool:
    """Return True if a password meets the realm's policy, which an import does not enforce."""
    kinds = (str.isupper, str.islower, str.isdigit, lambda c: not c.isalnum())
    return len(password) >= 16 and all(any(map(kind, password)) for kind in kinds)
