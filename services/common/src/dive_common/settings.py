"""Configuration: names and addresses from the environment, secrets and certificates from files below one directory."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx

TIMEOUT = httpx.Timeout(5.0, connect=2.0)  # seconds, for every call to another service


class MissingSetting(RuntimeError):
    """A variable or file that the service cannot start without."""


def variable(name: str, default: str | None = None) -> str:
    """The environment variable `name`; raises `MissingSetting` when it is empty and has no default."""
    value = os.environ.get(name) or default
    if value is None:
        raise MissingSetting(f"environment variable {name} is not set")
    return value


def flag(name: str) -> bool:
    return variable(name, "false").lower() == "true"


@dataclass(frozen=True)
class Files:
    """The directory with `tls.crt`, `tls.key`, `ca.pem` and one file for each secret."""

    directory: Path

    @classmethod
    def from_environment(cls) -> "Files":
        return cls(Path(variable("DIVE_FILES", "/etc/dive")))

    def path(self, name: str) -> Path:
        return self.directory / name

    def secret(self, name: str) -> str:
        """The text of a secret's file without the newline at its end."""
        try:
            text = self.path(name).read_text().rstrip("\n")
        except OSError as error:
            raise MissingSetting(f"secret file {self.path(name)} cannot be read: {error.strerror}") from error
        if not text:
            raise MissingSetting(f"secret file {self.path(name)} is empty")
        return text

    def trust(self) -> ssl.SSLContext:
        """A client context that trusts the coalition's CA alone and checks host names."""
        return ssl.create_default_context(cafile=self.path("ca.pem"))

    def http(self) -> httpx.Client:
        """A client for calls to other services; proxies of the environment do not apply to them."""
        return httpx.Client(verify=self.trust(), timeout=TIMEOUT, trust_env=False)
