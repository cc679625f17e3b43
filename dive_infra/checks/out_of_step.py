"""A server whose data holds another secret than the state: one of the two is from before a change of secrets.

A datastore takes its first secret when it creates its data, and never again from a file: what a restored volume holds
stays in force. No login leads in then, so the way back goes around the login, with the value that the container's own
files hold. The value is neither printed nor an argument of a command.
"""

import shlex
from collections.abc import Callable

from dive_infra.catalog.datastores import MONGODB_PASSWORD, POSTGRES_DATA, POSTGRES_PASSWORD, ROOT_USER, SUPERUSER
from dive_infra.catalog.keycloak import CONFIGURATION, DATABASE
from dive_infra.checks import objects
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.config.naming import DEPLOYER, Names
from dive_infra.engines.engine import ContainerFailed, Engine
from dive_infra.results.codes import Code
from dive_infra.results.remedy import UP, Remedy
from dive_infra.results.text import day

# Postgres asks no password of a single user, who has its files and no network.
_POSTGRES = (
    f"""printf "ALTER ROLE {SUPERUSER} PASSWORD '%s'\\n" "$(cat {POSTGRES_PASSWORD})" | """
    f"postgres --single -D {POSTGRES_DATA} -c log_min_error_statement=panic {SUPERUSER} >/dev/null"
)
# Without --auth MongoDB asks no password. FerretDB creates its user at a start without the database `admin`, which
# holds nothing else (`checks.mongodb`).
_CHANGE = f"""db.changeUserPassword("{ROOT_USER}", require("fs").readFileSync("{MONGODB_PASSWORD}", "utf8").trim())"""
_MONGODB = (
    "if command -v mongosh >/dev/null; then "
    "mongod --dbpath /data/db --bind_ip 127.0.0.1 --fork --logpath /tmp/mongod.log >/dev/null && "
    f"mongosh --quiet admin --eval '{_CHANGE}'; mongod --dbpath /data/db --shutdown >/dev/null; "
    "else echo 'DROP SCHEMA admin CASCADE' | postgres --single ferretdb >/dev/null; fi"
)

_UPDATE = (  # in the replacement of a `sed`
    rf"UPDATE client SET secret = '\1' WHERE client_id = '{DEPLOYER}' "  # noqa: S608 (made of our own names)
    "AND realm_id = (SELECT id FROM realm WHERE name = 'master')"
)


def postgres(engine: Engine, names: Names) -> Remedy:
    """Return what gives the superuser the secret in the server's own files."""
    return Remedy.decide(f"{engine.offline_command(names.container('postgres'), _POSTGRES)}, then: {UP}")


def mongodb(engine: Engine, names: Names) -> Remedy:
    """Return what gives the root user the secret in the server's own files."""
    return Remedy.decide(f"{engine.offline_command(names.container('mongodb'), _MONGODB)}, then: {UP}")


def keycloak(engine: Engine, names: Names) -> Remedy:
    """Return what gives the service account `dive-deployer` the secret in Keycloak's own files, through its database.

    The configuration writes `$` as `$$`. Keycloak keeps clients in memory, so it starts again.
    """
    sql = shlex.quote(rf"s/[$][$]/$/g; s/^bootstrap-admin-client-secret=\(.*\)/{_UPDATE}/p")
    psql = f"PGPASSWORD=$(cat {POSTGRES_PASSWORD}) psql -U {SUPERUSER} -p {names.port('postgres')} -d {DATABASE}"
    read = engine.command_in(names.container("keycloak"), f"cat {CONFIGURATION}")
    write = engine.command_in(names.container("postgres"), psql, piped=True)
    restart = Remedy.restart(names.country.code, "keycloak").detail
    return Remedy.decide(f"{read} | sed -n {sql} | {write} && {restart}, then: {UP}")


def sides(engine: Engine, names: Names, service: str, data: str = "") -> str:
    """Return which two sides disagree; `data` is the service whose volume holds the data of this one.

    A container is replaced with each change of its secrets, so its age is that of the state's value. The age of the
    data is not known: an engine tells when something in the folder of a volume was last created.
    """
    volume, container = names.data_volume(data or service), names.container(service)
    given = engine.created(container)
    since = f", whose value {container} has had since {day(given)}" if given else ""
    return (
        f"the data in {volume} holds another secret than the state{since}: one of them was restored from before a "
        "change, or it was set by hand"
    )


def refused_mongodb(names: Names, secret: str, refusal: str) -> CheckFailed | CheckUnknown:
    """Return the error to raise where MongoDB refuses its root user the secret of the state."""
    return _refused(names, "mongodb", MONGODB_PASSWORD, secret, refusal, mongodb)


def _refused(
    names: Names, service: str, file: str, secret: str, refusal: str, remedy: Callable[[Engine, Names], Remedy]
) -> CheckFailed | CheckUnknown:
    try:
        engine = objects.connect()
        held = engine.read_file(names.container(service), file).strip()
    except (CheckUnknown, ContainerFailed) as error:
        return CheckUnknown(f"{refusal}; {error.cause}", error.remedy or Remedy.update())
    expected = f"a login as {ROOT_USER}"
    if held != secret:
        found = f"{refusal}: the container has another secret than the state, which gives it to the container first"
        return CheckFailed(found, expected, Remedy.update(), Code.DATABASE)
    return CheckFailed(f"{refusal}: {sides(engine, names, service)}", expected, remedy(engine, names), Code.DATABASE)
