"""JSON that other programs wrote: one tolerant reader, whose errors say what is broken and never quote the content."""

import json
import os
import pwd
import shlex
from pathlib import Path
from typing import Any

from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import NO_REMEDY, Remedy


class FileError(DiveError):
    """A file cannot be used."""


class UnreadableFile(FileError):
    """The operating system refuses to read a file; the message says whose it is and the command that opens it."""


class BrokenFile(FileError):
    """A file's content is not what was expected: empty, cut off, or of another shape."""


def read(path: Path, remedy: Remedy = NO_REMEDY) -> dict[str, Any]:
    """Return the object in a file of JSON.

    Raises `BrokenFile` with `remedy`, `UnreadableFile`, or FileNotFoundError.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    return parse(content, str(path), remedy)


def parse(content: bytes | str, name: str, remedy: Remedy = NO_REMEDY) -> dict[str, Any]:
    """Return the object in `content`, which messages call `name`; raises `BrokenFile`."""
    if content.strip():
        try:
            value = json.loads(content)
        except UnicodeDecodeError:
            found = "is not text"
        except json.JSONDecodeError as error:
            found = f"is not JSON (line {error.lineno}, column {error.colno})"
        except (ValueError, RecursionError):
            found = "is not usable JSON"
        else:
            if isinstance(value, dict):
                return value
            found = f"holds {_KINDS.get(type(value), 'a number')}"
    else:
        found = "holds only blanks" if content else "is empty"
    raise BrokenFile(f"{name} {found}", remedy, expected="a JSON object")


_KINDS: dict[type, str] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def unreadable(path: Path, error: OSError) -> UnreadableFile:
    """Return the error for a file or folder that the operating system does not let us use."""
    if isinstance(error, PermissionError):
        there = next((p for p in (path, *path.parents) if _exists(p)), path)
        stat = there.stat()
        owner, mode = _user(stat.st_uid), stat.st_mode & 0o777
        return UnreadableFile(
            f"{there} belongs to {owner} (mode {mode:04o}) and this is {_user(os.geteuid())}",
            Remedy.decide(
                f"run this as {owner}, or: sudo chown -R {os.geteuid()}:{os.getegid()} {shlex.quote(str(there))}"
            ),
        )
    return UnreadableFile(f"{path}: {error.strerror or error}")


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
