"""Image references, the registries that hold them, and images.lock: the digests that are used instead of tags."""

import json
from collections.abc import Iterable

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from dive_infra.config import json_file
from dive_infra.config.json_file import BrokenFile
from dive_infra.config.paths import ROOT
from dive_infra.config.timeouts import REGISTRY_ANSWER
from dive_infra.engines.docker import docker_config
from dive_infra.engines.docker.engine import client
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy
from dive_infra.toolchain.debian import Progress

LOCK_FILE = ROOT / "images.lock"
_silent: set[str] = set()  # registry hosts that did not answer this process


class ImageError(DiveError):
    """No image for a service; the message says what was tried, what was found and what to do."""


def ask(reference: str) -> dict[str, dict[str, str]]:
    """Return the registry's manifest data of a reference, within seconds. A silent host is asked only once."""
    host = registry_of(reference)
    _require_helper()
    if host in _silent:
        raise ImageError(f"{reference}: registry {host} does not answer")
    limited = client(REGISTRY_ANSWER).api
    try:
        return limited.inspect_distribution(reference)  # type: ignore[no-untyped-call, no-any-return]
    except APIError as error:
        if not error.is_server_error():
            raise ImageError(f"{reference}: registry {host} refuses it: {error.explanation}") from error
        _silent.add(host)
        raise ImageError(f"{reference}: registry {host} does not answer ({error.explanation})") from error
    except (RequestException, DockerException) as error:
        _silent.add(host)
        raise ImageError(f"{reference}: registry {host} does not answer within {REGISTRY_ANSWER} s") from error
    finally:
        limited.close()


def has(reference: str) -> bool:
    """Return True if a registry answers and has the image; it has none of our own services."""
    if ours(reference):
        return False
    try:
        ask(reference)
    except ImageError:
        return False
    return True


def pull(engine: docker.DockerClient, reference: str, progress: Progress) -> str:
    """Pull an image and return its id. Raises `ImageError`."""
    _require_helper()
    progress(f"pulling {reference}")
    try:
        engine.api.pull(reference)
        return str(engine.images.get(reference).id)
    except (DockerException, RequestException) as error:
        raise ImageError(f"{reference}: pull failed: {error}") from error


def helper_flaw() -> DiveError | None:
    """Return an error if Docker's configuration names a credential helper that is not installed."""
    if not (program := docker_config.missing_helper()):
        return None
    return DiveError(
        f"{docker_config.file()} names the credential helper {program}, which is not on PATH",
        Remedy.decide("install it, or remove the line from that file, or set DOCKER_CONFIG to another folder"),
    )


def _require_helper() -> None:
    if flaw := helper_flaw():
        raise ImageError(flaw.cause, flaw.remedy)


def lock(references: Iterable[str]) -> dict[str, str]:
    """Write the digests of `references` to images.lock and return them.

    Raises `ImageError`, and writes nothing, if a registry does not answer for one of them.
    """
    digests: dict[str, str] = {}
    failed: list[str] = []
    for reference in sorted({r for r in references if not ours(r)}):
        try:
            digests[reference] = str(ask(reference)["Descriptor"]["digest"])
        except ImageError as error:
            failed.append(str(error))
    if failed:
        raise ImageError("images.lock is left as it was:\n" + "\n".join(failed))
    LOCK_FILE.write_text(json.dumps(digests, indent=2) + "\n")
    return digests


def locked(reference: str) -> str:
    """Return `repository@digest` if images.lock has it, else the reference itself."""
    if not LOCK_FILE.exists():
        return reference
    try:
        digests = json_file.read(LOCK_FILE)
    except BrokenFile as broken:
        raise ImageError(broken.cause, Remedy.run("./dive images lock"), expected=broken.expected) from None
    return f"{repository_of(reference)}@{digests[reference]}" if reference in digests else reference


def ours(reference: str) -> bool:
    """Return True for our own services (`dive/backend`), which no registry holds."""
    return reference.startswith("dive/")


def registry_of(reference: str) -> str:
    """Return the registry of a reference: `quay.io/keycloak/keycloak:26.7.4` -> `quay.io`; Docker's without a host."""
    first, slash, _ = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def repository_of(reference: str) -> str:
    """Return a reference without digest or tag: `quay.io/keycloak/keycloak:26.7.4` -> `quay.io/keycloak/keycloak`."""
    name = reference.split("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.split(":")[0]
