"""Stack files whose secrets a stand-in for Pulumi's configuration commands writes in plain text."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dive_infra.automation.pulumi_cli import Runner
from dive_infra.config.settings import Settings, load


@dataclass(frozen=True)
class Plain(Runner):
    """Keeps a configuration in the stack file without encrypting it."""

    def run(
        self, *arguments: str, stdin: str | None = None, timeout: float | None = None
    ) -> "subprocess.CompletedProcess[str]":
        assert arguments == ("stack", "init", "--no-select")
        return subprocess.CompletedProcess(arguments, 255, "", f"error: stack '{self.name}' already exists")

    def ask(self, *arguments: str, stdin: str | None = None, timeout: float | None = None) -> str:
        assert self.file
        content: dict[str, Any] = yaml.safe_load(self.file.read_text()) or {}
        config = content.setdefault("config", {})
        if arguments[:2] == ("config", "set") and "--path" in arguments:
            assert "--secret" in arguments, "a key is encrypted"
            assert stdin, "and never on a command line"
            config.setdefault("dive:secrets", {})[arguments[-1].removeprefix("dive:secrets.")] = stdin
        elif arguments[:2] == ("config", "set"):
            config[arguments[2]] = arguments[3]
        else:
            shown = {k: {"value": v if isinstance(v, str) else json.dumps(v)} for k, v in config.items()}
            return json.dumps(shown)
        self.file.write_text(yaml.safe_dump(content))
        return ""

    @property
    def settings(self) -> Settings:
        """The settings as the program reads them."""
        assert self.file
        return load(self.name, yaml.safe_load(self.file.read_text())["config"])


def write(folder: Path, code: str, **settings: Any) -> Plain:
    """Write the stack file of a country with these settings (`dive:<key>`); return what runs its commands."""
    file = folder / f"Pulumi.{code}.yaml"
    file.write_text(yaml.safe_dump({"config": {f"dive:{k}": v for k, v in settings.items()}}))
    return Plain(code, folder, file)
