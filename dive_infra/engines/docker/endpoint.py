"""Where the engine of this process is: the one of `dive:engine`, or the one that `docker` uses on this machine."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from dive_infra.config import environment, paths
from dive_infra.config.engine_selection import FILES, EngineSelection
from dive_infra.config.json_file import FileError
from dive_infra.engines import selection
from dive_infra.engines.docker import docker_config
from dive_infra.engines.engine import Endpoint, EngineError
from dive_infra.results.remedy import Remedy

SOCKET = "unix:///var/run/docker.sock"
SSH = "ssh://"

_SETTING = "dive:engine"


def current() -> Endpoint:
    """Return the engine of `dive:engine`, else of DOCKER_HOST, else of the context. Raises `EngineError`."""
    if selection.selected().address:
        return _selected(selection.selected())
    if named := os.environ.get("DOCKER_HOST"):
        return _endpoint(named, "DOCKER_HOST", _given_certificates() if _tcp(named) else "")
    return _by_context(os.environ.get("DOCKER_CONTEXT", ""))


def of_this_machine() -> Endpoint | None:
    """Return the engine that `docker` uses on this machine without variables; None if that one is elsewhere."""
    found = _by_context("")
    return found if found.is_local else None


def _selected(chosen: EngineSelection) -> Endpoint:
    if chosen.flaw:  # a recorded setting, which no one has checked since
        raise EngineError(f"dive:{chosen.flaw}")
    if name := chosen.context:
        address, certificates = _context(name)
        command = f"docker --context {name}"
    else:
        address = chosen.address
        certificates = _complete(paths.STACKS / chosen.certificates, "dive:engineCertificates") if _tcp(address) else ""
        command = f"docker{_tls_options(certificates)} -H {shlex.quote(address)}"
    by = f"{_SETTING} {chosen.address}" if name else _SETTING
    variables = _variables(address, certificates)
    return _endpoint(address, by, certificates, variables, command if address != SOCKET else "docker")


def _by_context(name: str) -> Endpoint:
    """Return the engine of this context, or without a name of the one that Docker's configuration names."""
    try:
        name = name or docker_config.read().current_context or ""
    except FileError as error:
        raise of_file(error) from None
    if name in ("", "default"):
        return _endpoint(SOCKET, "the default socket", variables={"DOCKER_HOST": SOCKET})
    address, certificates = _context(name)
    # The provider of Pulumi knows a context's address, but not its TLS files.
    variables = _variables(address, certificates) if certificates else {"DOCKER_HOST": address}
    return _endpoint(address, f"docker context {name!r}", certificates, variables)


def _context(name: str) -> tuple[str, str]:
    """Return the address of a context, and the folder of its TLS files or nothing."""
    if name == "default":
        return SOCKET, ""
    try:
        found = docker_config.context(name)
    except FileError as error:
        raise of_file(error) from None
    if found is None:
        raise EngineError(f"docker context {name!r}: not found; expected one of `docker context ls`")
    if found.trusts_all and _tcp(found.address):
        raise EngineError(
            f"docker context {name!r} does not verify its engine (SkipTLSVerify)",
            Remedy.decide(f"docker context update {name} with the engine's CA, or select another engine"),
            expected="one that verifies the engine's certificate",
        )
    folder = found.certificates if _tcp(found.address) else None
    return found.address, _complete(folder, f"docker context {name!r}") if folder else ""


def _endpoint(
    address: str,
    selected_by: str,
    certificates: str = "",
    variables: Mapping[str, str] | None = None,
    command: str = "docker",
) -> Endpoint:
    return Endpoint(
        address,
        selected_by,
        is_local=address.startswith("unix:"),
        is_default=address == SOCKET,
        certificates=certificates,
        variables=variables or {},
        command=command,
    )


def _variables(address: str, certificates: str) -> dict[str, str]:
    """Return what leads every client of Docker there; an empty variable counts as none, and a context goes first."""
    return {
        "DOCKER_HOST": address,
        "DOCKER_CONTEXT": "",
        "DOCKER_CERT_PATH": certificates,
        "DOCKER_TLS_VERIFY": "1" if certificates else "",
    }


def _given_certificates() -> str:
    """Return the folder of the TLS files that go with DOCKER_HOST."""
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return ""
    return os.environ.get("DOCKER_CERT_PATH") or str(environment.docker_config_folder())


def _complete(folder: Path, whose: str) -> str:
    """Return the folder if it holds all TLS files; a connection without one of them would not be verified."""
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise EngineError(
            f"{whose}: {', '.join(missing)} missing in {folder}",
            Remedy.decide("copy them there"),
            expected=", ".join(FILES),
        )
    return str(folder)


def _tls_options(folder: str) -> str:
    if not folder:
        return ""
    ca, cert, key = (shlex.quote(f"{folder}/{name}") for name in FILES)
    return f" --tlsverify --tlscacert {ca} --tlscert {cert} --tlskey {key}"


def _tcp(address: str) -> bool:
    return address.startswith("tcp:")


def of_file(error: FileError) -> EngineError:
    """Return the error of a file that selects an engine."""
    return EngineError(error.cause, error.remedy, expected=error.expected)
