"""Connections to Postgres: what the caller's environment says of libpq changes none."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.pq import Conninfo

from dive_infra.clients import postgres

VARIABLES = sorted({o.envvar.decode() for o in Conninfo.get_defaults() if o.envvar} | {"PGTZ", "PGDATESTYLE", "PGGEQO"})


class Server:
    """Refuses TLS, and keeps what connections ask for first."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096))
                connection.sendall(b"N")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


def test_libpq_has_variables_to_be_kept_from() -> None:
    assert {"PGSERVICE", "PGOPTIONS", "PGSSLCERT", "PGHOSTADDR"} <= {*VARIABLES}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(VARIABLES), st.sampled_from(["nowhere", "1", "-c x=y"]), min_size=1))
def test_no_variable_changes_a_connection(server: Server, variables: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        before = len(server.asked)
        with pytest.raises(psycopg.OperationalError, match="server does not support SSL, but SSL was required"):
            postgres.connect("db", "127.0.0.1", server.port, "u", "p", "d", "", "test", 2)
        # The second attempt asks for the SQLSTATE of the first, with the same arguments.
        assert len(server.asked) == before + 2
        left = {name for name in os.environ if name.startswith("PG")}
        assert left <= {"PGPASSWORD", "PGPASSFILE", "PGSSLROOTCERT"}


def test_every_connection_is_made_there() -> None:
    package = Path(postgres.__file__).parents[1]
    users = [p.name for p in package.rglob("*.py") if "psycopg.connect(" in p.read_text()]
    assert users == ["postgres.py"]
