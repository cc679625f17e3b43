"""What Python does first in a process of `.venv`: the launcher leaves a line there that calls `begin`.

It matters in two processes that Pulumi starts. It imports the standard library alone, for it delays each of them.
"""

import json
import os
import sys
from importlib import metadata

# How Pulumi's language host asks which packages there are, in each preview, update and destroy.
LISTING = ("-m", "pip", "list", "-v", "--format", "json")


def begin() -> None:
    """Prepare the process that runs providers, or answer for pip; do nothing in any other process."""
    arguments = tuple(sys.orig_argv[1:])
    if arguments == LISTING:
        answer_for_pip()
    if "pulumi.dynamic" in arguments:
        from dive_infra.dynamic.runtime import bootstrap

        bootstrap.load_only_ours()


def answer_for_pip() -> None:
    """Print what `pip list` prints, and end the process.

    Cause: Pulumi looks in the packages of its language host for plugins to install, and starts pip for it each time:
    0.6 s of processor time, before the program starts.
    Upstream: no issue is known.
    Remove when: the language host reads the packages itself, as it does for other toolchains.
    """
    sys.stdout.write(json.dumps(packages()))
    sys.stdout.flush()
    os._exit(0)  # Python would go on to run pip


def packages() -> list[dict[str, str]]:
    """Return name, version and folder of each installed package."""
    return [
        {"name": found.metadata["Name"], "version": found.version, "location": str(found.locate_file(""))}
        for found in metadata.distributions(path=[place for place in sys.path if place.endswith("site-packages")])
    ]
