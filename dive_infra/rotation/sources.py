"""Where new values of a country's secrets come from: random, Pulumi's configuration, a file, or Google Secret Manager.

Outside this program a secret has the name that DIVE V3 gave it (`POSTGRES_PASSWORD_FRA`, `dive-v3-redis-password-fra`);
what V3 did not have is called the same way after its name here.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from dive_infra.config.countries import Country
from dive_infra.config.credentials import Credential, generate_password
from dive_infra.config.timeouts import SECRET_MANAGER_REQUEST
from dive_infra.crypto import pki
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

EMULATOR = "SECRET_MANAGER_EMULATOR_HOST"  # host:port of a stand-in for Google's service, for tests
_PREFIX = "dive-v3-"


class SourceError(DiveError, ValueError):
    """The source can't be read; says what was expected, never a value."""


@dataclass(frozen=True)
class Outside:
    """How a secret is called outside: a variable's name before `_<CODE>`, Google's before `-<code>`; `hub` is Google's
    whole name at the hub, and `shared` one for all countries."""

    variable: str
    google: str
    hub: str = ""
    shared: str = ""


_TABLE: Mapping[str, Outside] = {
    "postgres-superuser": Outside("POSTGRES_PASSWORD", "postgres-password", hub="postgres-usa"),
    "mongodb": Outside("MONGO_PASSWORD", "mongo-password", hub="mongodb-usa"),
    "redis": Outside("REDIS_PASSWORD", "redis-password"),
    "keycloak-admin": Outside("KEYCLOAK_ADMIN_PASSWORD", "keycloak-admin-password", hub="keycloak-usa"),
    "portal-client": Outside("KEYCLOAK_CLIENT_SECRET", "keycloak-client-secret", hub="keycloak-client-secret"),
    "portal-session": Outside("AUTH_SECRET", "auth-secret"),
    "test-users": Outside("TEST_USER_PASSWORD", "test-user-password", shared="test-user-password"),
    "opal-master": Outside("OPAL_AUTH_MASTER_TOKEN", "opal-auth-master-token"),
}


def outside(name: str) -> Outside:
    return _TABLE.get(name) or Outside(name.replace("-", "_").upper(), name)


def variable(name: str, country: Country) -> str:
    """`POSTGRES_PASSWORD_FRA`"""
    return f"{outside(name).variable}_{country.code}"


def google_name(name: str, country: Country) -> str:
    """`dive-v3-postgres-password-fra`; at the hub `dive-v3-postgres-usa`."""
    called = outside(name)
    whole = called.shared or (called.hub if country.is_hub else "")
    return _PREFIX + (whole or f"{called.google}-{country.lower}")


def generated(credentials: Sequence[Credential]) -> dict[str, str]:
    """A new random value for each, by its kind."""
    return {c.name: _random(c) for c in credentials}


def _random(credential: Credential) -> str:
    if credential.kind == "rsa":
        return pki.rsa_key()
    return generate_password(credential.kind)


def from_file(path: Path, credentials: Sequence[Credential], country: Country) -> dict[str, str]:
    """Those of the credentials that an environment file holds.

    Quotes, comments and line breaks are read as a shell reads them; a dollar sign is itself.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file; expected lines such as {variable('redis', country)}=…")
    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8")
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not UTF-8 text") from None
    wanted = {c.name: found.get(variable(c.name, country)) for c in credentials}
    return {name: value for name, value in wanted.items() if value is not None}


def from_google(project: str, credentials: Sequence[Credential], country: Country) -> dict[str, str]:
    """The latest version of those of the credentials that the project holds; raises `SourceError`."""
    # It loads for two seconds: only where it is used.
    from google.api_core.exceptions import GoogleAPICallError, NotFound
    from google.auth.exceptions import GoogleAuthError

    found: dict[str, str] = {}
    try:
        client = _google()
        for credential in credentials:
            secret = google_name(credential.name, country)
            path = f"projects/{project}/secrets/{secret}/versions/latest"
            try:
                answer = client.access_secret_version(name=path, timeout=SECRET_MANAGER_REQUEST)
            except NotFound:
                continue
            found[credential.name] = _text(answer.payload.data, secret)
    except (GoogleAPICallError, GoogleAuthError) as error:
        raise SourceError(
            f"Google Secret Manager, project {project}: {' '.join(str(error).split())}",
            Remedy.run("gcloud auth application-default login"),
            expected="application default credentials with the role Secret Manager Secret Accessor",
        ) from None
    return found


def _text(data: bytes, secret: str) -> str:
    try:
        return data.decode().removesuffix("\n")  # as most tools write it
    except UnicodeDecodeError:
        raise SourceError(f"Google's {secret}: not UTF-8 text") from None


def _google() -> Any:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    if not (stand_in := os.environ.get(EMULATOR)):
        return SecretManagerServiceClient()
    import grpc

    channel = grpc.insecure_channel(stand_in)
    return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
