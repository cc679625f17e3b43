"""Settings of a service: names and addresses from environment variables, secrets and certificates from files."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx

from dive_common.outgoing import PerThread

TIMEOUT = httpx.Timeout(5.0, connect=2.0)  # seconds, for every request to another service

Value = TypeVar("Value")


class MissingSetting(RuntimeError):
    """A variable or file without which the service cannot start."""


def variable(name: str, default: str | None = None) -> str:
    """Return the environment variable `name`; raise `MissingSetting` if it is empty and has no default."""
    value = os.environ.get(name) or default
    if value is None:
        raise MissingSetting(f"environment variable {name} is not set")
    return value


def read(name: str, parse: Callable[[str], Value], default: str | None = None) -> Value:
    """Declare a dataclass field that is parsed from the environment variable `name` unless it is passed."""
    value: Value = field(default_factory=lambda: parse(variable(name, default)))
    return value


def comma_separated(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


@dataclass(frozen=True)
class ServiceFiles:
    """The directory with `tls.crt`, `tls.key`, `ca.pem` and one file per secret."""

    directory: Path

    @classmethod
    def from_environment(cls) -> "ServiceFiles":
        return cls(Path(variable("DIVE_FILES", "/etc/dive")))

    def path(self, name: str) -> Path:
        return self.directory / name

    def secret(self, name: str) -> str:
        """Return the text of a secret's file without its final newline; raise `MissingSetting` without one."""
        try:
            text = self.path(name).read_text().rstrip("\n")
        except OSError as error:
            raise MissingSetting(f"secret file {self.path(name)} cannot be read: {error.strerror}") from error
        if not text:
            raise MissingSetting(f"secret file {self.path(name)} is empty")
        return text

    def trust(self) -> ssl.SSLContext:
        """Return a client context that trusts only the coalition's CA and checks host names."""
        return ssl.create_default_context(cafile=self.path("ca.pem"))

    def http(self) -> httpx.Client:
        """Return a client for requests to other services; it ignores proxies of the environment."""
        return httpx.Client(transport=PerThread(self.trust()), timeout=TIMEOUT, trust_env=False)


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Settings of every service; each field that is not passed comes from the environment."""

    instance_code: str = read("INSTANCE_CODE", str)
    port: int = read("PORT", int)
    files: ServiceFiles = field(default_factory=ServiceFiles.from_environment)


@dataclass(frozen=True, kw_only=True)
class ResourceServerSettings(ServiceSettings):
    """Settings of a service that accepts access tokens of `issuers` and asks OPA for decisions."""

    issuers: tuple[str, ...] = read("TRUSTED_ISSUERS", comma_separated)
    opa_url: str = read("OPA_URL", str)
