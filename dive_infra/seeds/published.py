"""The signed status that a country publishes: kept in its MongoDB, from where its backend answers it."""

from typing import Any

from pymongo.database import Database

from dive_infra.process.crash_points import crash_point

COLLECTION, STATUS = "published", "status"


def write(database: Database[dict[str, Any]], content: bytes) -> None:
    """Keep the status in the place of the one before."""
    with crash_point("publish status"):
        database[COLLECTION].replace_one({"_id": STATUS}, {"_id": STATUS, "content": content.decode()}, upsert=True)


def read(database: Database[dict[str, Any]]) -> bytes | None:
    """Return the status that is kept; None if there is none."""
    found = database[COLLECTION].find_one({"_id": STATUS})
    return str(found["content"]).encode() if found and isinstance(found.get("content"), str) else None
