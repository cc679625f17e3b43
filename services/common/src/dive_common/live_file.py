"""A file that is updated while the service runs: read at the start, and again whenever it has changed."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from dive_common.settings import MissingSetting

Value = TypeVar("Value")

_LOG = logging.getLogger(__name__)


class LiveFile(Generic[Value]):
    """What the file says now, as `parse` returns it; `parse` raises `ValueError` for anything else.

    Whoever writes it need not be quick: a file that is gone, half-written or wrong is logged, once, and the last good
    text holds until there is another. Raises `MissingSetting` if there is none at the start.
    """

    def __init__(self, path: Path, parse: Callable[[str], Value]) -> None:
        self._path, self._parse = path, parse
        self._complaint = ""
        try:
            self._read = self._now()
        except (OSError, ValueError) as error:
            raise MissingSetting(f"file {path} cannot be used: {_words(error)}") from error

    def value(self) -> Value:
        """Return what the file says; unless it changed, this costs one look at its entry in the folder."""
        try:
            if _mark(self._path) != self._read[0]:
                self._read = self._now()
                _LOG.info("%s has changed and is in use", self._path)
            self._complaint = ""
        except (OSError, ValueError) as error:
            self._complain(_words(error))
        return self._read[1]

    def _now(self) -> tuple[tuple[int, ...], Value]:
        mark = _mark(self._path)  # before the text: what is written meanwhile is seen the next time
        return mark, self._parse(self._path.read_text())

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            _LOG.error("%s cannot be used: %s; the last good one is kept", self._path, complaint)
        self._complaint = complaint


def _mark(path: Path) -> tuple[int, ...]:
    """Return what differs after every write; the time of the text alone may be set to anything."""
    found = path.stat()
    return found.st_ino, found.st_ctime_ns, found.st_mtime_ns, found.st_size


def _words(error: OSError | ValueError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else str(error)
