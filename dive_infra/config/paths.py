"""Where this checkout is, and where the files of a coalition's stacks are. Only this module derives them."""

from pathlib import Path

from dive_infra.config import environment

ROOT = Path(__file__).resolve().parents[2]
# An operator of several coalitions has a folder for each: its stack files, its state and its passphrase.
STACKS = (environment.stacks_folder() or ROOT).resolve()
HOME = STACKS / ".dive"  # ignored by git


def stack_file(stack: str) -> Path:
    """Return the path of a stack's file, such as `Pulumi.fra.yaml`."""
    return STACKS / f"Pulumi.{stack}.yaml"
