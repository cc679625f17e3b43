"""Connections to a country's MongoDB."""

from typing import Any

from pymongo import MongoClient

from dive_infra.clients.trust import ca_file

Client = MongoClient[dict[str, Any]]


def client(
    host: str, port: int, username: str, password: str, ca: str, timeout: float, answer: float | None = None
) -> Client:
    """Return a client that gives up after `timeout` seconds, and waits `answer` seconds for each answer.

    `ca` is PEM text; without `answer`, `timeout` holds for answers too. Nothing is sent before the first command.
    """
    milliseconds = int(timeout * 1000)
    return MongoClient(
        host,
        port,
        username=username,
        password=password,
        directConnection=True,
        tls=True,
        tlsCAFile=str(ca_file(ca)),
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds if answer is None else int(answer * 1000),
        retryWrites=False,  # needs a replica set
    )
