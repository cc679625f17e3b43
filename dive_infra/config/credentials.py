"""The secrets of a country: one table says what each is for, how strong it is, and who creates it.

A secret is given by `pulumi config set --secret dive:secrets...`, or generated once and kept in the stack's encrypted
state. The catalog says how it reaches a container: as a file wherever the image reads one.
"""

import secrets
from dataclasses import dataclass
from typing import Literal

# 32 URL-safe characters; the same with one of every class that a realm's password policy asks for;
# a 2048-bit key (PEM); made from another secret
Kind = Literal["password", "login", "rsa", "derived"]
Owner = Literal["country", "hub", "spoke", "issued"]  # each country; one kind; the hub for each country it approves


_EVERY_CLASS = "-Aa1!"  # a character of each class that a realm's password policy asks for


@dataclass(frozen=True)
class Credential:
    """A row of the table; `minimum` is the least length accepted from the configuration, in characters."""

    name: str
    purpose: str
    kind: Kind = "password"
    owner: Owner = "country"
    minimum: int = 16


CREDENTIALS = (
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
    Credential("opa-feed", "lets the OPAL client write the policies and data of OPA", owner="spoke"),
    Credential("kas-key", "unwraps document keys", kind="rsa"),
    Credential("test-users", "password of the test users", kind="login", minimum=16),
    Credential("opal-key", "signs the tokens of OPAL's clients", kind="rsa", owner="hub"),
    Credential("opal-master", "master token of the OPAL server", owner="hub", minimum=32),
    Credential("opal-token", "a country's token at the hub's OPAL server and policy endpoints", "derived", "issued"),
)


def own(is_hub: bool) -> list[Credential]:
    """Return the credentials that a country's own stack creates."""
    return [c for c in CREDENTIALS if c.owner in ("country", "hub" if is_hub else "spoke")]


def issued() -> list[Credential]:
    """Return the credentials that the hub creates for a country it approves."""
    return [c for c in CREDENTIALS if c.owner == "issued"]


def generate_password(kind: str) -> str:
    """Return a new random password of this kind (`password` or `login`); `strong` accepts each `login`."""
    return secrets.token_urlsafe(24) + (_EVERY_CLASS if kind == "login" else "")


def strong(password: str) -> bool:
    """Return True if a password meets the realm's policy, which an import does not enforce."""
    kinds = (str.isupper, str.islower, str.isdigit, lambda c: not c.isalnum())
    return len(password) >= 16 and all(any(map(kind, password)) for kind in kinds)
