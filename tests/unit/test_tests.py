"""The tests' own packages: imports go downwards only, as in the program."""

import ast
from pathlib import Path

import pytest

import tests

PACKAGE = Path(tests.__file__).parent

# From the top: a package may import those after it (and its own). Packages in one row may not import each other.
ORDER = (
    {"unit", "providers", "integration"},
    {"bench"},
    {"faults"},
    {"coalition"},
    {"support"},
)
RANK = {name: place for place, row in enumerate(ORDER) for name in row}


def imported(path: Path) -> set[str]:
    """Return the packages of tests from which the file imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "tests":
            modules |= {f"tests.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {module.split(".")[1] for module in modules if module.startswith("tests.")}


def test_every_package_has_its_place() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == RANK.keys()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/**/*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_of_the_tests_imports_only_downwards(path: Path) -> None:
    here = path.relative_to(PACKAGE).parts[0]
    for there in imported(path) - {here}:
        assert RANK[there] > RANK[here], f"tests.{here} must not import tests.{there}"
