"""Settings of the portal; variables and files are those of its row in the catalog."""

import json
from dataclasses import dataclass

from dive_common.settings import ServiceSettings, read


@dataclass(frozen=True)
class Partner:
    """A country whose people may sign in here, and the alias of its identity provider in our realm."""

    code: str
    alias: str
    name: str


def base_url(text: str) -> str:
    return text.rstrip("/")


@dataclass(frozen=True)
class Partners:
    """The `offered` countries at login, and the `origins` of the realms that a sign-out may pass, with our own."""

    offered: tuple[Partner, ...]
    origins: tuple[str, ...]


def partners(text: str) -> Partners:
    """Parse `partners.json`, which changes while the portal runs; raise `ValueError` for anything else."""
    found = json.loads(text)
    try:
        offered = tuple(Partner(row["code"], row["alias"], row["name"]) for row in found["partners"])
        return Partners(offered, tuple(found["identityOrigins"]))
    except (KeyError, TypeError):
        raise ValueError("expected `partners` with code, alias and name, and `identityOrigins`") from None


@dataclass(frozen=True, kw_only=True)
class PortalSettings(ServiceSettings):
    """`portal_url` is this service as a browser sees it."""

    instance_name: str = read("INSTANCE_NAME", str)
    portal_url: str = read("PORTAL_URL", base_url)
    backend_url: str = read("BACKEND_URL", str)
    issuer: str = read("KEYCLOAK_ISSUER", str)
    client_id: str = read("KEYCLOAK_CLIENT_ID", str)
    database_url: str = read("DATABASE_URL", str)
