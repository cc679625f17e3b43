"""Docker's client configuration, `config.json` and its contexts, checked before Docker's library reads them."""

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dive_infra.config import environment, json_file
from dive_infra.config.json_file import BrokenFile
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import printable

_FIX = Remedy.decide("fix it, or set DOCKER_CONFIG to another folder")


class DockerConfig(BaseModel):
    """The keys that Docker's library reads; it expects these shapes without checking them."""

    model_config = ConfigDict(extra="ignore", strict=True)

    current_context: str | None = Field(None, alias="currentContext")
    creds_store: str | None = Field(None, alias="credsStore")
    cred_helpers: dict[str, str] | None = Field(None, alias="credHelpers")
    auths: dict[str, dict[str, Any]] | None = None
    proxies: dict[str, dict[str, str]] = {}
    headers: dict[str, str] = Field({}, alias="HttpHeaders")


def file() -> Path:
    """Return the path of `config.json`, which need not exist."""
    return environment.docker_config_folder() / "config.json"


def read() -> DockerConfig:
    """Return the configuration, empty without a file. Raises `FileError`, which names the file and the key."""
    path = file()
    if not path.exists():
        return DockerConfig()
    try:
        return DockerConfig.model_validate(json_file.read(path, _FIX))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(map(printable, first["loc"]))
        raise BrokenFile(f"{path}: {key}: {first['msg'].lower()}", _FIX) from None


def missing_helper() -> str:
    """Return the credential helper that the configuration names and this machine does not have; empty if none.

    Docker asks it for every pull, and for every build, even of images that need no login.
    """
    config = read()
    named = [config.creds_store, *(config.cred_helpers or {}).values()]
    programs = [f"docker-credential-{name}" for name in named if name]
    return next((program for program in programs if not shutil.which(program)), "")


class DockerContext(NamedTuple):
    """A context of Docker: where its engine is, the folder of its TLS files if any, and whether it trusts all."""

    address: str
    certificates: Path | None
    trusts_all: bool


def context(name: str) -> DockerContext | None:
    """Return the context of this name; None if it does not exist. Raises `FileError`."""
    folder, mark = file().parent / "contexts", sha256(name.encode()).hexdigest()
    meta = folder / "meta" / mark / "meta.json"
    if not meta.is_file():
        return None
    found = json_file.read(meta, Remedy.run(f"docker context inspect {name}"))
    endpoints = found.get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    address = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not isinstance(endpoint, dict) or not isinstance(address, str):
        raise BrokenFile(f"{meta} has no Endpoints.docker.Host", Remedy.run(f"docker context inspect {name}"))
    tls = folder / "tls" / mark / "docker"
    certificates = tls if tls.is_dir() and any(tls.iterdir()) else None
    return DockerContext(address, certificates, bool(endpoint.get("SkipTLSVerify")))
