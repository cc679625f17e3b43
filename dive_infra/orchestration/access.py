"""The login at the orchestration database, and the errors that must never be taken for an answer."""

from dataclasses import dataclass, field

from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import NO_REMEDY, Remedy

DATABASE = "orchestration"
OWNER = "orchestration"


@dataclass(frozen=True)
class DatabaseAccess:
    """A login at the database. The certificate must name `host`; the connection goes to `address`."""

    host: str
    port: int
    user: str
    password: str = field(repr=False, metadata={"secret": True})
    ca: str = field(repr=False)  # PEM
    database: str = DATABASE
    address: str = LOOPBACK

    @classmethod
    def of(cls, names: Names, user: str, password: str, ca: str, database: str = DATABASE) -> "DatabaseAccess":
        """Return a login at the Postgres of a country, as its deployer reaches it."""
        return cls(names.host("postgres"), names.port("postgres"), user, password, ca, database, names.published)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


class RecordError(DiveError):
    """The record did not do what was asked; the base of all errors of this package."""


class Unreachable(RecordError):
    """The database does not answer (down, starting, no route, TLS refused): nothing is known about the record."""


class NotAdmitting(Unreachable):
    """The server answers and admits no one at present: it starts, or lacks connections, memory, disk or processes.

    `state` is its SQLSTATE.
    """

    def __init__(self, cause: str, remedy: Remedy = NO_REMEDY, state: str = "") -> None:
        super().__init__(cause, remedy)
        self.state = state


class LoginRefused(RecordError):
    """The server refused the login: the role, the password or a right is wrong; `state` is its SQLSTATE."""

    def __init__(self, cause: str, remedy: Remedy = NO_REMEDY, expected: str = "", state: str = "") -> None:
        super().__init__(cause, remedy, expected=expected)
        self.state = state


class QueryFailed(RecordError):
    """The server answered a query with an error."""


class SchemaMismatch(RecordError):
    """The live schema does not match this program."""


class NewerSchema(SchemaMismatch):
    """The database was migrated by a newer program."""


class OlderSchema(SchemaMismatch):
    """The database lacks migrations of this program."""


class TransitionRefused(RecordError):
    """The state machine has no transition from the current state to the wanted one."""


class Locked(RecordError):
    """Another run is deploying this country."""


class Fenced(RecordError):
    """A later run took the lock: this one must not write any more."""
