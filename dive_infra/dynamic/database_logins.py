"""The logins of a country's Postgres and their databases, kept as declared: a refresh cannot see a password.

Each diff logs in with every role. A database that is gone is recreated if this program also creates its content. Any
other is lost data, and fails the update until its loss is accepted by name. Only its owner may enter a database:
Postgres itself lets every role connect to each.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pulumi
from psycopg import Connection, sql
from pulumi.dynamic import Resource

from dive_infra.catalog.datastores import SUPERUSER
from dive_infra.clients import postgres
from dive_infra.config.environment import ACCEPT_LOSS, accepted_losses
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError, tell
from dive_infra.dynamic.orchestration import access_of
from dive_infra.orchestration import access, connection
from dive_infra.plans import provider_messages
from dive_infra.results.remedy import UP, Remedy

_OWNERS_RIGHTS = "CONNECTfalse,CREATEfalse,TEMPORARYfalse"  # none of them may be passed on


class DatabaseLoginsProvider(Provider):
    """Inputs: `access` of the superuser; `passwords` by role; `owners`: database -> role; `remade`: databases."""

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["access"]["host"], {"incarnations": self._repair(inputs, {})}

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        return {"incarnations": self._repair(inputs, before.get("incarnations") or {})}

    def drift_reason(self, before: Inputs) -> str | None:
        with _superuser(before) as live:
            reasons = [f"database {name} is gone" for name in _gone(live, before)]
            reasons += [f"database {name} is not its owner's alone" for name in _granted(live, before)]
            return "; ".join([*reasons, *(f"role {role} does not log in" for role in _refused(live, before))]) or None

    def _repair(self, inputs: Inputs, before: Mapping[str, float]) -> dict[str, int]:
        incarnations = {name: int(before.get(name, 0)) for name in inputs["owners"]}
        with _superuser(inputs) as live:
            for role in list(_refused(live, inputs)):
                _allow(live, role, inputs["passwords"][role])
                tell(provider_messages.login_repaired(role))
            for name in _gone(live, inputs):
                if name not in inputs["remade"] and name not in accepted_losses():
                    raise _loss(inputs, name)
                _create(live, name, inputs["owners"][name])
                tell(provider_messages.database_recreated(name))
                incarnations[name] += 1
            for name, roles in _granted(live, inputs).items():
                _close(live, name, inputs["owners"][name], roles)
                tell(provider_messages.database_closed(name))
        return incarnations


class DatabaseLogins(Resource, module="dive", name="DatabaseLogins"):
    """The logins at the Postgres that `access` administers; it depends on the declared roles and databases.

    `incarnations`: database -> how often it was lost and recreated; a service that stores data in it is recreated too.
    """

    incarnations: pulumi.Output[dict[str, int]]

    def __init__(
        self,
        name: str,
        country: str,
        access: pulumi.Input[dict[str, Any]],
        passwords: pulumi.Input[Mapping[str, str]],
        owners: Mapping[str, str],
        remade: list[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "country": country,
            "access": pulumi.Output.secret(access),
            "passwords": pulumi.Output.secret(passwords),
            "owners": dict(owners),
            "remade": remade,
            "incarnations": None,
        }
        super().__init__(DatabaseLoginsProvider(), name, props, opts)


def _superuser(inputs: Inputs) -> "Connection[Any]":
    try:
        return connection.connect(access_of(inputs["access"]), "dive logins")
    except access.LoginRefused as error:
        if error.state != postgres.WRONG_PASSWORD:
            raise
        found = f"{error.cause}: the server holds another password of its superuser than the state"
        raise ProviderError(found, Remedy.run(f"./dive doctor {inputs['country']}")) from None


def _gone(live: "Connection[Any]", inputs: Inputs) -> list[str]:
    there = {row[0] for row in live.execute("SELECT datname FROM pg_database").fetchall()}
    return sorted(set(inputs["owners"]) - there)


def _granted(live: "Connection[Any]", inputs: Inputs) -> dict[str, list[str]]:
    """Return the databases on which others than the owner have rights, or it lacks one -> who has any ('' everyone)."""
    rows = live.execute(
        """SELECT d.datname, x.grantee = d.datdba, CASE x.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(x.grantee) END,
               string_agg(x.privilege_type || x.is_grantable, ',' ORDER BY x.privilege_type)
           FROM pg_database d LEFT JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x ON true
           WHERE d.datname = ANY(%s) GROUP BY d.datname, d.datdba, x.grantee""",
        [list(inputs["owners"])],
    ).fetchall()
    held: dict[str, list[tuple[bool, str, str]]] = {}
    for name, is_owner, role, rights in rows:
        held.setdefault(name, []).append((bool(is_owner), role, rights))
    return {
        name: [role for _, role, rights in found if rights]
        for name, found in sorted(held.items())
        if [(is_owner, rights) for is_owner, _, rights in found] != [(True, _OWNERS_RIGHTS)]
    }


def _close(live: "Connection[Any]", name: str, owner: str, roles: list[str]) -> None:
    """Give the owner every right on the database, and no one else any."""
    for role in roles:
        who = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        revoke = sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(sql.Identifier(name), who)
        postgres.repeated(partial(live.execute, revoke))
    grant = sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(owner))
    postgres.repeated(lambda: live.execute(grant))


def _refused(live: "Connection[Any]", inputs: Inputs) -> Iterator[str]:
    """Yield the roles that are missing or whose password is refused, in the database that every role may enter."""
    there = {row[0] for row in live.execute("SELECT rolname FROM pg_roles").fetchall()}
    for role, password in sorted(inputs["passwords"].items()):
        if role not in there:
            yield role
            continue
        try:
            connection.connect(
                access_of({**inputs["access"], "user": role, "password": password}), "dive logins"
            ).close()
        except access.LoginRefused:
            yield role


def _allow(live: "Connection[Any]", role: str, password: str) -> None:
    there = live.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = "ALTER" if there else "CREATE"
    # Hashed here: the server may log the statement.
    scram = live.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL(f"{verb} ROLE {{}} LOGIN PASSWORD {{}}").format(sql.Identifier(role), sql.Literal(scram))
    postgres.repeated(lambda: live.execute(statement))


def _create(live: "Connection[Any]", name: str, owner: str) -> None:
    """Create the database as `components.databases` declares it."""
    statement = sql.SQL(
        "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
    ).format(sql.Identifier(name), sql.Identifier(owner))
    postgres.repeated(lambda: live.execute(statement))


def _loss(inputs: Inputs, name: str) -> ProviderError:
    return ProviderError(
        f"database {name} of {inputs['country']} is gone, its data is lost; nothing was created in its place",
        Remedy.decide(
            f"restore it from a backup as {SUPERUSER}, owned by {inputs['owners'][name]}, then: {UP}",
            f"accept the loss, in this one run: {ACCEPT_LOSS}={name} {UP}",
            country=inputs["country"],
        ),
    )
