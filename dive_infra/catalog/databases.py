"""The databases in a country's Postgres: one with its own role for each service that uses it."""

from dataclasses import dataclass

from dive_infra.catalog.keycloak import DATABASE as KEYCLOAK
from dive_infra.catalog.keycloak import ROLE as KEYCLOAK_ROLE


@dataclass(frozen=True)
class Database:
    """`role` owns it and logs in with the secret `credential`; `service` starts only when it exists.

    `remade`: the next update (the record) or its users (sessions) recreate the content; otherwise it is data.
    """

    name: str
    role: str
    credential: str
    service: str = ""
    remade: bool = False


ORCHESTRATION = Database("orchestration", "orchestration", "orchestration-db", remade=True)

DATABASES = (
    Database(KEYCLOAK, KEYCLOAK_ROLE, "keycloak-db", service="keycloak"),
    Database("portal", "portal", "portal-db", service="frontend", remade=True),
    ORCHESTRATION,
)
