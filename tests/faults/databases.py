"""Faults of databases and their logins, of the record, of seed data, of data volumes and of reports."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

from dive_infra.catalog.datastores import SUPERUSER
from dive_infra.config.paths import ROOT
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DATABASE, DatabaseAccess
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import RemedyKind
from dive_infra.seeds.loader import MANIFESTS
from dive_infra.seeds.store import connect
from tests.coalition.country import Country
from tests.coalition.live import documents, resource, specification
from tests.faults.fault import Fault, Scene

Mongo = Any


def superuser(country: Country, database: str = SUPERUSER) -> "psycopg.Connection[Any]":
    secret = resource(country, "secret-postgres-superuser")["outputs"]["value"]
    ca = specification(country, Phase.DEPLOYMENT).ca
    return connection.connect(DatabaseAccess.of(country.names, SUPERUSER, secret, ca, database), "by hand")


def _server(*statements: str, database: str = SUPERUSER) -> Callable[[Scene], None]:
    """Execute statements as superuser in the country's Postgres."""

    def harm(scene: Scene) -> None:
        with superuser(scene.hurt, database) as live:
            for statement in statements:
                live.execute(statement.encode())

    return harm


def _record(statement: str) -> Callable[[Scene], None]:
    """Execute a statement in the orchestration database."""

    def harm(scene: Scene) -> None:
        with superuser(scene.hurt, DATABASE) as live:
            live.execute(statement.encode())

    return harm


def _seeds(title: str, harm: Callable[[Mongo], object], country: str = "FRA") -> Fault:
    def damage(scene: Scene) -> None:
        with connect(documents(scene.hurt)) as database:
            harm(database)

    heals, also = frozenset({"seed"}), frozenset[str]()
    return Fault(title, country, damage, Phase.SEEDING, heals=heals, also=also)


def _copied(database: Mongo) -> None:
    """Add a document that claims to be of the seed."""
    found = database["resources"].find_one({"_id": "doc-fra-000001"})
    database["resources"].insert_one({**found, "_id": "doc-fra-999999"})


def _report(title: str, harm: Callable[[Path, Scene], object], says: str) -> Fault:
    def damage(scene: Scene) -> None:
        harm(_path(scene.hurt), scene)

    heals, also = frozenset({"report"}), frozenset[str]()
    told = (says, "so it is ignored and written again")
    return Fault(f"the report {title}", "FRA", damage, None, heals=heals, also=also, says=told)


def _path(country: Country) -> Path:
    return ROOT / f"verification-report-{country.names.prefix}.json"


def _edited(**values: Any) -> Callable[[Path, Scene], None]:
    return lambda path, _: _written(path, {**json.loads(path.read_text()), **values})


def _written(path: Path, report: Any) -> None:
    path.write_text(json.dumps(report))


def _adopted(title: str, damage: Callable[[Scene], None], phase: Phase) -> Fault:
    """The record of one phase of France is wrong: this phase alone is proven and recorded again."""
    heals = frozenset({f"{phase.lower()}-checkpoint", "verification-proof"})
    return Fault(title, "FRA", damage, None, heals=heals, also=frozenset())


def _volume_lost(service: str, heals: Iterable[str], touched: Iterable[str] = (), selected: str = "") -> Fault:
    def damage(scene: Scene) -> None:
        scene.container(service).remove(force=True)
        scene.engine.volumes.get(scene.hurt.names.data_volume(service)).remove()

    return Fault(
        f"the data volume of {service} is lost",
        "FRA",
        damage,
        Phase.INITIALIZATION,
        RemedyKind.DECIDE,
        heals=frozenset({f"data-{service}", f"{service}-container", *heals}),
        touched=frozenset({service, *touched}),
        refused=f"the data of {service} is lost; nothing was created in its place",
        selected=selected,
    )


_KEPT = frozenset({"databases-kept"})

FAULTS: tuple[Fault, ...] = (
    # Logins and databases.
    Fault(
        "a role of Postgres has another password",
        "FRA",
        _server("ALTER ROLE portal PASSWORD 'by-hand'"),
        Phase.DEPLOYMENT,
        heals=frozenset({"databases-logins"}),
        also=frozenset(),
        selected="small things",
    ),
    Fault(
        "a role of Postgres is a superuser",
        "FRA",
        _server("ALTER ROLE portal SUPERUSER"),
        Phase.DEPLOYMENT,
        RemedyKind.REFRESH,
        heals=frozenset({"databases-portal-role"}),
        also=frozenset(),
    ),
    Fault(
        "a database has another owner",
        "FRA",
        _server("ALTER DATABASE portal OWNER TO postgres"),
        Phase.DEPLOYMENT,
        RemedyKind.REFRESH,
        more=frozenset({RemedyKind.UPDATE}),  # the role may no longer enter, which a plain update grants
        heals=frozenset({"databases-portal"}),
        also=frozenset({"databases-logins"}),
    ),
    Fault(
        "the portal's database is dropped",
        "FRA",
        _server("DROP DATABASE portal WITH (FORCE)"),
        Phase.DEPLOYMENT,
        heals=_KEPT | {"frontend-container", "frontend-gate"},
        touched=frozenset({"frontend"}),
    ),
    Fault(
        "Keycloak's database is dropped",
        "FRA",
        _server("DROP DATABASE keycloak WITH (FORCE)"),
        Phase.DEPLOYMENT,
        heals=_KEPT | {"keycloak-container", "keycloak-gate", "realm", "realm-portal", "link-to-usa-idp", "test-users"},
        touched=frozenset({"keycloak"}),
        refused="database keycloak of FRA is gone, its data is lost; nothing was created in its place",
    ),
    # The record.
    Fault(
        "a right in the record is revoked",
        "FRA",
        _record("REVOKE INSERT ON checkpoints FROM orchestration"),
        Phase.DEPLOYMENT,
        heals=frozenset({"orchestration"}),
        also=frozenset(),
        says=("role orchestration has no right to INSERT on checkpoints",),
        selected="small things",
    ),
    Fault(
        "the orchestration database is dropped",
        "FRA",
        _server(f"DROP DATABASE {DATABASE} WITH (FORCE)"),
        Phase.DEPLOYMENT,
        heals=_KEPT | {"orchestration"},
        selected="record",
    ),
    Fault(
        "a column of the record is renamed",
        "FRA",
        _record("ALTER TABLE checkpoints RENAME evidence TO proof"),
        Phase.DEPLOYMENT,
        RemedyKind.DECIDE,
        heals=frozenset({"orchestration"}),
        refused="column checkpoints.evidence (text): expected, found only proof beside",
    ),
    _adopted(
        "a phase is not in the record",
        _record("DELETE FROM deployment_steps WHERE instance_code = 'fra' AND step_name = 'SEEDING'"),
        Phase.SEEDING,
    ),
    _adopted(
        "a phase is recorded for another declaration",
        _record(
            "UPDATE deployment_steps SET fingerprint = 'x' WHERE instance_code = 'fra' AND step_name = 'CONFIGURATION'"
        ),
        Phase.CONFIGURATION,
    ),
    _adopted(
        "a phase is recorded as failed",
        _record(
            "UPDATE deployment_steps SET status = 'FAILED', checkpoint_id = NULL, completed_at = NULL"
            " WHERE instance_code = 'fra' AND step_name = 'DEPLOYMENT'"
        ),
        Phase.DEPLOYMENT,
    ),
    # Seed data.
    _seeds("a document is deleted", lambda d: d["resources"].delete_one({"_id": "doc-fra-000007"})),
    _seeds(
        "a document is altered",
        lambda d: d["resources"].update_one({"_id": "doc-fra-000008"}, {"$set": {"classification": "UNCLASSIFIED"}}),
    ),
    _seeds("a document is added to the seed", _copied),
    _seeds("a seed batch is deleted", lambda d: d["resources"].drop()),
    _seeds("the ledger of a seed is lost", lambda d: d[MANIFESTS].delete_one({"_id": "seed-fra-resources"})),
    _seeds("the communities of interest are altered", lambda d: d["coi_definitions"].delete_one({"_id": "NATO"})),
    _seeds(
        "a trusted issuer is disabled at the hub",
        lambda d: d["trusted_issuers"].update_many({"country": "FRA"}, {"$set": {"enabled": False}}),
        "USA",
    ),
    # The report decides nothing.
    _report("is deleted", lambda path, _: path.unlink(), "is gone"),
    _report("is cut in half", lambda path, _: path.write_text(path.read_text()[:400]), "is not a complete report"),
    _report("is forged", _edited(status="failure"), "was altered"),
    _report("is of another run", _edited(run="of-yesterday"), "was written for another run (of-yesterday, expected "),
    _report(
        "is of another country",
        lambda path, scene: path.write_bytes(_path(scene.usa).read_bytes()),
        "was written for another country (USA, expected FRA)",
    ),
    # Lost data is never refilled without a word.
    _volume_lost("redis", ()),
    _volume_lost("mongodb", ("seed",)),
    _volume_lost("postgres", ("realm", "test-users"), ("keycloak", "frontend")),
)
