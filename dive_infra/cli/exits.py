"""Exit codes of all verbs of `./dive`: one table, shown by `./dive --help` and in docs/reference/commands.md."""

from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """How a verb ended."""

    OK = 0
    FINDINGS = 1
    UNKNOWN = 2
    LOCKED = 3
    PARTIAL = 4
    INTERRUPTED = 130


MEANINGS: dict[Exit, str] = {
    Exit.OK: "ok",
    Exit.FINDINGS: "a finding or a failure",
    Exit.UNKNOWN: "unknown, or wrong use",
    Exit.LOCKED: "another run is deploying the country",
    Exit.PARTIAL: "deployed or repaired in part",
    Exit.INTERRUPTED: "interrupted",
}
EPILOG = f"Exit codes: {' · '.join(f'{code.value} {meaning}' for code, meaning in MEANINGS.items())}."

# Of several countries the most severe decides: findings come before what could not be checked.
_WORST_FIRST = (Exit.INTERRUPTED, Exit.FINDINGS, Exit.PARTIAL, Exit.LOCKED, Exit.UNKNOWN, Exit.OK)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the most severe code; `OK` if there are none."""
    return min(codes, key=_WORST_FIRST.index, default=Exit.OK)
