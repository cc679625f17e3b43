"""Two trees compared: nested mappings with plain values and sorted lists at the ends (`realm_export`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dive_infra.identity.realm_export import is_unset

Path = tuple[str, ...]


@dataclass(frozen=True)
class TreeDifference:
    """`path` leads to the value in both trees; `None` is a missing one."""

    path: Path
    expected: Any
    found: Any


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[TreeDifference]:
    """Return every value that is missing, extra or different, in the order of the paths.

    What is missing or extra as a whole is one difference.
    """
    return list(_differences(expected, found, ()))


def _differences(expected: Mapping[str, Any], found: Mapping[str, Any], path: Path) -> Iterator[TreeDifference]:
    for key in sorted({*expected, *found}):
        a, b = expected.get(key), found.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differences(a, b, (*path, key))
        elif _plain(a) != _plain(b):
            yield TreeDifference((*path, key), a, b)


def _plain(value: Any) -> Any:
    """Return Keycloak's spellings of a value as one: `true` and "true", 5 and "5", unset and empty, lists in order."""
    if is_unset(value):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return sorted(map(str, value))
    return value if isinstance(value, Mapping) else str(value)


def covers(tree: Mapping[str, Any], path: Path) -> bool:
    """Return True if the tree has a value at `path`, or one at the start of it."""
    found: Any = tree
    for key in path:
        if not isinstance(found, Mapping):
            return True
        if key not in found:
            return False
        found = found[key]
    return True


def overlaid(base: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `declared` on it: mappings are merged, other values replaced, `None` removes a key."""
    merged = dict(base)
    for key, value in declared.items():
        under = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = overlaid(under if isinstance(under, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged
