"""What the backend is told: variables as in the catalog, secrets as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo.database import Database

from dive_common.settings import Files, flag, variable
from dive_common.stores import database

AUDIENCE = "dive-v3-backend"


@dataclass(frozen=True)
class Settings:
    """`issuers` may sign tokens for this service; `opa_url`, `kas_url`, `keycloak_url` are base URLs."""

    instance_code: str
    is_hub: bool
    port: int
    issuers: tuple[str, ...]
    keycloak_url: str
    realm: str
    opa_url: str
    kas_url: str
    api_url: str
    paths: Files

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(
            instance_code=variable("INSTANCE_CODE"),
            is_hub=flag("IS_HUB"),
            port=int(variable("PORT")),
            issuers=tuple(variable("TRUSTED_ISSUERS").split(",")),
            keycloak_url=variable("KEYCLOAK_URL"),
            realm=variable("INSTANCE_REALM"),
            opa_url=variable("OPA_URL"),
            kas_url=variable("KAS_URL"),
            api_url=variable("API_URL"),
            paths=Files.from_environment(),
        )

    @property
    def files(self) -> Path:
        """The directory of secrets and certificates."""
        return self.paths.directory

    @property
    def policies(self) -> Path:
        """The Rego policies that the hub distributes."""
        return self.files / "policies"

    @property
    def opal_public_key(self) -> Path:
        """Verifies the tokens of policy clients (hub)."""
        return self.files / "opal.pub"

    def database(self) -> Database[dict[str, Any]]:
        """The country's database; connects when first used."""
        return database(self.paths)
