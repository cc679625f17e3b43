"""DEPLOYMENT: every declared container runs, is healthy and is the one declared; each datastore answers a login."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import psycopg

from dive_infra.catalog import policy
from dive_infra.catalog.spec import FILES
from dive_infra.checks import link_networks, mongodb, objects, out_of_step, policy_engine, redis
from dive_infra.checks import postgres as postgres_server
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.checks.spec import ContainerSpec, DatabaseSpec, DeploymentSpec
from dive_infra.clients.postgres import WRONG_PASSWORD
from dive_infra.config.countries import HUB
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST, REALM_REQUEST
from dive_infra.engines.engine import Engine
from dive_infra.identity import https, keycloak_admin
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DatabaseAccess, LoginRefused, NotAdmitting, SchemaMismatch, Unreachable
from dive_infra.orchestration.store import session
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import first_line

_UP = Remedy.update()
_OPA = "OPA answers only requests with its token"
_TOO_MANY = "53300"  # SQLSTATE
_SESSION = re.compile(r"postgres: (\S+) (\S+) [\d.:a-f]+\(\d+\) .*")  # role, database, address, what it does
_SHOWN = 3


def checks(spec: DeploymentSpec) -> list[Check]:
    names = spec.names
    found = [
        Check("every declared container runs and is healthy", "containers", lambda: containers(spec.containers)),
        link_networks.check(spec),
        Check(
            mongodb.SENTENCE,
            "mongodb",
            lambda: mongodb.holds(names, spec.mongodb, spec.ca),
            subject="MongoDB",
        ),
        Check(
            redis.SENTENCE,
            "redis",
            lambda: redis.holds(names, spec.redis, spec.ca),
            subject="Redis",
        ),
        Check(
            _OPA,
            "opa",
            lambda: opa(names, spec.hub or names.of(HUB), spec.opa, spec.opa_local, spec.ca),
            subject="OPA",
            settles=True,
        ),
    ]
    found.append(
        Check(
            postgres_server.SENTENCE,
            "postgres",
            lambda: postgres_server.holds(names, spec.databases, spec.ca),
            subject="Postgres",
        )
    )
    found += [
        Check(
            f"Postgres answers {d.user} in database {d.name}",
            "postgres",
            partial(postgres, names, d, spec.ca),
            subject=f"database {d.name}",
        )
        for d in spec.databases
    ]
    if spec.keycloak:
        probe = partial(keycloak, names, spec.keycloak, spec.ca)
        found.append(Check("Keycloak answers a login", "keycloak", probe, subject="Keycloak"))
    if spec.store:
        store = spec.store
        sentence = "the orchestration schema matches this program"
        found.append(Check(sentence, "schema", lambda: schema(store), subject="orchestration schema"))
    return found


def containers(declared: Sequence[ContainerSpec]) -> list[Finding]:
    """Return one finding for each container; a container that is not core is only a warning while it is down."""
    engine = objects.connect()
    with ThreadPoolExecutor(max_workers=len(declared) or 1) as side_by_side:
        return list(side_by_side.map(partial(_container, engine), declared))


def _container(engine: Engine, container: ContainerSpec) -> Finding:
    declared = container.declared
    now = engine.find(declared)
    sentence = f"{declared.name} runs as declared and is healthy"

    def wrong(found: str, expected: str, code: Code = Code.CONTAINER, advisory: bool = False) -> Finding:
        return Finding(
            sentence, Verdict.INVALID, expected, found, _UP,
            code=code, topic="containers", advisory=advisory, subject=declared.name, state=now.state,
        )  # fmt: skip

    if not now.exists:
        return wrong("no such container", "a running container")
    off = [(f"{d.key}: {d.found}", f"{d.key}: {d.expected}") for d in engine.differences(now, declared)]
    code = Code.CONTAINER
    if engine.files_digest(now.name) != container.files:
        code = Code.CONTAINER if off else Code.SERVICE_FILES
        off.append((f"other files in {FILES}", "those that were written"))
    advisory = not off and container.service_class != "core"
    if not now.healthy:
        off.append((now.describe(), "running, healthy"))
    if off:
        found, expected = ("; ".join(side) for side in zip(*off, strict=True))
        return wrong(found, expected, code, advisory)
    return Finding(sentence, Verdict.VALID, found=now.describe(), topic="containers", state=now.state)


def postgres(names: Names, database: DatabaseSpec, ca: str) -> str:
    """Check that the role can log in, owns its database, and is not a superuser."""
    access = DatabaseAccess.of(names, database.user, database.password, ca, database.name)
    try:
        with connection.connect(access, "dive check", CHECK_REQUEST) as session_:
            row = session_.execute(
                "SELECT r.rolsuper, pg_get_userbyid(d.datdba) FROM pg_roles r, pg_database d"
                " WHERE r.rolname = current_user AND d.datname = current_database()"
            ).fetchone()
    except NotAdmitting as error:
        raise CheckUnknown(f"{error.cause}{_sessions(names, error.state)}", error.remedy) from None
    except Unreachable as error:
        raise objects.unanswered(error.cause, "an answer", _UP, Code.DATABASE) from None
    except LoginRefused as error:
        expected, found, remedy = f"a login as {database.user}", error.cause, _UP
        if error.state == WRONG_PASSWORD:
            found += ": the server holds another password than the state"
            remedy = Remedy.update(detail="the superuser gives it the one of the state")
        raise CheckFailed(found, expected, remedy, Code.DATABASE) from None
    except psycopg.Error as error:
        raise CheckUnknown(" ".join(str(error).split())) from None
    if row is None or row[0] or row[1] != database.user:
        found, wanted = (
            f"superuser {row and row[0]}, owner {row and row[1]}",
            f"an ordinary role, owner {database.user}",
        )
        raise CheckFailed(found, wanted, Remedy.refresh(), Code.DATABASE)
    return "logged in"


def _sessions(names: Names, state: str) -> str:
    """Return who holds the server's connections, by the titles of its processes: it may admit no one to ask."""
    if state != _TOO_MANY:
        return ""
    titles = objects.connect().processes(names.container("postgres"))
    held = Counter(f"{found[1]} in {found[2]}" for title in titles if (found := _SESSION.fullmatch(title)))
    return "; sessions: " + (", ".join(f"{count} of {who}" for who, count in held.most_common(_SHOWN)) or "none")


def opa(names: Names, hub: Names, token: str, local: Mapping[str, str], ca: str) -> list[Finding]:
    """Check that OPA answers a request with the token alone, and decides by what the hub distributes."""
    url = f"{names.url('opa')}{policy.DECISION}"
    try:
        with https.client(ca, CHECK_REQUEST, names) as http:
            bearer = http.post(url, headers={"authorization": f"Bearer {token}"}, json={"input": {}}).status_code
            anonymous = http.post(url, json={"input": {}}).status_code
    except httpx.HTTPError as error:
        raise objects.unanswered(f"{url}: {first_line(error)}", "an answer", _UP, Code.DECISION_OR_API) from None
    if bearer != 200 or anonymous not in (401, 403):
        raise CheckFailed(
            f"{bearer} with the token, {anonymous} without", "200 with it, 401 without", _UP, Code.DECISION_OR_API
        )
    answered = Finding(_OPA, Verdict.VALID, found="denies by default, requires the token", topic="opa")
    return [answered, *policy_engine.distribution(names, hub, token, local, ca)]


def keycloak(names: Names, secret: str, ca: str) -> str:
    """Check that the service account can log in and read from the database, which may have been down."""
    access = keycloak_admin.KeycloakAccess.of(names, ca, secret)
    try:
        with keycloak_admin.KeycloakAdmin(access, REALM_REQUEST) as admin:
            admin.log_in()
            admin.get("/realms/master")
    except keycloak_admin.SecretRefused as error:
        engine = objects.connect()
        found = f"{error.cause}: {out_of_step.sides(engine, names, 'keycloak', 'postgres')}"
        remedy = out_of_step.keycloak(engine, names)
        raise CheckFailed(found, f"a login as {access.client_id}", remedy, Code.CLIENT_SECRET) from None
    except keycloak_admin.KeycloakError as error:
        raise CheckUnknown(error.cause, Remedy.update(detail="starts Keycloak, then checks it")) from None
    return "logged in"


def schema(access: DatabaseAccess) -> str:
    try:
        session(access).compare()
    except NotAdmitting as error:
        raise CheckUnknown(error.cause, error.remedy) from None
    except Unreachable as error:
        raise objects.unanswered(error.cause, "this program's schema", _UP, Code.DATABASE) from None
    except (SchemaMismatch, LoginRefused) as error:
        raise CheckFailed(error.cause, "this program's schema", error.remedy or _UP, Code.DATABASE) from None
    return "agrees"
