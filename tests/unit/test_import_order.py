"""The import order of the packages: downwards only; providers are found by name alone."""

import ast
import base64
import re
from pathlib import Path

import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider

import dive_infra.dynamic
from tests.support.providers import providers

PACKAGE = Path(dive_infra.dynamic.__file__).parents[1]

# From the top: a package may import those after it and itself. Packages in one row may not import each other.
ORDER = (
    {"stacks", "cli"},
    {"phases"},
    {"components"},
    {"dynamic"},
    {"diagnosis", "rotation", "teardown"},
    {"automation"},
    {"checks"},
    {"plans"},
    {"orchestration", "seeds", "images"},
    {"engines"},
    {"toolchain"},
    {"catalog"},
    {"membership"},
    {"identity"},
    {"process"},
    {"config"},
    {"results", "crypto", "clients"},
)
# Modules that print or end a process of their own, and why.
OWN_PROCESS = {
    "catalog/opal/client.py": "Gunicorn's configuration, run in the container",
    "config/environment.py": "the launcher runs it, and evaluates what it prints",
    "dynamic/base.py": "provider messages: Pulumi shows what a provider prints",
    "dynamic/runtime/interpreter.py": "answers Pulumi's language host in place of pip",
    "dynamic/runtime/engine_watchdog.py": "ends the provider process with its engine",
}
DECLARING = {"stacks", "phases", "components", "dynamic"}
RANK = {name: place for place, row in enumerate(ORDER) for name in row}


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{a.name}" for a in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_downwards(path: Path) -> None:
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(path):
        if module.split(".")[0] == "pulumi" or module.startswith("pulumi_"):
            assert here in DECLARING, f"{here} stands below the line and must not import pulumi"
        there = package_of(module) if module.startswith("dive_infra") else ""
        if there in RANK and here in RANK and there != here:
            assert RANK[there] > RANK[here], f"{here} must not import {there}"


def test_every_package_has_its_place() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == RANK.keys()


def stated(package: str) -> set[str]:
    """Return the packages that the docstring of this one allows: a list, `everything below`, or `nothing`."""
    text = " ".join((ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text())) or "").split())
    [sentence] = re.findall(r"May import: ([^.]*)\.", text)
    named = set(re.findall(r"`(\w+)`", sentence))
    if sentence.startswith("everything below"):
        return {other for other in RANK if RANK[other] > RANK[package]} - named  # named are exceptions
    assert bool(named) != sentence.startswith("nothing of this project"), sentence
    return named


@pytest.mark.parametrize("package", RANK)
def test_a_package_states_what_it_may_import(package: str) -> None:
    below = {other for other in RANK if RANK[other] > RANK[package]}
    found = {
        package_of(module)
        for path in (PACKAGE / package).rglob("*.py")
        for module in imports(path)
        if module.startswith("dive_infra")
    }
    assert stated(package) <= below, "the order does not allow it"
    assert found & RANK.keys() - {package} <= stated(package), "the sentence does not allow it"


def ends_or_prints(path: Path) -> list[str]:
    """Return each line of a module that prints, ends the process or uses what only the command may use."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in {"print", "exit", "quit"} or called.startswith(("sys.std", "sys.exit", "os._exit")):
                found.append(f"{node.lineno}: {called}()")
        elif isinstance(node, ast.Raise) and node.exc and "SystemExit" in ast.unparse(node.exc):
            found.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [f"{node.lineno}: {name}" for name in names if name.split(".")[0] in {"typer", "click", "rich"}]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_below_the_verbs_no_module_prints_or_ends_the_command(path: Path) -> None:
    here = str(path.relative_to(PACKAGE))
    if here.startswith("cli/"):
        return
    assert bool(ends_or_prints(path)) == (here in OWN_PROCESS), ends_or_prints(path)


@pytest.mark.parametrize("kind", providers(), ids=lambda k: k.__name__)
def test_a_provider_is_pickled_by_its_name(kind: type[ResourceProvider]) -> None:
    pickled = base64.b64decode(serialize_provider(kind()))
    assert len(pickled) < 150, "by value: an edit of the code would be a change of every resource"
    assert kind.__module__.encode() in pickled
    assert kind.serialize_as_secret_always is False


@pytest.mark.parametrize("path", sorted((PACKAGE / "dynamic").rglob("*.py")), ids=lambda p: p.name)
def test_a_provider_prints_only_what_provider_messages_formats(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "tell":
            [line] = node.args
            assert isinstance(line, ast.Call), f"{path.name}:{node.lineno}"
            assert ast.unparse(line.func).startswith("provider_messages."), f"{path.name}:{node.lineno}"


# Who knows Docker outside `engines/docker`, and why. Everyone else uses the interface of `engines`.
KNOWS_DOCKER = {
    "engines/__init__.py": "selects the engine",
    "components/engine.py": "declares Pulumi's provider of Docker",
    "components/network.py": "declares Pulumi's network of Docker",
    "components/service.py": "declares Pulumi's container of Docker",
    "images/builder.py": "builds with Docker; another engine loads what is built",
    "images/country_images.py": "connects for the two beside it",
    "images/registry.py": "asks a registry through Docker, which holds the credentials",
    "images/resolution.py": "looks for images on Docker, and pulls them",
    "images/transfer.py": "sends images from one Docker to another",
}


def test_only_the_engines_package_knows_docker() -> None:
    known = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for module in imports(path)
        if module.split(".")[0] in {"docker", "pulumi_docker"} or module.startswith("dive_infra.engines.docker")
    }
    assert {name for name in known if not name.startswith("engines/docker/")} == KNOWS_DOCKER.keys()
