"""Every environment variable of our own: one table with name, purpose and reader, and one typed function for each.

No other module of `dive_infra` names or reads a `DIVE_*` variable. Variables of Pulumi, Docker and the operating system
are read where they matter. `docs/reference/environment.md` shows this table to operators; a unit test compares them.
"""

import os
from pathlib import Path
from typing import NamedTuple


class Variable(NamedTuple):
    """A row of the page: `purpose` is its text for what the variable does, `readers` for who reads it."""

    name: str
    purpose: str
    readers: str


ACCEPT_LOSS = "DIVE_ACCEPT_LOSS"
REMOVE = "DIVE_REMOVE"
ASSUME_GRANT = "DIVE_ASSUME_GRANT"
STACKS = "DIVE_STACKS"
CACHE = "DIVE_CACHE"
FILES = "DIVE_FILES"
TRACEBACK = "DIVE_TRACEBACK"
TEST_NAMESPACE = "DIVE_TEST_NAMESPACE"
RUN_ID = "DIVE_RUN_ID"
REFUSED = "DIVE_REFUSED"
STEPS = "DIVE_STEPS"
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
        ASSUME_GRANT,
        "in a preview, takes a grant that the hub has not made yet for unknown; an update never reads it",
        "the program of a spoke; `./dive preview` sets it",
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
    Variable(COMPLETE, "asks the command for completions", "`./dive`; set by the shell's completion script"),
)


def accepted_losses() -> set[str]:
    """Return the names of the volumes and databases whose loss this run accepts."""
    return _names(ACCEPT_LOSS)


def removals() -> set[str]:
    """Return what this run may remove although it is undeclared: `client/<name>`, `orphans/<mark>`."""
    return _names(REMOVE)


def assumes_grant() -> bool:
    """Return True if a preview takes a missing grant for unknown."""
    return _is_set(ASSUME_GRANT)


def stacks_folder() -> Path | None:
    """Return the folder with the coalition's stack files, or None: they are in the checkout."""
    return _path(STACKS)


def cache_folder() -> Path:
    """Return the folder for what is kept between runs and checkouts."""
    return _path(CACHE) or Path.home() / ".cache" / "dive"


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
