"""Which of the program's texts a recorded row quotes: it is of this version for as long as all of them exist.

A text is a literal of `dive_infra`, with `{}` for what is filled in. A word alone says nothing about its origin.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import dive_infra

_SHORTEST = 10  # characters of a text, besides what is filled in
_WORDS = re.compile(r"[A-Za-z]{2,}[^A-Za-z]*? [^A-Za-z]*?[A-Za-z]{2,}")
_HOLE = "{}"


def quoted(told: str) -> list[str]:
    """Return the texts of this version of the program that occur in what was printed."""
    return sorted(text for text in texts() if _pattern(text).search(told))


def exist(found: Sequence[str] | None) -> bool:
    """Return True if this version has all of these texts; None are those of a version that recorded none."""
    return found is not None and texts() >= {*found}


@cache
def texts() -> frozenset[str]:
    """Return all texts of the program."""
    return frozenset(
        text
        for path in Path(dive_infra.__file__).parent.rglob("*.py")
        for text in _literals(ast.parse(path.read_text()))
        if len(text.replace(_HOLE, "")) >= _SHORTEST and any(map(_WORDS.search, text.split(_HOLE)))
    )


def _literals(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else _HOLE for v in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _literals(child)


def _pattern(text: str) -> "re.Pattern[str]":
    return re.compile(".*?".join(map(re.escape, text.split(_HOLE))))
