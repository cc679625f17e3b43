"""A country's MongoDB holds what is declared and what its version ships: users, roles, databases, collections, indexes.

Documents are SEEDING's. FerretDB, which stands in for MongoDB where that cannot be had, has users without roles.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from dive_infra.catalog.datastores import ROOT_USER
from dive_infra.checks import objects, out_of_step
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.clients import mongodb as mongodb_client
from dive_infra.clients.mongodb import Client
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import UP, Remedy
from dive_infra.results.text import first_line

SENTENCE = "MongoDB holds the declared user, database and collections, and no others"

# What SEEDING loads, its ledgers, and what the backend and the key service write.
COLLECTIONS = frozenset({
    "clearance_equivalency", "coi_definitions", "federation_matrix", "kas_registry", "resources", "tenant_configs",
    "trusted_issuers", "seed_manifests", "decisions", "key_releases", "published",
})  # fmt: skip

_UP = Remedy.update()
_ABSENT = "none"
_ADMIN = "admin"
_SHIPPED = frozenset({_ADMIN, "config", "local"})  # databases
_SYSTEM = "system."  # prefix of the collections that the server keeps for itself
_ROOT = f"{_ADMIN}.{ROOT_USER}"
_ROOT_ROLES = ("admin.root",)
_DEFAULT_INDEX = "_id_"
# MongoDB's codes.
_UNAUTHENTICATED = (11, 18)  # no such user, authentication failed
_REFUSED = (*_UNAUTHENTICATED, 13)  # unauthorized
NOT_SUPPORTED = (59, 115, 238)  # no such command, command not supported, not implemented

_REMOVAL = (
    "from dive_common.settings import ServiceFiles; from dive_common.stores import database; "
    "client = database(ServiceFiles.from_environment()).client; "
)


@dataclass(frozen=True)
class MongoContent:
    """What a server holds: `users` and `roles` as `database.name`, None if the server does not support them.

    `users`: name -> its roles. `collections`: (database, name) -> options, of the declared database and of `admin`.
    `indexes`: (collection, name) -> key, of the declared database.
    """

    users: Mapping[str, tuple[str, ...]] | None
    roles: Sequence[str] | None
    databases: Sequence[str]
    collections: Mapping[tuple[str, str], Mapping[str, Any]] = field(
        default_factory=dict[tuple[str, str], Mapping[str, Any]]
    )
    indexes: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])


@dataclass(frozen=True)
class MongoDifference:
    """`removal` is the statement that removes it, with a `client` of pymongo."""

    subject: str
    expected: str
    found: str
    removal: str
    declared: bool = False  # an object of ours was changed, and is missing after the removal


@contextmanager
def login(names: Names, password: str, ca: str) -> Iterator[Client]:
    """Yield a client; its errors, also those of the block, are raised as `CheckFailed` or `CheckUnknown`."""
    address, port = names.published, names.port("mongodb")
    with mongodb_client.client(address, port, ROOT_USER, password, ca, CHECK_REQUEST) as client:
        try:
            yield client
        except OperationFailure as error:
            if error.code not in _REFUSED:
                raise CheckUnknown(f"MongoDB: error {error.code}: {first_line(error)}") from None
            if error.code in _UNAUTHENTICATED:
                raise out_of_step.refused_mongodb(names, password, first_line(error)) from None
            raise CheckFailed(str(error), f"a login as {ROOT_USER}", _UP, Code.DATABASE) from None
        except PyMongoError as error:
            raise objects.unanswered(first_line(error), "an answer", _UP, Code.DATABASE) from None


def holds(names: Names, password: str, ca: str) -> list[Finding]:
    """Return a finding for each object that differs, or one that none does."""
    with login(names, password, ca) as client:
        live = content(client, names.mongo_database)
    off = list(differences(live, names.mongo_database))
    if not off:
        counts = (
            _counted(live.users, "user"),
            _counted(live.roles, "role"),
            _counted(live.collections, "collection"),
        )
        return [Finding(SENTENCE, Verdict.VALID, found=", ".join(counts), topic="mongodb")]
    return [_finding(difference, names) for difference in off]


def content(client: Client, database: str) -> MongoContent:
    """Return what the server holds; raises `PyMongoError`."""
    admin = client[_ADMIN]
    users = _supported(lambda: admin.command("usersInfo", {"forAllDBs": True})["users"])
    roles = _supported(lambda: admin.command("rolesInfo", 1)["roles"])
    if roles is not None:
        # `rolesInfo` answers the roles of one database, and a role may be in one that has no collections.
        roles = list(admin["system.roles"].find({}, {"role": True, "db": True}))
    databases = client.list_database_names()
    collections = {
        (name, found["name"]): _options(found)
        for name in (_ADMIN, database)
        if name in databases
        for found in client[name].list_collections()
        if not found["name"].startswith(_SYSTEM)
    }
    indexes = {
        (collection, index["name"]): json.dumps(index["key"])
        for where, collection in collections
        if where == database and collections[where, collection].get("type") != "view"
        for index in client[database][collection].list_indexes()
    }
    return MongoContent(
        None if users is None else {_full(u["db"], u["user"]): _roles(u) for u in users},
        None if roles is None else [_full(r["db"], r["role"]) for r in roles],
        databases,
        collections,
        indexes,
    )


def differences(live: MongoContent, database: str) -> Iterator[MongoDifference]:
    """Yield what differs from the declaration. A collection is created by its first document, so one may be missing."""
    for user, roles in sorted((live.users or {}).items()):
        if user != _ROOT:
            yield MongoDifference(f"user {user}", _ABSENT, ", ".join(roles) or "no roles", _command("dropUser", user))
        elif live.roles is not None and roles != _ROOT_ROLES:
            found = ", ".join(roles) or "no roles"
            removal = f'client["{_ADMIN}"].command("updateUser", "{ROOT_USER}", roles=["root"])'
            yield MongoDifference(f"user {user}", ", ".join(_ROOT_ROLES), found, removal)
    for role in sorted(live.roles or ()):
        yield MongoDifference(f"role {role}", _ABSENT, "not declared", _command("dropRole", role))
    for name in sorted({*live.databases} - _SHIPPED - {database}):
        yield MongoDifference(f"database {name}", _ABSENT, "not declared", f"client.drop_database({_text(name)})")
    for (where, name), options in sorted(live.collections.items()):
        removal = f"client[{_text(where)}].drop_collection({_text(name)})"
        if where != database or name not in COLLECTIONS:
            yield MongoDifference(f"collection {where}.{name}", _ABSENT, "not declared", removal)
        elif options:
            subject = f"options of collection {name}"
            yield MongoDifference(subject, _ABSENT, json.dumps(options, default=str), removal, declared=True)
    for (collection, name), key in sorted(live.indexes.items()):
        if collection in COLLECTIONS and name != _DEFAULT_INDEX:
            removal = f"client[{_text(database)}][{_text(collection)}].drop_index({_text(name)})"
            yield MongoDifference(f"index {name} of {collection}", _ABSENT, f"on {key}", removal)


def _finding(difference: MongoDifference, names: Names) -> Finding:
    """Return the finding; its command runs in the backend: it has a login and, unlike FerretDB, a client."""
    script = f"python -c {shlex.quote(_REMOVAL + difference.removal)}"
    command = objects.connect().command_in(names.container("backend"), script)
    return Finding(
        f"{difference.subject} of MongoDB is as declared",
        Verdict.INVALID,
        difference.expected,
        difference.found,
        Remedy.decide(f"{command}, then: {UP}" if difference.declared else command),
        code=Code.DATABASE,
        topic="mongodb",
        subject=f"{difference.subject} of MongoDB",
    )


def _supported(question: Callable[[], list[Any]]) -> list[Any] | None:
    """Return the answer, or None if the server does not have this command."""
    try:
        return question()
    except OperationFailure as error:
        if error.code not in NOT_SUPPORTED:
            raise
        return None


def _options(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is special about a collection: its type if it is no ordinary one, and its options."""
    kind = {} if found["type"] == "collection" else {"type": found["type"]}
    return {**kind, **found["options"]}


def _roles(user: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(_full(role["db"], role["role"]) for role in user.get("roles", ())))


def _full(database: str, name: str) -> str:
    return f"{database}.{name}"


def _command(command: str, full: str) -> str:
    database, _, name = full.partition(".")  # a database's name has no dot
    return f"client[{_text(database)}].command({_text(command)}, {_text(name)})"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _counted(found: Sequence[Any] | Mapping[Any, Any] | None, what: str) -> str:
    return f"{what}s not supported" if found is None else f"{len(found)} {what}{'s' if len(found) != 1 else ''}"
