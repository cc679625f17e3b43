"""The MongoDB that seeds are loaded into, reached over TLS; its failures told apart."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo.database import Database
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from dive_infra.clients import mongodb
from dive_infra.results.errors import DiveError

Document = dict[str, Any]

_ANSWER = 60.0  # seconds for one command: a batch is written in one


class SeedStoreError(DiveError):
    """The store did not do what it was asked."""


class SeedStoreUnreachable(SeedStoreError):
    """No answer from the store."""


class SeedStoreRefused(SeedStoreError):
    """The store answered that it will not: wrong password, no such right, bad command."""


@dataclass(frozen=True)
class Target:
    """Where and as whom; `ca` is the PEM text of the CA that signed the server's certificate."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str
    ca: str = field(repr=False)
    patience: float = 5.0  # seconds until an unreachable store is given up


@contextmanager
def connect(target: Target) -> Iterator[Database[Document]]:
    """The database; whatever fails inside is raised as `StoreUnreachable`, `StoreRefused` or `StoreError`."""
    where = f"MongoDB at {target.host}:{target.port}"
    try:
        # That nobody listens is an answer; the driver would ask again until its patience ends.
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
