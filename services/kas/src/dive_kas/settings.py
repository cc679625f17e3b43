"""Settings of the key access service; the variables are those of its row in the catalog."""

from dataclasses import dataclass

from dive_common.settings import ResourceServerSettings, read


@dataclass(frozen=True, kw_only=True)
class KeyAccessSettings(ResourceServerSettings):
    """`kas_id` names this service in its audit rows."""

    port: int = read("KAS_PORT", int)
    kas_id: str = read("KAS_ID", str)
