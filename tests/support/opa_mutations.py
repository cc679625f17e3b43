"""Every line of every policy and every value of data that the hub distributes, changed one at a time.

No one can change them in an OPA, so that the other side of the comparison is changed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutation:
    """What the hub distributes, by path, with one thing changed: the finding on `subject` contains `told`.

    `kind` groups the coverage.
    """

    kind: str
    name: str
    subject: str
    told: str
    files: Mapping[str, str]


def mutations(files: Mapping[str, str]) -> Iterator[Mutation]:
    """Return for each policy its removal, for each of its lines one that comments it out, for each value another."""
    for path, text in files.items():
        if path.endswith(".rego"):
            others = {name: other for name, other in files.items() if name != path}
            yield Mutation("policy", f"policy {path}: removed", "OPA's policies", f"{path} added", others)
            lines = text.splitlines(keepends=True)
            for place, line in enumerate(lines):
                if line.strip():
                    altered = "".join([*lines[:place], f"# {line}", *lines[place + 1 :]])
                    name = f"policy {path}: line {place + 1}"
                    yield Mutation("line", name, "OPA's policies", f"{path} changed", {**files, path: altered})
    for root, feeds in json.loads(files["data.json"]).items():
        for feed, held in feeds.items():
            for path, value in _leaves(held):
                data = json.loads(files["data.json"])
                _put(data[root], (feed, *path), _other(value))
                name = f"data {root}/{feed}/{'/'.join(map(str, path))}"
                changed = {**files, "data.json": json.dumps(data)}
                yield Mutation("value", name, "OPA's data", f"{root}/{feed} changed", changed)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Return each value that holds no other, by its path."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if inner and value:
        for key, below in inner:
            yield from _leaves(below, (*path, key))
    else:
        yield path, value


def _put(container: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        container = container[key]
    container[path[-1]] = value


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else "x"  # empty or null
