"""Every environment variable of our own: one table with name, purpose and reader, and one typed function for each.

No other module of `dive_infra` names or reads a `DIVE_*` variable. Variables of Pulumi, Docker and the operating system
are read where they matter; `FAMILIES` says which of them count at all. `docs/reference/environment.md` shows both
tables to operators; a unit test compares them. The launcher runs this file before our packages are installed: it
imports the standard library alone.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple


class Variable(NamedTuple):
    """A row of the page: `purpose` is its text for what the variable does, `readers` for who reads it."""

    name: str
    purpose: str
    readers: str


ACCEPT_LOSS = "DIVE_ACCEPT_LOSS"
REMOVE = "DIVE_REMOVE"
ACCEPT_KEYS = "DIVE_ACCEPT_KEYS"
ACCEPT_MEMBERS = "DIVE_ACCEPT_MEMBERS"
ASSUME_PLACE = "DIVE_ASSUME_PLACE"
STACKS = "DIVE_STACKS"
CACHE = "DIVE_CACHE"
FILES = "DIVE_FILES"
TRACEBACK = "DIVE_TRACEBACK"
TEST_NAMESPACE = "DIVE_TEST_NAMESPACE"
RUN_ID = "DIVE_RUN_ID"
REFUSED = "DIVE_REFUSED"
STEPS = "DIVE_STEPS"
NO_ENGINE = "DIVE_NO_ENGINE"
COMPLETE = "_DIVE_COMPLETE"

VARIABLES = (
    Variable(
        ACCEPT_LOSS,
        "accepts that their data is lost; they are created again, empty",
        "providers of volumes, databases and the record",
    ),
    Variable(
        REMOVE,
        "removes what no one declared: in a realm, or left on the engine by an abandoned deployment",
        "providers `Undeclared` and `Orphans`",
    ),
    Variable(
        ACCEPT_KEYS,
        "records the keys that the realm has now; with any other key CONFIGURATION is not valid",
        "provider `RealmKeys`; `./dive rotate-keys` sets it",
    ),
    Variable(
        ACCEPT_MEMBERS,
        "at the hub, takes up requests of members whose keys are others than those in the coalition document",
        "the program",
    ),
    Variable(
        ASSUME_PLACE,
        "in a preview without keys, assumes partners at their computed addresses; an update never reads it",
        "the program; `./dive preview` sets it",
    ),
    Variable(STACKS, "holds the stack files of a coalition, and its state and passphrase in `.dive`", "every command"),
    Variable(CACHE, "keeps what was downloaded or built, by content", "`./dive` when it prepares a machine"),
    Variable(FILES, "holds a service's certificate, key and secrets", "backend, KAS, portal"),
    Variable(
        TRACEBACK,
        "prints whole tracebacks of our providers, and lets `pulumi up --debug` show the SDK's trace",
        "program and providers",
    ),
    Variable(TEST_NAMESPACE, "names the coalition that tests deploy", "tests, `./dive bench`"),
    Variable(RUN_ID, "names the run in the record; without it each run generates one", "deploying process"),
    Variable(
        REFUSED,
        "receives who holds the country, if the deployment is refused, because Pulumi's exit code does not tell",
        "providers",
    ),
    Variable(
        STEPS,
        "receives every crash point, and holds the deployment until it answers",
        "providers and recovery, in the crash-point sweep",
    ),
    Variable(
        NO_ENGINE,
        "in a preview from the state alone, has no one ask the engine of `dive:engine`; an update never has it",
        "providers; `./dive preview` sets it",
    ),
    Variable(COMPLETE, "asks the command for completions", "`./dive`; set by the shell's completion script"),
)


class Family(NamedTuple):
    """Variables whose names start with `prefix` and that change what a tool does which we call.

    Those in `kept` count: the page says what they do. All others are left out, under any name.
    """

    prefix: str
    kept: frozenset[str]
    reason: str  # a row of the page: what the others would do


def _family(prefix: str, kept: str, reason: str) -> Family:
    return Family(prefix, frozenset(kept.split()), reason)


FAMILIES = (
    _family(
        "PULUMI_",
        "PULUMI_ACCESS_TOKEN PULUMI_BACKEND_URL PULUMI_CONFIG_PASSPHRASE PULUMI_CONFIG_PASSPHRASE_FILE "
        "PULUMI_CREDENTIALS_PATH PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS "
        "PULUMI_ENABLE_STREAMING_JSON_PREVIEW PULUMI_HOME PULUMI_LOG_ROTATION_MAX_AGE_DAYS "
        "PULUMI_LOG_ROTATION_MAX_TOTAL_MB PULUMI_OPTION_POLICY_PACK PULUMI_PARALLEL_DIFF PULUMI_SKIP_UPDATE_CHECK",
        "are options of every command of Pulumi; some write secrets in plain text",
    ),
    _family("TF_LOG", "", "make providers log requests, secrets included"),
    _family("GODEBUG", "", "can log the bodies of requests, and changes how Go programs run"),
    _family("GRPC_", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "trace what Pulumi and its plugins send each other"),
    _family("OTEL_", "", "send traces elsewhere"),
    _family("SSLKEYLOGFILE", "", "writes the keys of all TLS sessions"),
    _family("KEYCLOAK_", "", "are defaults of Pulumi's Keycloak provider"),
    _family("PG", "PGPASSFILE PGPASSWORD PGSSLROOTCERT", "are defaults of every connection to Postgres"),
    _family(
        "PYTHON",
        "PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED",
        "change where Python finds modules and how it runs them",
    ),
    _family(
        "PIP_",
        "PIP_CACHE_DIR PIP_CERT PIP_CLIENT_CERT PIP_CONFIG_FILE PIP_DEFAULT_TIMEOUT PIP_DISABLE_PIP_VERSION_CHECK "
        "PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_INDEX_URL PIP_KEYRING_PROVIDER PIP_NO_CACHE_DIR PIP_NO_INDEX PIP_PROXY "
        "PIP_RETRIES PIP_TRUSTED_HOST",
        "change where and what pip installs",
    ),
    _family(
        "UV_",
        "UV_CACHE_DIR UV_CONCURRENT_DOWNLOADS UV_DEFAULT_INDEX UV_FIND_LINKS UV_HTTP_TIMEOUT UV_INDEX_URL "
        "UV_INSECURE_HOST UV_KEYRING_PROVIDER UV_LINK_MODE UV_NATIVE_TLS UV_NO_CACHE UV_OFFLINE",
        "change where and what uv installs",
    ),
    _family("GOFLAGS", "", "changes every build by Go"),
    _family("GOOS", "", "builds for another system"),
    _family("GOARCH", "", "builds for another processor"),
    _family(
        "DOCKER_",
        "DOCKER_CERT_PATH DOCKER_CONFIG DOCKER_CONTEXT DOCKER_HOST DOCKER_TLS_VERIFY",
        "change what Docker's clients do",
    ),
    _family("COMPOSE_", "", "change the comparison in `./dive bench`"),
)


def left_out(names: Iterable[str]) -> list[str]:
    """Return those of the names that do not count, sorted."""
    return sorted(n for n in names if any(n.startswith(f.prefix) and n not in f.kept for f in FAMILIES))


def counting(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that count: for every subprocess of ours, added to by our own."""
    return {name: given[name] for name in given.keys() - left_out(given)}


def leave_out() -> None:
    """Remove from this process the variables that do not count, and name those that had a value."""
    if names := left_out(os.environ):
        _say_left_out(names)
        for name in names:
            del os.environ[name]


def _say_left_out(names: Iterable[str]) -> None:
    valued = [name for name in names if os.environ[name]]
    if valued and not completes():
        sys.stderr.write(f"dive: left out {', '.join(map(_printable, valued))}; see docs/reference/environment.md\n")


def _printable(name: str) -> str:
    """Return a variable's name for a terminal of any encoding."""
    return name.encode("ascii", "backslashreplace").decode()


def _for_the_launcher() -> None:
    """Print the shell command that leaves them out. No shell can unset odd names: `leave_out` does, later."""
    if names := [name for name in left_out(os.environ) if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)]:
        _say_left_out(names)
        sys.stdout.write(f"unset {' '.join(names)}\n")


def accepted_losses() -> set[str]:
    """Return the names of the volumes and databases whose loss this run accepts."""
    return _names(ACCEPT_LOSS)


def removals() -> set[str]:
    """Return what this run may remove although it is undeclared: `client/<name>`, `orphans/<mark>`."""
    return _names(REMOVE)


def accepted_keys() -> set[str]:
    """Return the names of the realms whose keys this run accepts."""
    return _names(ACCEPT_KEYS)


def accepted_members() -> set[str]:
    """Return the codes of the members whose new keys this run of the hub accepts."""
    return _names(ACCEPT_MEMBERS)


def assumes_place() -> bool:
    """Return True if a preview without keys assumes the country's place in the coalition."""
    return _is_set(ASSUME_PLACE)


def stacks_folder() -> Path | None:
    """Return the folder with the coalition's stack files, or None: they are in the checkout."""
    return _path(STACKS)


def cache_folder() -> Path:
    """Return the folder for what is kept between runs and checkouts."""
    return _path(CACHE) or Path.home() / ".cache" / "dive"


def docker_config_folder() -> Path:
    """Return the folder of Docker's client configuration."""
    return _path("DOCKER_CONFIG") or Path.home() / ".docker"


def missing_home() -> str:
    """Return what is missing for a user without a home folder, and the command; empty if there is one."""
    try:
        Path.home()
    except RuntimeError:
        return f"HOME is not set and user {os.getuid()} has no entry in the password file; next: export HOME=/a/folder"
    return ""


def shows_traceback() -> bool:
    """Return True if errors of our providers keep their traceback."""
    return _is_set(TRACEBACK)


def test_namespace(default: str) -> str:
    """Return the namespace of the coalition that tests deploy."""
    return os.environ.get(TEST_NAMESPACE, default)


def run_id() -> str:
    """Return the given id of this run; empty without one."""
    return os.environ.get(RUN_ID, "")


def refusal_file() -> Path | None:
    """Return the file that receives who holds the country."""
    return _path(REFUSED)


def crash_point_socket() -> str:
    """Return the path of the socket that receives crash points; empty outside the sweep."""
    return os.environ.get(STEPS, "")


def asks_no_engine() -> bool:
    """Return True if a preview from the state asks no engine."""
    return _is_set(NO_ENGINE)


def completes() -> bool:
    """Return True if a shell asks for completions."""
    return COMPLETE in os.environ


def _is_set(variable: str) -> bool:
    return bool(os.environ.get(variable))


def _path(variable: str) -> Path | None:
    given = os.environ.get(variable)
    return Path(given) if given else None


def _names(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",")} - {""}


if __name__ == "__main__":
    _for_the_launcher()
