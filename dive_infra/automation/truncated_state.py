"""A state in files that a killed run was writing: made readable again, without losing what it holds.

Pulumi puts a state in place by a rename, beside a file of its attributes, which it writes where it stands. So a run
that is killed in that moment leaves an empty one, and every later command fails with `EOF`. A loss of power can leave
half a state; the one before it stands beside it. What was begun since then is found as made and not recorded.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dive_infra.automation.backend_lock import backend
from dive_infra.config.settings import PROJECT
from dive_infra.process.crash_points import crash_point


def files(stack: str, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """The files of a stack's state that were cut off; empty where the state is not in files of this machine."""
    return [path for path in _all(stack, environment) if path.exists() and not _whole(path)]


def mend(stack: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Puts them right and tells how; nobody may be writing. A state that has no whole one beside it is left."""
    told: list[str] = []
    for path in files(stack, environment):
        before = path.with_name(f"{path.name}.bak")
        if path.suffix == ".attrs":
            with crash_point("mend state"):
                path.unlink()  # without them Pulumi takes the usual ones
            told.append(f"{path.name} was cut off: left out")
        elif before.exists() and _whole(before):
            with crash_point("mend state"):
                before.replace(path)
            told.append(f"{path.name} was cut off: the one before it is in its place")
    return told


def _all(stack: str, environment: Mapping[str, str]) -> Iterator[Path]:
    root = backend(environment)
    if root:
        state = root / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
        yield from (state, state.with_name(f"{state.name}.attrs"), state.with_name(f"{state.name}.bak.attrs"))


def _whole(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True
