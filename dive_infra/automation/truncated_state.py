"""Repair of a state file that a killed run left truncated, without losing what the state holds.

Pulumi replaces the state by a rename, but writes the attributes file beside it in place. A run that is killed at that
moment leaves an empty file, and every later command fails with `EOF`. A power failure can truncate the state itself;
the previous one is kept beside it. Resources created since then are found as pending creates.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dive_infra.automation.backend_lock import backend_folder
from dive_infra.config import json_file
from dive_infra.config.json_file import BrokenFile
from dive_infra.config.settings import PROJECT
from dive_infra.process.crash_points import crash_point


def truncated_files(stack: str, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the truncated files of a stack's state; empty if the backend is not a folder of this machine."""
    return [path for path in _all(stack, environment) if path.exists() and not _is_json(path)]


def has_state(stack: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the backend is a folder of this machine, in which the stack has a state."""
    return next((path.exists() for path in _all(stack, environment)), False)


def repair(stack: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Repair the truncated files and return a line for each; requires that no process is writing them.

    A truncated state without an intact previous one is left as it is.
    """
    report: list[str] = []
    for path in truncated_files(stack, environment):
        previous = path.with_name(f"{path.name}.bak")
        if path.suffix == ".attrs":
            with crash_point("repair state"):
                path.unlink()  # without it Pulumi takes the defaults
            report.append(f"{path.name} was truncated: removed")
        elif previous.exists() and _is_json(previous):
            with crash_point("repair state"):
                previous.replace(path)
            report.append(f"{path.name} was truncated: replaced by the previous state")
    return report


def _all(stack: str, environment: Mapping[str, str]) -> Iterator[Path]:
    root = backend_folder(environment)
    if root:
        state = root / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
        yield from (state, state.with_name(f"{state.name}.attrs"), state.with_name(f"{state.name}.bak.attrs"))


def _is_json(path: Path) -> bool:
    try:
        json_file.read(path)
    except BrokenFile:
        return False
    return True
