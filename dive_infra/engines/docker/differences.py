"""How a live container differs from its declaration: one table for the probe, the gate and the validator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import docker

from dive_infra.catalog.spec import HealthCheck
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker.units import NANOSECONDS, RESTART
from dive_infra.engines.engine import Difference

_SHOWN = 80  # characters of a value in a message


def differences(client: docker.DockerClient, live: Mapping[str, Any], declared: Declared) -> list[Difference]:
    """Return how a container, as Docker describes it, differs from its declaration; of variables only the names."""
    if live["Image"] != declared.image:
        return [Difference("image", declared.image[:19], live["Image"][:19], in_place=False)]
    image = _image(client, declared.image)
    pairs = [(row, row.expected(declared, image), row.found(live, declared, image)) for row in _TABLE]
    unequal = [Difference(row.key, _short(e), _short(f), row.in_place) for row, e, f in pairs if e != f]
    wanted, found = _environment(declared, image), _variables(live["Config"]["Env"])
    other = [name for name in sorted(wanted.keys() | found.keys()) if wanted.get(name) != found.get(name)]
    if other:
        unequal.append(Difference(f"environment ({', '.join(other)})", "other values", "changed", in_place=False))
    return unequal


class _Row(NamedTuple):
    """How a property is declared, and where Docker reports it: functions of declaration, container and image."""

    key: str
    expected: Callable[[Declared, Mapping[str, Any]], object]
    found: Callable[[Mapping[str, Any], Declared, Mapping[str, Any]], object]
    in_place: bool = False


def _command(declared: Declared, image: Mapping[str, Any]) -> list[str]:
    """Return the command; an own entrypoint drops the image's command."""
    return list(declared.command) or (image["Cmd"] or [] if not declared.entrypoint else [])


def _mounts(live: Mapping[str, Any], declared: Declared, image: Mapping[str, Any]) -> list[str]:
    """Return all mounts except the anonymous ones that the image declares."""
    nameless = (image["Volumes"] or {}).keys() - declared.mounts.keys()
    named = [m for m in live["Mounts"] if m["Destination"] not in nameless]
    return sorted(f"{m['Destination']} {m.get('Name') or m['Source']}{'' if m['RW'] else ':ro'}" for m in named)


def _networks(live: Mapping[str, Any], declared: Declared) -> list[str]:
    """Return `network/name in it` for the declared names; Docker adds names of its own.

    Of a network that is not declared, `network/?`; those of links are compared elsewhere (`checks.link_networks`).
    """
    found: list[str] = []
    for network, end in live["NetworkSettings"]["Networks"].items():
        if network in declared.networks:
            found += [f"{network}/{name}" for name in declared.networks[network] if name in (end["Aliases"] or ())]
        elif not declared.is_of_link(network):
            found.append(f"{network}/?")
    return sorted(found)


def _ports(live: Mapping[str, Any]) -> list[str]:
    bound = live["HostConfig"]["PortBindings"] or {}
    return sorted(f"{b['HostIp']}:{b['HostPort']}->{port}" for port, found in bound.items() for b in found or ())


def _health(live: Mapping[str, Any]) -> list[object]:
    check = live["Config"].get("Healthcheck") or {}
    seconds = [check.get(key, 0) / NANOSECONDS for key in ("Interval", "Timeout", "StartPeriod")]
    return [*check.get("Test", ()), *seconds, check.get("Retries", 0)]


def _host(key: str) -> Callable[[Mapping[str, Any], Declared, Mapping[str, Any]], object]:
    return lambda live, declared, image: live["HostConfig"][key] or ""


_TABLE: tuple[_Row, ...] = (
    _Row("name", lambda d, i: d.name, lambda c, d, i: c["Name"].lstrip("/"), in_place=True),
    _Row("user", lambda d, i: d.user, lambda c, d, i: c["Config"]["User"]),
    _Row("host name", lambda d, i: d.hostname, lambda c, d, i: c["Config"]["Hostname"]),
    _Row(
        "entrypoint",
        lambda d, i: list(d.entrypoint) or i["Entrypoint"] or [],
        lambda c, d, i: c["Config"]["Entrypoint"] or [],
    ),
    _Row("command", _command, lambda c, d, i: c["Config"]["Cmd"] or []),
    _Row(
        "health check",
        lambda d, i: ["CMD", *d.health.test, *_times(d.health)],
        lambda c, d, i: _health(c),
    ),
    _Row(
        "labels",
        lambda d, i: sorted(f"{k}={v}" for k, v in d.labels.items()),
        lambda c, d, i: sorted(f"{k}={v}" for k, v in (c["Config"]["Labels"] or {}).items() if k in d.labels),
    ),
    _Row("read-only root", lambda d, i: d.read_only, lambda c, d, i: c["HostConfig"]["ReadonlyRootfs"]),
    _Row("folders in memory", lambda d, i: dict(d.tmpfs), lambda c, d, i: c["HostConfig"].get("Tmpfs") or {}),
    _Row("mounts", lambda d, i: sorted(f"{place} {v}" for place, v in d.mounts.items()), _mounts),
    _Row(
        "published ports",
        lambda d, i: sorted(f"{d.published}:{port}->{port}/tcp" for port in d.ports),
        lambda c, d, i: _ports(c),
    ),
    _Row(
        "hosts",
        lambda d, i: sorted(f"{host}:{address}" for host, address in d.hosts.items()),
        lambda c, d, i: sorted(c["HostConfig"].get("ExtraHosts") or ()),
    ),
    _Row("privileged", lambda d, i: False, lambda c, d, i: c["HostConfig"]["Privileged"]),
    _Row("capabilities dropped", lambda d, i: ["ALL"], _host("CapDrop")),
    _Row("capabilities added", lambda d, i: "", _host("CapAdd")),
    _Row("security options", lambda d, i: ["no-new-privileges:true"], _host("SecurityOpt")),
    _Row("devices", lambda d, i: "", _host("Devices")),
    _Row("process namespace", lambda d, i: "", _host("PidMode")),
    _Row("network mode", lambda d, i: "bridge", _host("NetworkMode")),
    # Docker can change these while the container runs.
    _Row("memory", lambda d, i: d.memory, _host("Memory"), in_place=True),
    _Row("memory and swap", lambda d, i: d.memory, _host("MemorySwap"), in_place=True),
    _Row("processors", lambda d, i: round(d.cpus * NANOSECONDS), _host("NanoCpus"), in_place=True),
    _Row("limit of processes", lambda d, i: d.processes, _host("PidsLimit"), in_place=True),
    _Row(
        "restart policy",
        lambda d, i: RESTART,
        lambda c, d, i: c["HostConfig"]["RestartPolicy"]["Name"],
        in_place=True,
    ),
    _Row(
        "networks",
        lambda d, i: sorted(f"{network}/{alias}" for network, aliases in d.networks.items() for alias in aliases),
        lambda c, d, i: _networks(c, d),
        in_place=True,
    ),
)

_IMAGES: dict[str, Mapping[str, Any]] = {}  # configuration by id, which is the hash of what it names


def _image(client: docker.DockerClient, image: str) -> Mapping[str, Any]:
    if image not in _IMAGES:
        _IMAGES[image] = client.images.get(image).attrs["Config"]
    return _IMAGES[image]


def _environment(declared: Declared, image: Mapping[str, Any]) -> dict[str, str]:
    return {**_variables(image["Env"]), **declared.environment}


def _variables(pairs: Sequence[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs or ())}


def _times(health: HealthCheck) -> list[float]:
    return [health.interval, health.timeout, health.start_period, health.retries]


def _short(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return (text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…") or "none"
