"""Sessions in the database `portal`: a cookie holds a random id, a row its hash and the sealed tokens."""

import hashlib
import secrets
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from dive_common.problems import unavailable
from dive_common.settings import ServiceFiles
from dive_frontend.sealing import Seal

LIFETIME_SECONDS = 8 * 60 * 60  # as long as the realm's longest session

_TABLE = """
CREATE TABLE IF NOT EXISTS sessions (
    id_hash    text PRIMARY KEY,
    sealed     text NOT NULL,
    expires_at timestamptz NOT NULL
)"""
_PURGE = "DELETE FROM sessions WHERE expires_at < now()"
_WRITE = """
INSERT INTO sessions (id_hash, sealed, expires_at) VALUES (%s, %s, now() + make_interval(secs => %s))
ON CONFLICT (id_hash) DO UPDATE SET sealed = excluded.sealed"""
_READ = "SELECT sealed FROM sessions WHERE id_hash = %s AND expires_at > now()"
_DELETE = "DELETE FROM sessions WHERE id_hash = %s"


@dataclass(frozen=True)
class Session:
    """A signed-in person's tokens; the access token expires at `expires`, in seconds since the epoch."""

    access_token: str
    refresh_token: str
    id_token: str
    expires: float


def pool(database_url: str, files: ServiceFiles) -> ConnectionPool:
    """Return a pool of connections to Postgres, whose certificate is verified; it connects on first use."""
    keywords: dict[str, Any] = {
        "password": files.secret("portal-db"),
        "sslmode": "verify-full",
        "sslrootcert": str(files.path("ca.pem")),
        "connect_timeout": 3,
        "application_name": "dive-portal",
    }
    return ConnectionPool(database_url, kwargs=keywords, min_size=0, max_size=4, timeout=5, open=False)


class Sessions:
    """Stores sessions by id; every method raises `HttpProblem` 503 if Postgres is unavailable."""

    def __init__(self, connections: ConnectionPool, seal: Seal) -> None:
        self._connections = connections
        self._seal = seal
        self._prepared = False

    def create(self, session: Session) -> str:
        """Store a session and return its new id; delete expired sessions."""
        new = secrets.token_urlsafe(32)
        self._run(_PURGE)
        self.replace(new, session)
        return new

    def replace(self, session_id: str, session: Session) -> None:
        self._run(_WRITE, _hash(session_id), self._seal.close(asdict(session)), LIFETIME_SECONDS)

    def read(self, session_id: str) -> Session | None:
        """Return the session, or None if it does not exist or has expired."""
        row = self._run(_READ, _hash(session_id))
        value = self._seal.open(str(row[0])) if row else None
        return Session(**value) if value else None

    def delete(self, session_id: str) -> None:
        self._run(_DELETE, _hash(session_id))

    def ping(self) -> None:
        self._run("SELECT 1")

    def _run(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        try:
            with self._connections.connection() as connection:
                if not self._prepared:
                    connection.execute(_TABLE)
                    self._prepared = True
                cursor = connection.execute(statement.encode(), values)
                return cursor.fetchone() if cursor.description else None
        except (psycopg.Error, PoolTimeout) as error:
            self._prepared = False  # the database may have been recreated when it answers again
            raise unavailable("session store", error) from error


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
