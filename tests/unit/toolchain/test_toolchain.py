"""Pulumi and its plugins: which versions, and that they serve what the packages ask for."""

import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pulumi
import pytest
from pulumi._types import input_type_py_to_pulumi_names

from dive_infra.toolchain import download, toolchain
from dive_infra.toolchain.toolchain import PLUGINS, ToolchainError

# What the Python packages offer and the plugins built here do not: docker's own image builder, and what the
# Postgres provider learnt after 1.7.1.
UNSERVED_TOKENS: dict[str, set[str]] = {
    "docker": {"image:Image"},
    "keycloak": set(),
    "postgresql": {
        "defaultPrivileg:DefaultPrivileg",  # the old name of DefaultPrivileges
        "function:Function",
        "getSchemas:getSchemas",
        "getSequences:getSequences",
        "getTables:getTables",
        "grantRole:GrantRole",
        "physicalReplicationSlot:PhysicalReplicationSlot",
        "publication:Publication",
        "replicationSlot:ReplicationSlot",
        "securityLabel:SecurityLabel",
        "server:Server",
        "subscription:Subscription",
        "userMapping:UserMapping",
    },
}
UNSERVED_PROPERTIES: dict[str, set[str]] = {
    "postgresql:index/database:Database": {"alterObjectOwnership"},
    "postgresql:index/defaultPrivileges:DefaultPrivileges": {"withGrantOption"},
    "postgresql:index/extension:Extension": {"createCascade", "dropCascade"},
    "postgresql:index/grant:Grant": {"columns", "objects"},
    "postgresql:index/role:Role": {
        "assumeRole",
        "idleInTransactionSessionTimeout",
        "passwordWo",
        "passwordWoVersion",
    },
}


def quiet(_: str) -> None:
    """Progress that no one watches."""


@pytest.fixture(scope="module")
def built() -> toolchain.Toolchain:
    found = toolchain.ensure(None, quiet)
    if found.source != "built":
        pytest.skip(f"the toolchain is {found.source}: its plugins are the published ones")
    return found


def describe(plugin: str) -> dict[str, dict[str, list[str]]]:
    program = toolchain.binary(f"pulumi-resource-{plugin}", quiet)
    described: dict[str, dict[str, list[str]]] = json.loads(subprocess.check_output([program, "--describe"]))
    return described


def test_each_plugin_has_the_version_that_its_python_package_asks_for() -> None:
    for name, expected in PLUGINS.items():
        package = Path(str(importlib.import_module(f"pulumi_{name}").__file__)).parent
        assert json.loads((package / "pulumi-plugin.json").read_text())["version"] == expected
        assert version(f"pulumi-{name}") == expected


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("plugin", PLUGINS)
def test_each_token_of_the_python_package_is_served(plugin: str) -> None:
    root = Path(str(importlib.import_module(f"pulumi_{plugin}").__file__)).parent
    token = re.compile(rf"'({plugin}:\w+/\w+:\w+)'")
    asked = {found for file in root.rglob("*.py") for found in token.findall(file.read_text())}
    described = describe(plugin)
    served = set(described["resources"]) | set(described["functions"])
    assert len(served) >= 6
    assert served - asked == set(), "the plugin names what the package does not know"
    assert asked - served == {f"{plugin}:index/{name}" for name in UNSERVED_TOKENS[plugin]}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("plugin", PLUGINS)
def test_each_property_of_the_python_package_is_served(plugin: str) -> None:
    served = describe(plugin)["resources"]
    compared = 0
    for resource, module in _resources(f"pulumi_{plugin}"):
        package = importlib.import_module(module.__name__.rpartition(".")[0])
        assert getattr(package, resource.__name__) is resource, "for later tests, too"
        if (kind := str(vars(resource).get("pulumi_type"))) in served:
            arguments = getattr(module, f"{resource.__name__}Args")
            asked = set(input_type_py_to_pulumi_names(arguments).values())
            assert asked - set(served[kind]) == UNSERVED_PROPERTIES.get(kind, set()), kind
            compared += 1
    assert compared == len(served)


def _resources(package: str) -> Iterator[tuple[type[pulumi.CustomResource], ModuleType]]:
    for info in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if ".config" not in info.name:
            module = importlib.import_module(info.name)
            if info.ispkg:
                # Pulumi defers loading it. If one of its modules is imported first, that one loads the package when it
                # is not complete itself, and the package lacks its names in all that the process does later.
                getattr(module, "pulumi", None)
            for thing in vars(module).values():
                if (
                    inspect.isclass(thing)
                    and issubclass(thing, pulumi.CustomResource)
                    and thing.__module__ == info.name
                ):
                    yield thing, module


def test_a_satisfied_toolchain_costs_less_than_a_second(built: toolchain.Toolchain, tmp_path: Path) -> None:
    toolchain.ensure_plugins(built, tmp_path, quiet)
    begun = time.monotonic()
    toolchain.ensure_plugins(toolchain.ensure(None, quiet), tmp_path, quiet)
    assert time.monotonic() - begun < 1


def test_plugins_land_where_pulumi_looks_and_it_asks_for_no_other(built: toolchain.Toolchain, tmp_path: Path) -> None:
    folders = toolchain.ensure_plugins(built, tmp_path, quiet)
    listed = subprocess.check_output(
        [built.pulumi, "plugin", "ls", "--json"], env={"PULUMI_HOME": str(tmp_path), "HOME": str(tmp_path)}
    )
    assert {entry["name"]: entry["version"] for entry in json.loads(listed)} == dict(PLUGINS)
    assert {path.name for path in (tmp_path / "plugins").iterdir()} == {folder.name for folder in folders}


def test_a_published_plugin_is_left_alone_and_an_old_build_of_ours_is_not(
    built: toolchain.Toolchain, tmp_path: Path
) -> None:
    published, ours = (
        tmp_path / "plugins" / f"resource-{name}-v{PLUGINS[name]}" / f"pulumi-resource-{name}"
        for name in ("docker", "keycloak")
    )
    for program in (published, ours):
        program.parent.mkdir(parents=True)
        program.write_text("here before")
    (ours.parent / "built-from").write_text("other inputs")
    toolchain.ensure_plugins(built, tmp_path, quiet)
    assert published.read_text() == "here before"
    assert ours.stat().st_size > 1_000_000


def test_without_go_the_error_names_it_and_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"go: not found on PATH.*install Go 1\.\d+"):
        toolchain.binary("opa", quiet, tmp_path / "cache")


def test_an_old_go_is_refused_with_both_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "go").write_text("#!/bin/sh\necho go1.19.8\n")
    (tmp_path / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"found 1\.19\.8, but toolchain/opa needs 1\.\d+.*or newer; install"):
        toolchain.binary("opa", quiet, tmp_path / "cache")


def test_an_unsupported_installed_pulumi_is_passed_over_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\necho v3.100.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    cache, said = tmp_path / "cache", list[str]()
    (download.directory(toolchain.PULUMI, cache)).mkdir(parents=True)
    assert toolchain.ensure(cache, said.append).source == "downloaded"
    assert "v3.100.0" in said[0]
    assert "3.250.0" in said[0]
