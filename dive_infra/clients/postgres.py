"""Connections to a country's Postgres: TLS with the name checked, and every wait bounded.

What libpq takes from the environment and from files of the caller's home changes no connection of ours.
"""

import os
from typing import Any

import psycopg
from psycopg import Connection

from dive_infra.clients.trust import ca_file

_TIMEOUTS = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000"
# Each side notices a dead peer within half a minute; the server then frees the lock of the session.
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_SERVER_KEEPALIVE = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=20000"
)
_SHORTEST_TIMEOUT = 2  # seconds; libpq accepts no less
# An argument overrides these, and Pulumi reads them for a state that is kept in Postgres.
_OVERRIDDEN = ("PGPASSWORD", "PGPASSFILE", "PGSSLROOTCERT")


def connect(
    host: str,
    address: str,
    port: int,
    user: str,
    password: str,
    database: str,
    ca: str,
    application: str,
    timeout: int,
) -> Connection[Any]:
    """Return a connection in autocommit to `address`, whose certificate must name `host`.

    `ca` is PEM text, `timeout` in seconds. Raises `psycopg.OperationalError`.
    """
    return isolated(
        host=host,
        hostaddr=address,
        port=port,
        user=user,
        password=password,
        dbname=database,
        sslmode="verify-full",
        sslrootcert=str(ca_file(ca)),
        connect_timeout=max(_SHORTEST_TIMEOUT, timeout),
        application_name=application,
        options=f"{_TIMEOUTS} {_SERVER_KEEPALIVE}",
        **_KEEPALIVE,
    )


def isolated(**arguments: Any) -> Connection[Any]:
    """Return a connection in autocommit to which nothing counts but these arguments of libpq, among them a password."""
    _forget_variables()
    return psycopg.connect(
        **arguments, sslcertmode="disable", gssencmode="disable", passfile=os.devnull, autocommit=True
    )


def _forget_variables() -> None:
    """Remove libpq's variables from this process.

    No argument overrides `PGSERVICE`, `PGTZ` or an empty default: libpq takes an empty argument for none.
    """
    for name in [name for name in os.environ if name.startswith("PG") and name not in _OVERRIDDEN]:
        del os.environ[name]
