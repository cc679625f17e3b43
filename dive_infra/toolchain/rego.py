"""Compiles Rego before anything is deployed, where this machine has built OPA."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dive_infra.config.environment import cache_folder
from dive_infra.results.errors import DiveError
from dive_infra.toolchain import toolchain


class NotRego(DiveError):
    """These modules do not compile; the message has the place and the reason of each error."""


def compiled(modules: Mapping[str, str]) -> bool:
    """Compile modules (path -> text) together; raise `NotRego` if they do not, return False without an OPA here."""
    opa = toolchain.built("opa", cache_folder())
    if opa is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        for path, text in modules.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        done = subprocess.run([opa, "check", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRego("; ".join(done.stderr.replace(f"{folder}/", "").split("\n")).strip("; "))
    return True
