"""Connections to a country's Postgres: TLS with the name checked, and every wait bounded."""

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
    return psycopg.connect(
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
        autocommit=True,
        **_KEEPALIVE,
    )
