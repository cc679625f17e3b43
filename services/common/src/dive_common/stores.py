"""The country's MongoDB: TLS, verified, with a short patience."""

from functools import lru_cache
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from dive_common.settings import Files, variable

PATIENCE = 3.0  # seconds


@lru_cache
def database(files: Files) -> Database[dict[str, Any]]:
    """The database `MONGODB_DATABASE` at `MONGODB_URL`, as `MONGODB_USERNAME`; connects when first used."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        variable("MONGODB_URL"),
        username=variable("MONGODB_USERNAME"),
        password=files.secret("mongodb-password"),
        tls=True,
        tlsCAFile=str(files.path("ca.pem")),
        serverSelectionTimeoutMS=int(PATIENCE * 1000),
        connectTimeoutMS=int(PATIENCE * 1000),
        socketTimeoutMS=20_000,
        retryWrites=False,  # needs a replica set
    )
    return client[variable("MONGODB_DATABASE")]
