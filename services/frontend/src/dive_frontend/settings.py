"""Settings of the portal; the variables are those of its row in the catalog."""

from dataclasses import dataclass

from dive_common.settings import MissingSetting, ServiceSettings, comma_separated, read


@dataclass(frozen=True)
class Partner:
    """A country whose people may sign in here, and the alias of its identity provider in our realm."""

    code: str
    alias: str
    name: str


def base_url(text: str) -> str:
    return text.rstrip("/")


def partners(text: str) -> tuple[Partner, ...]:
    """Parse `FRA=fra-idp=France,DEU=deu-idp=Germany`; raise `MissingSetting` for anything else."""
    rows = [row.split("=") for row in text.split(",") if row]
    if any(len(row) != 3 for row in rows):
        raise MissingSetting(f"PARTNERS is {text!r}; expected CODE=alias=Name, separated by commas")
    return tuple(Partner(*row) for row in rows)


@dataclass(frozen=True, kw_only=True)
class PortalSettings(ServiceSettings):
    """`portal_url` is this service as a browser sees it; `identity_origins` are the realms that a sign-out may pass."""

    instance_name: str = read("INSTANCE_NAME", str)
    portal_url: str = read("PORTAL_URL", base_url)
    backend_url: str = read("BACKEND_URL", str)
    issuer: str = read("KEYCLOAK_ISSUER", str)
    client_id: str = read("KEYCLOAK_CLIENT_ID", str)
    database_url: str = read("DATABASE_URL", str)
    partners: tuple[Partner, ...] = read("PARTNERS", partners, "")
    identity_origins: tuple[str, ...] = read("IDENTITY_ORIGINS", comma_separated)
