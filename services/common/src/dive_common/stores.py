"""The country's MongoDB: verified TLS, short timeouts."""

from functools import lru_cache
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from dive_common.settings import ServiceFiles, variable

CONNECT_TIMEOUT_MS = 3_000
SOCKET_TIMEOUT_MS = 20_000


@lru_cache
def database(files: ServiceFiles) -> Database[dict[str, Any]]:
    """Return the database `MONGODB_DATABASE` at `MONGODB_URL` for `MONGODB_USERNAME`; it connects on first use."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        variable("MONGODB_URL"),
        username=variable("MONGODB_USERNAME"),
        password=files.secret("mongodb-password"),
        tls=True,
        tlsCAFile=str(files.path("ca.pem")),
        serverSelectionTimeoutMS=CONNECT_TIMEOUT_MS,
        connectTimeoutMS=CONNECT_TIMEOUT_MS,
        socketTimeoutMS=SOCKET_TIMEOUT_MS,
        retryWrites=False,  # needs a replica set
    )
    return client[variable("MONGODB_DATABASE")]
