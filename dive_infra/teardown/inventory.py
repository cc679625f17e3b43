"""What a country has on the engine and beside the program, and how all of it goes: by its labels, and by its names.

By its names too, because an object that was made anew by hand, or by Docker in place of a lost one, has no labels.
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

_KINDS = ("container", "volume", "network")  # the order in which they can go


@dataclass(frozen=True)
class Belonging:
    """`kind` is container, volume, network or file; `size` in bytes, where it is known; `stack` is the owner's mark."""

    kind: str
    name: str
    stack: str = ""
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def on_engine(client: docker.DockerClient, names: Names) -> list[Belonging]:
    """Everything of the country on the engine; raises `CheckUnknown` when that does not answer."""
    found = [*objects.containers(client), *objects.volumes(client), *objects.networks(client)]
    ours = [o for o in found if is_of(o, names)]
    sizes = _sizes(client) if any(o.kind == "volume" for o in ours) else {}
    made = [Belonging(o.kind, o.name, o.labels.get("dive.stack", ""), sizes.get((o.kind, o.name))) for o in ours]
    return sorted(made, key=lambda b: (_KINDS.index(b.kind), b.name))


def is_of(there: Object, names: Names) -> bool:
    """Whether an object is the country's: its labels say so, or it has none and one of the country's names."""
    if "dive.country" in there.labels:
        return names.owns(there.labels)
    services = "|".join(map(re.escape, SERVICES))
    patterns = {
        "container": rf"{names.prefix}-({services})",
        "volume": rf"{names.prefix}-({services})-(data|files-[0-9a-f]{{8}})",
        "network": "|".join(map(re.escape, [names.network, *([names.shared_network] if names.country.is_hub else [])])),
    }
    return re.fullmatch(patterns[there.kind], there.name) is not None


def countries(client: docker.DockerClient, namespace: str) -> set[str]:
    """The codes of the countries of a namespace that have a container or a volume."""
    found = [*objects.containers(client), *objects.volumes(client)]
    return {
        o.labels["dive.country"]
        for o in found
        if o.labels.get("dive.namespace") == namespace and "dive.country" in o.labels
    }


def files(names: Names) -> list[Path]:
    """What the country's deployment has written beside the program."""
    code = names.country.lower
    by_program = (ROOT / ".dive" / f"{names.prefix}-ca.pem", ROOT / f"verification-report-{names.prefix}.json")
    by_command = (HOME / "logs" / f"up-{code}.log", *HOME.glob(f"deployment-report-{code}.*"))
    return [path for path in (*by_program, *by_command) if path.exists()]


def remove(client: docker.DockerClient, found: Iterable[Belonging], tell: Callable[[str], None]) -> list[str]:
    """Removes them, containers first; returns what could not be removed, and why. What is gone already is no error."""
    problems: list[str] = []
    with ThreadPoolExecutor(max_workers=4) as side_by_side:
        for kind in _KINDS:
            there = [b for b in found if b.kind == kind]
            problems += filter(None, side_by_side.map(lambda b: _remove(client, b), there))
            if there:
                tell(f"{len(there)} {kind}{'s' if len(there) > 1 else ''}")
    return problems


def _remove(client: docker.DockerClient, one: Belonging) -> str:
    try:
        if one.kind == "container":
            client.containers.get(one.name).remove(force=True, v=True)
        elif one.kind == "volume":
            client.volumes.get(one.name).remove(force=True)
        else:
            for network in networks.called(client, one.name):
                for user in network.containers:  # somebody else's, put there by hand
                    network.disconnect(user, force=True)
                network.remove()
    except NotFound:
        return ""
    except APIError as error:
        return f"{one}: {error.explanation or error}"
    return ""


def _sizes(client: docker.DockerClient) -> Mapping[tuple[str, str], int]:
    """(kind, name) -> bytes of a volume; without those that the engine can't tell."""
    api = client.api
    response = api.get(f"{api.base_url}/v{api.api_version}/system/df", params={"type": "volume"})
    if not response.ok:
        return {}  # an older engine: the list is shown without sizes
    volumes: Sequence[Mapping[str, object]] = response.json().get("Volumes") or []
    told = {str(v["Name"]): v.get("UsageData") for v in volumes}
    return {
        ("volume", name): int(usage["Size"])
        for name, usage in told.items()
        if isinstance(usage, dict) and int(usage["Size"]) >= 0
    }
