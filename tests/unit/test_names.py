"""One name means one thing: no two classes of the program share a name."""

import ast
from collections import Counter
from pathlib import Path

import dive_infra

PACKAGE = Path(dive_infra.__file__).parent


def classes(path: Path) -> list[str]:
    """Return the names of all classes in the file; one that is the module's own counts without its underscore."""
    return [node.name.lstrip("_") for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]


def test_no_two_classes_share_a_name() -> None:
    """The services are programs of their own: they may name what the program names."""
    counts = Counter(name for path in PACKAGE.rglob("*.py") for name in classes(path))
    assert [name for name, count in counts.items() if count > 1] == []
