"""A CA as a file, for clients that read nothing else."""

import os
from functools import cache
from pathlib import Path


@cache
def ca_file(ca: str) -> Path:
    """Return a file that holds the CA (PEM text), in the memory of this process: it is gone when the process ends."""
    file = os.memfd_create("ca")
    with open(file, "w", closefd=False) as writer:
        writer.write(ca)
    return Path(f"/proc/self/fd/{file}")
