"""What the portal is told: variables as in the catalog, secrets as files."""

from dataclasses import dataclass

from dive_common.settings import Files, MissingSetting, variable


@dataclass(frozen=True)
class Partner:
    """A country whose people may sign in here, and its alias in the own realm."""

    code: str
    alias: str
    name: str


@dataclass(frozen=True)
class Settings:
    """`portal_url` is this service as a browser sees it; `identity_origins` are the realms a sign-out may pass."""

    instance_code: str
    instance_name: str
    port: int
    portal_url: str
    backend_url: str
    issuer: str
    client_id: str
    database_url: str
    partners: tuple[Partner, ...]
    identity_origins: tuple[str, ...]
    paths: Files

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(
            instance_code=variable("INSTANCE_CODE"),
            instance_name=variable("INSTANCE_NAME"),
            port=int(variable("PORT")),
            portal_url=variable("PORTAL_URL").rstrip("/"),
            backend_url=variable("BACKEND_URL"),
            issuer=variable("KEYCLOAK_ISSUER"),
            client_id=variable("KEYCLOAK_CLIENT_ID"),
            database_url=variable("DATABASE_URL"),
            partners=partners(variable("PARTNERS", "")),
            identity_origins=tuple(variable("IDENTITY_ORIGINS").split(",")),
            paths=Files.from_environment(),
        )


def partners(text: str) -> tuple[Partner, ...]:
    """Of `FRA=fra-idp=France,DEU=deu-idp=Germany`, the partners; raises `MissingSetting` for anything else."""
    rows = [row.split("=") for row in text.split(",") if row]
    if any(len(row) != 3 for row in rows):
        raise MissingSetting(f"PARTNERS is {text!r}, expected CODE=alias=Name, separated by commas")
    return tuple(Partner(*row) for row in rows)
