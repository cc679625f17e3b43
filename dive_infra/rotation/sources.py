"""Where new values of a country's secrets come from: random, an environment file, or Google Secret Manager.

Outside this program a secret has the name that DIVE V3 gave it (`POSTGRES_PASSWORD_FRA`, `dive-v3-redis-password-fra`);
a secret that V3 did not have gets its name here in the same form.
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
    """The source cannot be read; the message says what was expected, and holds no value."""


@dataclass(frozen=True)
class ExternalName:
    """A secret's names outside: of the variable before `_<CODE>`, and of Google's secret before `-<code>`.

    `hub` is Google's whole name at the hub; `shared` is one whole name for all countries.
    """

    variable: str
    google: str
    hub: str = ""
    shared: str = ""


_TABLE: Mapping[str, ExternalName] = {
    "postgres-superuser": ExternalName("POSTGRES_PASSWORD", "postgres-password", hub="postgres-usa"),
    "mongodb": ExternalName("MONGO_PASSWORD", "mongo-password", hub="mongodb-usa"),
    "redis": ExternalName("REDIS_PASSWORD", "redis-password"),
    "keycloak-admin": ExternalName("KEYCLOAK_ADMIN_PASSWORD", "keycloak-admin-password", hub="keycloak-usa"),
    "portal-client": ExternalName("KEYCLOAK_CLIENT_SECRET", "keycloak-client-secret", hub="keycloak-client-secret"),
    "portal-session": ExternalName("AUTH_SECRET", "auth-secret"),
    "test-users": ExternalName("TEST_USER_PASSWORD", "test-user-password", shared="test-user-password"),
    "opal-master": ExternalName("OPAL_AUTH_MASTER_TOKEN", "opal-auth-master-token"),
}


def external_name(name: str) -> ExternalName:
    """Return the names of a secret outside this program."""
    return _TABLE.get(name) or ExternalName(name.replace("-", "_").upper(), name)


def variable_name(name: str, country: Country) -> str:
    """Return the name in an environment file: `POSTGRES_PASSWORD_FRA`."""
    return f"{external_name(name).variable}_{country.code}"


def google_name(name: str, country: Country) -> str:
    """Return the name in Secret Manager: `dive-v3-postgres-password-fra`, at the hub `dive-v3-postgres-usa`."""
    names = external_name(name)
    whole = names.shared or (names.hub if country.is_hub else "")
    return _PREFIX + (whole or f"{names.google}-{country.lower}")


def generated(credentials: Sequence[Credential]) -> dict[str, str]:
    """Return a new random value for each credential, of its kind."""
    return {c.name: _random(c) for c in credentials}


def _random(credential: Credential) -> str:
    if credential.kind == "rsa":
        return pki.rsa_key()
    return generate_password(credential.kind)


def from_file(path: Path, credentials: Sequence[Credential], country: Country) -> dict[str, str]:
    """Return name -> value for the credentials in an environment file; raises `SourceError`.

    Quotes, comments and line breaks are read as a shell reads them; a dollar sign is literal.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file; expected lines such as {variable_name('redis', country)}=…")
    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8")
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not UTF-8 text") from None
    wanted = {c.name: found.get(variable_name(c.name, country)) for c in credentials}
    return {name: value for name, value in wanted.items() if value is not None}


def from_google(project: str, credentials: Sequence[Credential], country: Country) -> dict[str, str]:
    """Return name -> latest version for the credentials in the project; raises `SourceError`."""
    # Importing Google's client takes two seconds.
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
        return data.decode().removesuffix("\n")  # most tools append one
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
