"""How a deployment reaches the orchestration database, and the errors that must never be taken for an answer."""

from dataclasses import dataclass, field

from dive_infra.results.errors import DiveError

DATABASE = "orchestration"
OWNER = "orchestration"


def deployer(code: str) -> str:
    """The role of a country in the orchestration database: `orchestration_fra`."""
    return f"{OWNER}_{code.lower()}"


@dataclass(frozen=True)
class DatabaseAccess:
    """A login at the database. `host` is what the certificate is checked for, `address` where it is connected to."""

    host: str
    port: int
    user: str
    password: str = field(repr=False, metadata={"secret": True})
    ca: str = field(repr=False)  # PEM
    database: str = DATABASE
    address: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


class RecordError(DiveError):
    """Something is wrong between us and the record; says what, and the next command."""


class Unreachable(RecordError):
    """The database does not answer (down, starting, no route, TLS refused): nothing is known about the record."""


class LoginRefused(RecordError):
    """The server answered and refused the login: role, password or right is wrong."""


class QueryFailed(RecordError):
    """The server answered a query with an error."""


class SchemaMismatch(RecordError):
    """The live schema is not the one that this program was written for."""


class NewerSchema(SchemaMismatch):
    """The database was migrated by a newer program."""


class OlderSchema(SchemaMismatch):
    """The database still awaits migrations that this program brings."""


class TransitionRefused(RecordError):
    """The state machine does not lead from the current state to the wanted one."""


class Locked(RecordError):
    """Somebody else deploys this country now."""


class Fenced(RecordError):
    """The lock was lost to a later deployment: this one must not write any more."""
