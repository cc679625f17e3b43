"""How a command that runs Pulumi learns that the deployment was refused, as somebody else deploys the country.

Pulumi's exit code is the same for every failed resource. So the process that runs our providers writes the refusal into
the file that `DIVE_REFUSED` names, if it does.
"""

from pathlib import Path

from dive_infra.config import environment


def refuse(message: str) -> None:
    """Somebody else deploys this country: `message` says who, and what to do."""
    if path := environment.refusal_file():
        path.write_text(message)


def refusal(path: Path) -> str:
    """What was told there; empty when nothing was."""
    return path.read_text() if path.exists() else ""
