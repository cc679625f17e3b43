"""Settings of the backend; the variables are those of its row in the catalog."""

from dataclasses import dataclass

from dive_common.settings import ResourceServerSettings, read


@dataclass(frozen=True, kw_only=True)
class BackendSettings(ResourceServerSettings):
    """`kas_url` is the base URL of the key access service; `is_hub` adds policy distribution."""

    is_hub: bool = read("IS_HUB", lambda text: text.lower() == "true", "false")
    kas_url: str = read("KAS_URL", str)
