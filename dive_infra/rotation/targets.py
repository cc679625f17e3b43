"""For each credential: the server that enforces it, how to verify a value there, and how to rotate it.

A server that can be changed while it runs is changed first. The others read their secret from a file, and accept a new
one once their container is recreated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

import httpx
import psycopg
import pymongo.errors
import redis
from psycopg.sql import SQL, Identifier, Literal

from dive_infra.catalog import policy
from dive_infra.catalog.databases import DATABASES
from dive_infra.catalog.datastores import ROOT_USER, SUPERUSER
from dive_infra.checks import objects, out_of_step
from dive_infra.checks.runner import CheckUnknown
from dive_infra.clients import mongodb, postgres
from dive_infra.clients import redis as redis_client
from dive_infra.config.countries import parse
from dive_infra.config.credentials import PROBES
from dive_infra.config.naming import DEPLOYER, Names
from dive_infra.config.timeouts import SECRET_ROTATION_REQUEST
from dive_infra.identity import https, users
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, KeycloakError
from dive_infra.identity.login import login
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DatabaseAccess, LoginRefused, Unreachable
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

_AUTHENTICATION_FAILED = 18  # MongoDB's code


class RotationFailed(DiveError):
    """The server was not changed; the message holds no value."""


@dataclass(frozen=True)
class CountryServers:
    """Where a country's servers are; `secrets` are the values in force, updated with each change."""

    names: Names
    ca: str = field(repr=False)
    secrets: dict[str, str] = field(repr=False)


class Target:
    """A server that enforces a credential. `rotates`: it can be changed while it runs."""

    rotates: ClassVar[bool] = True

    def verify(self, at: CountryServers, value: str) -> bool:
        """Return True if the server accepts the value; raises `CheckUnknown` if it does not answer."""
        raise NotImplementedError

    def rotate(self, at: CountryServers, old: str, new: str) -> None:
        """Change the value on the server; raises `RotationFailed`."""
        raise NotImplementedError

    def revert(self, at: CountryServers, old: str, new: str) -> None:
        """Undo `rotate(at, old, new)`; raises `RotationFailed`."""
        self.rotate(at, new, old)

    def mend(self, at: CountryServers) -> Remedy:
        """Return what gives a server that holds another value the one of the state; raises `CheckUnknown`."""
        return Remedy.deploy(at.names.country.code)


@dataclass(frozen=True)
class PostgresRole(Target):
    """A role of the country's Postgres; the superuser changes it."""

    role: str
    database: str

    def verify(self, at: CountryServers, value: str) -> bool:
        try:
            self._connect(at, self.role, value, self.database).close()
        except LoginRefused as error:
            if error.state == postgres.WRONG_PASSWORD:
                return False
            raise CheckUnknown(error.cause) from None
        except Unreachable as error:
            raise CheckUnknown(error.cause) from None
        return True

    def rotate(self, at: CountryServers, old: str, new: str) -> None:
        try:
            with self._connect(at, SUPERUSER, at.secrets["postgres-superuser"], SUPERUSER) as live:
                # Only the salted hash is sent: statements and their logs never hold the value.
                hashed = live.pgconn.encrypt_password(new.encode(), self.role.encode(), b"scram-sha-256").decode()
                statement = SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(self.role), Literal(hashed))
                postgres.repeated(lambda: live.execute(statement))
        except (LoginRefused, Unreachable) as error:
            raise RotationFailed(error.cause) from None
        except psycopg.Error as error:
            raise RotationFailed(
                f"ALTER ROLE {self.role} failed: {error.diag.message_primary or error.sqlstate}"
            ) from None

    def mend(self, at: CountryServers) -> Remedy:
        if self.role == SUPERUSER:
            return out_of_step.postgres(objects.connect(), at.names)
        return Remedy.deploy(at.names.country.code, "the superuser gives it the one of the state")

    def _connect(self, at: CountryServers, role: str, password: str, database: str) -> "psycopg.Connection[Any]":
        access = DatabaseAccess.of(at.names, role, password, at.ca, database)
        return connection.connect(access, "dive secrets", SECRET_ROTATION_REQUEST)


@dataclass(frozen=True)
class MongoRoot(Target):
    """The root user of MongoDB."""

    def verify(self, at: CountryServers, value: str) -> bool:
        try:
            with self._client(at, value) as client:
                client.admin.command("listDatabases", nameOnly=True)
        except pymongo.errors.OperationFailure as error:
            if error.code == _AUTHENTICATION_FAILED:
                return False
            raise CheckUnknown(f"MongoDB: error {error.code}") from None
        except pymongo.errors.PyMongoError as error:
            raise CheckUnknown(f"MongoDB: {type(error).__name__}") from None
        return True

    def rotate(self, at: CountryServers, old: str, new: str) -> None:
        try:
            with self._client(at, old) as client:
                client.admin.command("updateUser", ROOT_USER, pwd=new)
        except pymongo.errors.OperationFailure as error:
            raise RotationFailed(f"MongoDB refused updateUser: error {error.code}") from None
        except pymongo.errors.PyMongoError as error:
            raise RotationFailed(f"MongoDB: {type(error).__name__}") from None

    def mend(self, at: CountryServers) -> Remedy:
        return out_of_step.mongodb(objects.connect(), at.names)

    def _client(self, at: CountryServers, password: str) -> mongodb.Client:
        return mongodb.client(
            at.names.published, at.names.port("mongodb"), ROOT_USER, password, at.ca, SECRET_ROTATION_REQUEST
        )


@dataclass(frozen=True)
class RedisUser(Target):
    """The default user of Redis, which accepts both values until it restarts with its new file."""

    def verify(self, at: CountryServers, value: str) -> bool:
        try:
            self._client(at, value).ping()
        except redis.AuthenticationError:
            return False
        except redis.RedisError as error:
            raise CheckUnknown(f"Redis: {type(error).__name__}") from None
        return True

    def rotate(self, at: CountryServers, old: str, new: str) -> None:
        self._set(at, old, f"#{sha256(new.encode()).hexdigest()}")

    def revert(self, at: CountryServers, old: str, new: str) -> None:
        self._set(at, old, f"!{sha256(new.encode()).hexdigest()}")

    def mend(self, at: CountryServers) -> Remedy:
        return Remedy.restart(at.names.country.code, "redis")

    def _set(self, at: CountryServers, password: str, rule: str) -> None:
        try:
            self._client(at, password).execute_command("ACL", "SETUSER", "default", rule)  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            raise RotationFailed(f"Redis: {type(error).__name__}") from None

    def _client(self, at: CountryServers, password: str) -> "redis.Redis":
        return redis_client.client(at.names.published, at.names.port("redis"), password, at.ca, SECRET_ROTATION_REQUEST)


@dataclass(frozen=True)
class KeycloakClient(Target):
    """A confidential client; `realm` is empty for the country's own realm."""

    client: str
    realm: str = ""

    def verify(self, at: CountryServers, value: str) -> bool:
        """Introspect an invalid token: Keycloak answers only to the client itself."""
        path = f"/realms/{self.realm or at.names.realm}/protocol/openid-connect/token/introspect"
        form = {"client_id": self._id(at), "client_secret": value, "token": "none"}
        return _status(at, "keycloak", path, data=form)

    def rotate(self, at: CountryServers, old: str, new: str) -> None:
        realm = f"/realms/{self.realm or at.names.realm}"
        access = KeycloakAccess.of(at.names, at.ca, at.secrets["keycloak-admin"])
        try:
            with KeycloakAdmin(access, SECRET_ROTATION_REQUEST) as admin:
                for found in admin.get(f"{realm}/clients", clientId=self._id(at)):
                    admin.put(f"{realm}/clients/{found['id']}", {**found, "secret": new})
                    return
        except KeycloakError as error:
            raise RotationFailed(error.cause, error.remedy) from None
        raise RotationFailed(f"client {self._id(at)} does not exist", Remedy.deploy(at.names.country.code))

    def mend(self, at: CountryServers) -> Remedy:
        if self.client == DEPLOYER:
            return out_of_step.keycloak(objects.connect(), at.names)
        return Remedy.refresh(at.names.country.code)

    def _id(self, at: CountryServers) -> str:
        return self.client or at.names.client


@dataclass(frozen=True)
class Bearer(Target):
    """A service that accepts the value as a bearer token."""

    service: str
    path: str
    body: Mapping[str, Any] | None  # without one, the request is a GET
    rotates = False

    def verify(self, at: CountryServers, value: str) -> bool:
        method = "GET" if self.body is None else "POST"
        headers = {"authorization": f"Bearer {value}"}
        return _status(at, self.service, self.path, method, json=self.body, headers=headers)

    def mend(self, at: CountryServers) -> Remedy:
        return Remedy.restart(at.names.country.code, self.service)


@dataclass(frozen=True)
class PortalTarget(Target):
    """People of the country, at its own portal; the update sets their new password.

    The test users, or the probe person for a partner (code).
    """

    partner: str = ""
    rotates = False

    def verify(self, at: CountryServers, value: str) -> bool:
        names = at.names
        try:
            with login(names, names, self._username(names), value, at.ca):
                return True
        except LoginFailed as error:
            if error.check:  # signed in; what a probe person may do is no question of its password
                return True
            if error.away or "Invalid username or password" not in error.found:
                raise CheckUnknown(str(error)) from None
            return False

    def _username(self, names: Names) -> str:
        return users.probe(names, parse(self.partner)).username if self.partner else users.wanted(names)[0].username


def targets(is_hub: bool) -> dict[str, Target]:
    """Return credential -> its server; a credential that no server verifies has none."""
    found: dict[str, Target] = {d.credential: PostgresRole(d.role, d.name) for d in DATABASES}
    found |= {credential.name: PortalTarget(code) for code, credential in PROBES.items()}
    found |= {
        "postgres-superuser": PostgresRole(SUPERUSER, SUPERUSER),
        "mongodb": MongoRoot(),
        "redis": RedisUser(),
        "portal-client": KeycloakClient(""),
        "keycloak-admin": KeycloakClient(DEPLOYER, "master"),
        "opa-token": Bearer("opa", policy.DECISION, {"input": {}}),
        "opa-read": Bearer("opa", "/v1/data/dive/none", None),  # undefined: a short answer
        "test-users": PortalTarget(),
    }
    if is_hub:
        found["opal-master"] = Bearer("opal-server", "/token", {"type": "client"})
    return found


def _status(at: CountryServers, service: str, path: str, method: str = "POST", **how: Any) -> bool:
    """Return True for the status 200, False for 401 and 403; raises `CheckUnknown` for any other answer."""
    try:
        with https.client(at.ca, SECRET_ROTATION_REQUEST, at.names) as http:
            answer = http.request(method, f"{at.names.url(service)}{path}", **how)
    except httpx.HTTPError as error:
        raise CheckUnknown(f"{service}: {str(error) or type(error).__name__}") from None
    if answer.status_code not in (200, 401, 403):
        raise CheckUnknown(f"{service} answered {answer.status_code}")
    return answer.status_code == 200
