"""References and locks of images in registries."""

from hashlib import sha256
from pathlib import Path

import pytest

from dive_infra.images import registry


@pytest.mark.parametrize(
    ("reference", "host", "repository"),
    [
        ("postgres:18.1-bookworm", "docker.io", "postgres"),
        ("permitio/opal-server:0.9.9", "docker.io", "permitio/opal-server"),
        ("quay.io/keycloak/keycloak:26.7.4", "quay.io", "quay.io/keycloak/keycloak"),
        ("localhost:5000/team/redis:7", "localhost:5000", "localhost:5000/team/redis"),
        ("localhost:5000/redis", "localhost:5000", "localhost:5000/redis"),
        (f"redis@sha256:{sha256().hexdigest()}", "docker.io", "redis"),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(reference: str, host: str, repository: str) -> None:
    assert (registry.registry_of(reference), registry.repository_of(reference)) == (host, repository)


def test_a_damaged_lock_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "images.lock"
    lock.write_text("{")
    monkeypatch.setattr(registry, "LOCK_FILE", lock)
    with pytest.raises(registry.ImageError, match=r"images\.lock is not JSON .*; next: \./dive images lock"):
        registry.locked("redis:7")
