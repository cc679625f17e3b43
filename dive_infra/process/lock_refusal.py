"""Channel by which a command that runs Pulumi learns that another run holds the country's lock.

Pulumi's exit code is the same for every failed resource. The provider process therefore writes the refusal to the file
that `DIVE_REFUSED` names, if it is set.
"""

from pathlib import Path

from dive_infra.config import environment


def refuse(message: str) -> None:
    """Report that another run deploys this country; `message` says who, and the next step."""
    if path := environment.refusal_file():
        path.write_text(message)


def refusal(path: Path) -> str:
    """Return the refusal written to `path`; empty if there is none."""
    return path.read_text() if path.exists() else ""
