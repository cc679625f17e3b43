"""A CA as a file, for clients that read nothing else."""

import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock

_ONE_AT_A_TIME = Lock()


@cache
def _directory() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="dive-ca-")


def ca_file(ca: str) -> Path:
    """Return a file of this process that holds the CA (PEM text)."""
    with _ONE_AT_A_TIME:  # otherwise two threads create two folders, and one is removed while in use
        path = Path(_directory().name) / f"{sha256(ca.encode()).hexdigest()[:16]}.pem"
        if not path.exists():
            path.write_text(ca)
    return path
