"""The MongoDB that seeds are loaded into, reached over TLS; its failures are distinguished."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo.database import Database
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from dive_infra.catalog.datastores import ROOT_USER
from dive_infra.clients import mongodb
from dive_infra.config.naming import Names
from dive_infra.results.errors import DiveError

Document = dict[str, Any]

_ANSWER = 60.0  # seconds for one command: a batch is written in one


class SeedStoreError(DiveError):
    """The store did not do what was requested."""


class SeedStoreUnreachable(SeedStoreError):
    """The store does not answer."""


class SeedStoreRefused(SeedStoreError):
    """The store answered and refused: wrong password, missing right, bad command."""


@dataclass(frozen=True)
class SeedStoreAccess:
    """The store's address and the login; `ca` is the PEM text of the CA that signed its certificate."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str
    ca: str = field(repr=False)
    patience: float = 5.0  # seconds until an unreachable store counts as such

    @classmethod
    def of(cls, names: Names, password: str, ca: str, patience: float) -> "SeedStoreAccess":
        """Return the MongoDB of a country, as its deployer reaches it."""
        return cls(names.published, names.port("mongodb"), ROOT_USER, password, names.mongo_database, ca, patience)


@contextmanager
def connect(target: SeedStoreAccess) -> Iterator[Database[Document]]:
    """Open the database; every failure inside is a `SeedStoreUnreachable`, `SeedStoreRefused` or `SeedStoreError`."""
    where = f"MongoDB at {target.host}:{target.port}"
    try:
        # A closed port is an answer; the driver would retry until its timeout.
        socket.create_connection((target.host, target.port), target.patience).close()
    except OSError as error:
        raise SeedStoreUnreachable(f"{where} does not answer: {error}") from error
    with mongodb.client(
        target.host,
        target.port,
        target.username,
        target.password,
        target.ca,
        target.patience,
        answer=_ANSWER,
    ) as client:
        try:
            yield client[target.database]
        except ConnectionFailure as error:
            raise SeedStoreUnreachable(f"{where} does not answer: {error}") from error
        except OperationFailure as error:
            raise SeedStoreRefused(f"{where} refused: {error}") from error
        except PyMongoError as error:
            raise SeedStoreError(f"{where}: {error}") from error
