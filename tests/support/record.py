"""A country's Postgres with the owner of the record, and a new, migrated orchestration database for each test."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from docker.models.containers import Container

from dive_infra.catalog import datastores
from dive_infra.config.countries import HUB
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.crypto.pki import rsa_key
from dive_infra.orchestration import connection, schema
from dive_infra.orchestration.access import OWNER, DatabaseAccess
from tests.support.lab import Lab

HUB_NAMES = Names(HUB, "t-record")
SECRETS = {row.name: rsa_key() if row.kind == "rsa" else f"Secret-of-{row.name}" for row in CREDENTIALS}


FORMER = f"{OWNER}_fra"  # with which France wrote to the hub's record, in an earlier version


@dataclass
class Record:
    """The server; `login` makes a login at the database of one test."""

    lab: Lab
    container: Container
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def superuser(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=HUB_NAMES.host("postgres"),
            hostaddr=LOOPBACK,
            port=HUB_NAMES.port("postgres"),
            user="postgres",
            password=SECRETS["postgres-superuser"],
            dbname=database,
            sslmode="require",
            autocommit=True,
        )

    def login(self, user: str, database: str) -> DatabaseAccess:
        return DatabaseAccess.of(HUB_NAMES, user, SECRETS["orchestration-db"], self.lab.material.ca, database)


@dataclass(frozen=True)
class Book:
    """The orchestration database of one test."""

    record: Record
    owner: DatabaseAccess

    def sql(self, statement: str) -> "list[tuple[object, ...]]":
        """As the superuser, whom no policy holds."""
        with self.record.superuser(self.owner.database) as root:
            found = root.execute(statement.encode())
            return found.fetchall() if found.description else []


def start(lab: Lab) -> Record:
    record = Record(lab, lab.start(datastores.postgres(HUB_NAMES, HUB_NAMES)))
    with record.superuser() as root:
        for role in (OWNER, FORMER):
            root.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRETS['orchestration-db']}'".encode())
    return record


@contextmanager
def book(record: Record, migrated: bool = True) -> Iterator[Book]:
    name = f"book_{next(record.numbers)}"
    with record.superuser() as root:
        root.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0".encode())
    found = Book(record, record.login(OWNER, name))
    try:
        if migrated:
            with connection.connect(found.owner) as live:
                schema.migrate(live)
        yield found
    finally:
        with record.superuser() as root:
            root.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
