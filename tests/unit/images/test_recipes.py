"""Recipes of images: their keys, their order, and what they must not contain."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dive_infra.catalog import datastores, keycloak
from dive_infra.config import paths
from dive_infra.images import recipes

REFERENCES = {
    "postgres": datastores.POSTGRES_IMAGE,
    "mongodb": datastores.MONGODB_IMAGE,
    "redis": datastores.REDIS_IMAGE,
}
SERVICES = ("backend", "kas", "frontend")
DIRECTORIES = sorted(path for path in (paths.ROOT / "images").iterdir() if path.is_dir())


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of images/ and services/ that a test may edit."""
    for folder in ("images", "services"):
        shutil.copytree(paths.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    recipes.forget()
    yield tmp_path
    recipes.forget()


@pytest.mark.parametrize("service", ["redis", "postgres", "mongodb", "opal-client", "keycloak"])
def test_a_recipe_changes_with_its_own_files_and_with_its_base(checkout: Path, service: str) -> None:
    seen = {recipes.recipe_hash(service)}
    for file in (checkout / recipes.RECIPES[service].directory / "Dockerfile", checkout / "images/base/make.sh"):
        file.write_text(file.read_text() + "# edited\n")
        recipes.forget()
        seen.add(recipes.recipe_hash(service))
    assert len(seen) == 3
    assert all(re.fullmatch(r"[0-9a-f]{12}", found) for found in seen)


def test_a_recipe_does_not_change_with_other_recipes_caches_or_the_umask(checkout: Path) -> None:
    before = recipes.recipe_hash("redis")
    with (checkout / "images/postgres/Dockerfile").open("a") as file:
        file.write("# edited\n")
    (checkout / "images/redis/__pycache__").mkdir()
    (checkout / "images/redis/__pycache__/x.pyc").write_text("x")
    (checkout / "images/redis/Dockerfile").chmod(0o600)
    recipes.forget()
    assert recipes.recipe_hash("redis") == before


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_changes_with_its_own_files_and_with_the_shared_ones(checkout: Path, service: str) -> None:
    shared = ("images/service/Dockerfile", "services/common/src/dive_common/web.py")
    files = (*shared, f"services/{service}/requirements.txt")
    seen = {recipes.recipe_hash(service)}
    for file in files:
        with (checkout / file).open("a") as edited:
            edited.write("# edited\n")
        recipes.forget()
        seen.add(recipes.recipe_hash(service))
    assert len(seen) == 1 + len(files)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_does_not_change_with_another_one(checkout: Path, service: str) -> None:
    before = recipes.recipe_hash(service)
    for other in set(SERVICES) - {service}:
        (checkout / f"services/{other}/requirements.txt").write_text("# edited\n")
    recipes.forget()
    assert recipes.recipe_hash(service) == before


def test_the_services_share_one_dockerfile_and_each_runs_its_own_package() -> None:
    for service in SERVICES:
        recipe = recipes.RECIPES[service]
        context = {name for name, _ in recipes.context_files(recipe)}
        package = f"dive_{recipe.arguments['SERVICE']}"
        assert recipe.directory == "images/service"
        assert {"Dockerfile", "service/requirements.txt", f"service/src/{package}/__main__.py"} <= context
        assert "common/src/dive_common/server.py" in context


def test_every_recipe_leads_to_the_base_image_or_to_nothing() -> None:
    for name, recipe in recipes.RECIPES.items():
        assert recipe.base in (None, *recipes.RECIPES), name
        assert recipe.directory.startswith("images/"), name


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_no_image_names_a_package_index_or_keeps_the_hosts_trust(directory: Path) -> None:
    for file in directory.rglob("*"):
        assert not re.search(r"https?://|index-url", file.read_text()), file
    stages = (directory / "Dockerfile").read_text().split("\nFROM ") if (directory / "Dockerfile").exists() else [""]
    if directory.name != "maven":  # which is never deployed
        assert recipes.HOST_CA not in stages[-1]


@pytest.mark.parametrize("service", ["keycloak", *REFERENCES])
def test_a_default_reference_is_an_exact_version_that_ours_replaces(service: str) -> None:
    reference = REFERENCES.get(service, keycloak.IMAGE)
    repository, _, version = reference.rpartition(":")
    assert re.match(r"\d+\.\d+", version)
    assert repository in recipes.RECIPES[service].stands_in_for
