"""The inventory of a country, without what differs in every deployment: ids, keys, secrets and times.

Two deployments of the same declaration have the same inventory, however often one of them was interrupted.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import psycopg

from dive_infra.automation.stack_state import declared_specs, plaintext
from dive_infra.catalog.datastores import ROOT_USER, SUPERUSER
from dive_infra.checks.spec import SeedingSpec
from dive_infra.clients.trust import ca_file
from dive_infra.config.naming import LOOPBACK
from dive_infra.engines import declaration
from dive_infra.engines.docker.containers import observe
from dive_infra.engines.docker.differences import differences
from dive_infra.identity.keycloak_admin import KeycloakAdmin
from dive_infra.orchestration.states import Phase
from dive_infra.seeds.batches import batches
from dive_infra.seeds.loader import Loader
from dive_infra.seeds.store import Target, connect
from tests.coalition.country import NAMESPACE, Country
from tests.coalition.live import keycloak, record

Inventory = Mapping[str, Any]

# Another value in every realm: ids of objects, and what Keycloak generates.
_ITS_OWN = {
    *("id", "_id", "internalId", "containerId", "secret", "keycloakVersion"),
    *("createdTimestamp", "client.secret.creation.time"),
}
# Files' volumes end with a hash of the files, which hold keys; one that an image asks for has no other name at all.
_CONTENTS = re.compile(r"-[0-9a-f]{8}(?=$|:)|^[0-9a-f]{64}$")


def inventory(engine: docker.DockerClient, usa: Country, fra: Country) -> Inventory:
    """Return all that a deployment of France leaves, at home and at the hub."""
    state = fra.state()
    resources = {r["urn"].rsplit("::", 1)[-1]: r for r in state["deployment"]["resources"]}
    with keycloak(fra) as home, keycloak(usa) as hub:
        realms = {"realm of FRA": _realm(home, fra.names.realm), "realm of USA": _realm(hub, usa.names.realm)}
    return {
        **{f"container {name}": told for name, told in _containers(engine, resources).items()},
        "volumes": sorted(_CONTENTS.sub("", v.name) for v in engine.volumes.list(filters=_ours("FRA"))),
        "networks": sorted(n.name or "" for n in engine.networks.list(filters=_ours("FRA"))),
        **realms,
        "databases": _databases(fra, resources),
        "seeds": _seeds(declared_specs(state)[Phase.SEEDING]),
        "record": _record(usa),
        "resources": sorted(f"{r['type']} {name} {r.get('delete', '')}" for name, r in resources.items()),
        "operations without an end": state["deployment"].get("pending_operations") or [],
        "locks of Pulumi": [str(p) for p in Path(fra.home / "state" / ".pulumi" / "locks").rglob("*.json")],
    }


def differing(before: Inventory, after: Inventory) -> list[str]:
    """Return one line for each difference."""
    return list(_differing(before, after, ""))


def _differing(a: Any, b: Any, path: str) -> list[str]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return [
            line for key in sorted({*a, *b}, key=str) for line in _differing(a.get(key), b.get(key), f"{path}/{key}")
        ]
    if isinstance(a, list) and isinstance(b, list) and a != b:
        missing, extra = [x for x in a if x not in b], [x for x in b if x not in a]
        return [f"{path}: missing {missing}, extra {extra}" if missing or extra else f"{path}: {len(a)}, now {len(b)}"]
    return [] if a == b else [f"{path}: {a!r}, now {b!r}"]


def _ours(country: str) -> dict[str, list[str]]:
    return {"label": [f"dive.namespace={NAMESPACE}", f"dive.country={country}"]}


def _containers(engine: docker.DockerClient, resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return how each container differs from its declaration; forgotten carriers would show up too."""
    declared = {
        d.name: d
        for name, r in resources.items()
        if name.endswith("-probe") and "declared" in r["outputs"]
        for d in [declaration.load(plaintext(r["outputs"]["declared"]))]
    }
    found: dict[str, Any] = {}
    for container in engine.containers.list(all=True, filters=_ours("FRA")):
        name = container.name or ""
        found[name] = {
            "healthy": observe(engine, name).healthy,
            "image": container.attrs["Image"],
            "differs": [str(d) for d in differences(engine, container.attrs, declared[name])]
            if name in declared
            else "not declared",
            "mounts": sorted(_CONTENTS.sub("", m.get("Name", "")) for m in container.attrs["Mounts"] if m.get("Name"))
            if name in declared
            else [],
        }
    return found


def _realm(admin: KeycloakAdmin, realm: str) -> Any:
    query = {"exportClients": True, "exportGroupsAndRoles": True}
    exported = admin._send("POST", f"/realms/{realm}/partial-export", params=query).json()
    parts = {
        kind: sorted(f"{c['providerId']} {c.get('name', '')}" for c in cs)
        for kind, cs in exported["components"].items()
    }
    people = admin.get(f"/realms/{realm}/users", max=1000)
    return _normal({**exported, "components": parts, "people": sorted(p["username"] for p in people)})


def _normal(value: Any) -> Any:
    """Return the value without what is particular to one realm; objects by name, other lists sorted."""
    if isinstance(value, dict):
        return {k: _normal(v) for k, v in value.items() if k not in _ITS_OWN}
    if isinstance(value, list):
        rows = [_normal(v) for v in value]
        for key in ("name", "alias", "clientId", "username", "client"):
            names = [str(r[key]) for r in rows if isinstance(r, dict) and key in r]
            if rows and len(set(names)) == len(rows):
                return dict(sorted(zip(names, rows, strict=True)))
        return sorted(rows, key=repr)
    return value


def _databases(country: Country, resources: Mapping[str, Any]) -> list[str]:
    with psycopg.connect(
        host=country.names.host("postgres"),
        hostaddr=LOOPBACK,
        port=country.names.port("postgres"),
        user=SUPERUSER,
        password=plaintext(resources["secret-postgres-superuser"]["outputs"]["value"]),
        dbname=SUPERUSER,
        sslmode="verify-full",
        sslrootcert=str(ca_file(country.outputs()["ca_certificate"])),
    ) as server:
        roles = "SELECT 'role ' || rolname, rolsuper, rolcanlogin, rolcreatedb FROM pg_roles WHERE rolname !~ '^pg_'"
        databases = "SELECT 'database ' || datname, pg_get_userbyid(datdba) FROM pg_database"
        return sorted(str(row) for query in (roles, databases) for row in server.execute(query.encode()).fetchall())


def _seeds(spec: SeedingSpec) -> dict[str, str]:
    """Return for each batch its number of documents, whether they are right, and the hash if it contains no key."""
    names, key = spec.names, spec.kas_keys[spec.names.country.code]
    target = Target(LOOPBACK, names.port("mongodb"), ROOT_USER, spec.mongodb, names.mongo_database, spec.ca)
    with connect(target) as database:
        loader = Loader(database)
        found = [(b, loader.inspect(b)) for b in batches(names, spec.hub, spec.partners, key, spec.documents)]
        return {
            b.id: f"{s.count} documents, {'right' if s.valid else s}, {'sealed' if b.key_service else s.hash}"
            for b, s in found
        } | {"collections": str(sorted(database.list_collection_names()))}


def _record(hub: Country) -> dict[str, Any]:
    queries = {
        "state": "SELECT state FROM deployment_states WHERE instance_code = 'fra'",
        "phases": "SELECT step_name, status FROM deployment_steps WHERE instance_code = 'fra'",
        "open locks": "SELECT fence FROM deployment_locks WHERE released_at IS NULL",
        "links": "SELECT source_code, target_code, idp_alias, client_id, status, error_message FROM federation_links",
        "countries": "SELECT instance_code, role_name FROM countries",
    }
    with record(hub) as store:
        return {
            what: sorted(map(str, store.query(lambda c, q=query: c.execute(q.encode()).fetchall())))
            for what, query in queries.items()
        }
