"""A country's Docker objects and local files, found by labels and by names, and their removal.

By names as well, because an object that was recreated by hand, or by Docker in place of a lost one, has no labels.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

from dive_infra.checks import objects
from dive_infra.checks.objects import Object
from dive_infra.config.naming import SERVICES, Names
from dive_infra.config.paths import HOME, ROOT
from dive_infra.engines.docker import networks

_KINDS = ("container", "volume", "network")  # in the only order in which they can be removed


@dataclass(frozen=True)
class OwnedObject:
    """A Docker object; `kind` is container, volume or network, `stack` its owner id, `size` in bytes if known."""

    kind: str
    name: str
    stack: str = ""
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def engine_objects(client: docker.DockerClient, names: Names) -> list[OwnedObject]:
    """Return the country's objects on the engine; raises `CheckUnknown` if the engine does not answer."""
    everything = [*objects.containers(client), *objects.volumes(client), *objects.networks(client)]
    ours = [o for o in everything if belongs_to(o, names)]
    sizes = _sizes(client) if any(o.kind == "volume" for o in ours) else {}
    owned = [OwnedObject(o.kind, o.name, o.labels.get("dive.stack", ""), sizes.get((o.kind, o.name))) for o in ours]
    return sorted(owned, key=lambda o: (_KINDS.index(o.kind), o.name))


def belongs_to(there: Object, names: Names) -> bool:
    """Return True if the object is the country's: by its labels or, without labels, by its name."""
    if "dive.country" in there.labels:
        return names.owns(there.labels)
    services = "|".join(map(re.escape, SERVICES))
    patterns = {
        "container": rf"{names.prefix}-({services})",
        "volume": rf"{names.prefix}-({services})-(data|files-[0-9a-f]{{8}})",
        "network": "|".join(map(re.escape, [names.network, *([names.shared_network] if names.country.is_hub else [])])),
    }
    return re.fullmatch(patterns[there.kind], there.name) is not None


def countries_on_engine(client: docker.DockerClient, namespace: str) -> set[str]:
    """Return the codes of the countries of a namespace that have a container or a volume."""
    everything = [*objects.containers(client), *objects.volumes(client)]
    return {
        o.labels["dive.country"]
        for o in everything
        if o.labels.get("dive.namespace") == namespace and "dive.country" in o.labels
    }


def local_files(names: Names) -> list[Path]:
    """Return the existing files that the country's deployments have written on this machine."""
    code = names.country.lower
    by_program = (ROOT / ".dive" / f"{names.prefix}-ca.pem", ROOT / f"verification-report-{names.prefix}.json")
    by_command = (HOME / "logs" / f"up-{code}.log", *HOME.glob(f"deployment-report-{code}.*"))
    return [path for path in (*by_program, *by_command) if path.exists()]


def remove(client: docker.DockerClient, owned: Iterable[OwnedObject], report: Callable[[str], None]) -> list[str]:
    """Remove the objects, containers first; return a line for each that was not removed. A missing one is no error."""
    problems: list[str] = []
    with ThreadPoolExecutor(max_workers=4) as side_by_side:
        for kind in _KINDS:
            batch = [o for o in owned if o.kind == kind]
            problems += filter(None, side_by_side.map(lambda o: _remove(client, o), batch))
            if batch:
                report(f"{len(batch)} {kind}{'s' if len(batch) > 1 else ''}")
    return problems


def _remove(client: docker.DockerClient, owned: OwnedObject) -> str:
    try:
        if owned.kind == "container":
            client.containers.get(owned.name).remove(force=True, v=True)
        elif owned.kind == "volume":
            client.volumes.get(owned.name).remove(force=True)
        else:
            for network in networks.called(client, owned.name):
                for user in network.containers:  # another country's, connected by hand
                    network.disconnect(user, force=True)
                network.remove()
    except NotFound:
        return ""
    except APIError as error:
        return f"{owned}: {error.explanation or error}"
    return ""


def _sizes(client: docker.DockerClient) -> Mapping[tuple[str, str], int]:
    """Return (kind, name) -> bytes of the volumes whose size the engine knows."""
    api = client.api
    response = api.get(f"{api.base_url}/v{api.api_version}/system/df", params={"type": "volume"})
    if not response.ok:
        return {}  # an older engine: sizes are not shown
    volumes: Sequence[Mapping[str, object]] = response.json().get("Volumes") or []
    usages = {str(v["Name"]): v.get("UsageData") for v in volumes}
    return {
        ("volume", name): int(usage["Size"])
        for name, usage in usages.items()
        if isinstance(usage, dict) and int(usage["Size"]) >= 0
    }
