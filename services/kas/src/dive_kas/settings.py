"""What the key access service is told: variables as in the catalog, secrets as files."""

from dataclasses import dataclass

from dive_common.settings import Files, variable

AUDIENCE = "dive-v3-backend"


@dataclass(frozen=True)
class Settings:
    """`issuers` may sign tokens for this service; `kas_id` stands in its audit rows."""

    instance_code: str
    kas_id: str
    port: int
    issuers: tuple[str, ...]
    opa_url: str
    paths: Files

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(
            instance_code=variable("INSTANCE_CODE"),
            kas_id=variable("KAS_ID"),
            port=int(variable("KAS_PORT")),
            issuers=tuple(variable("TRUSTED_ISSUERS").split(",")),
            opa_url=variable("OPA_URL"),
            paths=Files.from_environment(),
        )
