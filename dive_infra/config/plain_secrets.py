"""Secrets that stand in a stack file as anyone can read them.

Pulumi takes a whole object for a secret as soon as one value in it is encrypted, so that only the file shows a plain
one among others.
"""

from typing import Any

import yaml

from dive_infra.config import paths
from dive_infra.config.settings import PROJECT, SettingsError


def refuse_plain_secrets(stack: str) -> None:
    """Raise `SettingsError` if the stack's file has a secret in plain text; a file that is elsewhere is not read."""
    path = paths.stack_file(stack)
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return
    if plain := _plain(content):
        raise SettingsError(
            f"dive:secrets is stored in plain text in {path.name} ({', '.join(plain)}), expected encrypted; next: "
            f"remove it there, then set new values: pulumi config set -s {stack} --secret --path dive:secrets.<name>"
        )


def _plain(content: Any) -> list[str]:
    """Return the names of the secrets that are not `secure`, or `all` if the whole object is one text."""
    configuration = content.get("config") if isinstance(content, dict) else None
    found = (configuration or {}).get(f"{PROJECT}:secrets") or {}
    if not isinstance(found, dict):
        return ["all"]
    if found.keys() == {"secure"}:
        return []
    return [str(name) for name, value in found.items() if not (isinstance(value, dict) and value.keys() == {"secure"})]
