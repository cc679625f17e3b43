"""PREFLIGHT: the country can be deployed on this machine now."""

import shutil
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import httpx
import psutil

from dive_infra import engines
from dive_infra.checks import objects, partners
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.checks.spec import PreflightSpec
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.environment import REMOVE
from dive_infra.config.naming import LOOPBACK, ORPHANS, SERVICE_LABEL, Names
from dive_infra.engines.engine import Engine, EngineError, EngineObject, ours_by_use, renamed
from dive_infra.identity import https
from dive_infra.results.codes import Code
from dive_infra.results.remedy import UP, Remedy
from dive_infra.results.text import now

REACHED = "what the Docker engine publishes can be reached from here"

_GIB = 1 << 30
_WARNED = timedelta(days=30)
_EVERY = ("0.0.0.0", "::")  # noqa: S104 (compared with, not bound to)


def checks(spec: PreflightSpec) -> list[Check]:
    names = spec.names
    found = [
        Check(REACHED, "endpoint", lambda: endpoint(names.published), subject="Docker engine"),
        Check(
            "the Docker engine answers and has enough memory",
            "engine",
            lambda: memory(spec.memory),
            subject="memory of the engine",
        ),
        Check(
            "the engine's disk has enough space", "disk", lambda: disk(spec.disk, spec), subject="disk of the engine"
        ),
        Check(
            "the engine has an address range for every network that is not there yet",
            "address ranges",
            lambda: address_ranges(names, spec.links),
        ),
        Check("every port is free or used by this country", "ports", lambda: ports(names, spec.services)),
        Check(
            "no other stack has deployed this country here", "stack", lambda: owners(names, spec.stack, spec.services)
        ),
        Check(
            "no undeclared object of this stack is left",
            "orphaned objects",
            lambda: orphaned(names, spec.stack, spec.services),
            advisory=True,
        ),
    ]
    if spec.hub:
        hub = spec.hub
        # A country works alone: what needs the hub waits for it.
        found.append(Check("the hub is healthy", "hub", lambda: hub_healthy(hub, spec.ca), advisory=True))
    if spec.expires:
        found.append(
            Check("the coalition document is valid", "membership", lambda: valid(spec.expires), subject="document")
        )
    # It concerns people alone: a country whose agreement, or a partner's, has ended is deployed and heals as before.
    found += [
        Check(
            f"the agreement on people of {code} is in force",
            "agreements",
            partial(in_force, code, end),
            subject=f"agreement on people of {code}",
            advisory=True,
        )
        for code, end in sorted(spec.ends.items())
    ]
    return found


def endpoint(published: str = "") -> str:
    """Check that this machine reaches what the engine's machine publishes at `published`, if that is known."""
    try:
        found = engines.current()
    except EngineError as error:
        raise CheckUnknown(error.cause, engines.unanswered(error.remedy)) from None
    if not found.is_local and published and ip_address(published).is_loopback:
        raise CheckFailed(
            f"{found.address} ({found.selected_by}), which publishes on its own {published}",
            "an address of the engine's machine that others reach, or an engine on this machine",
            Remedy.decide(f"pulumi config set dive:address <ip>, then: {UP}"),
            Code.ENGINE,
            final=True,
        )
    return found.address


def memory(minimum: float) -> str:
    facts = objects.connect().facts()
    has = facts.memory / _GIB
    if has < minimum:
        raise CheckFailed(
            f"{has:.1f} GiB", f"at least {minimum:g} GiB", Remedy.decide("give the engine more memory"), Code.ENGINE
        )
    return f"version {facts.version}, {has:.1f} GiB"


def disk(minimum: float, spec: PreflightSpec | None = None) -> str:
    """Check the file system of the engine's data, unless it is on another machine or inside a virtual one.

    A country (of `spec`) that has data here needs less than a new one: too little space is a warning, so that it heals.
    """
    engine = objects.connect()
    root = engine.facts().data_folder
    if not engines.current().is_local:
        return "on another machine, not checked"
    if (folder := _reachable(Path(root))) is None:
        return "inside a virtual machine, not checked"
    free = shutil.disk_usage(folder).free / _GIB
    if free < minimum:
        raise CheckFailed(
            f"{free:.1f} GiB free below {root}",
            f"at least {minimum:g} GiB",
            Remedy.decide(f"free space on {root}"),
            Code.VOLUME_OR_DISK,
            advisory=spec is not None and _has_data(engine, spec),
        )
    return f"{free:.0f} GiB free"


def _reachable(folder: Path) -> Path | None:
    """Return the folder, or the next above it that this user may look at; None if it does not exist here."""
    for place in (folder, *folder.parents):
        try:
            place.stat()
        except PermissionError:  # an engine that shifts user ids keeps its data below a folder of root's
            continue
        except FileNotFoundError:
            return None
        return place
    return None


def _has_data(engine: Engine, spec: PreflightSpec) -> bool:
    """Return True if this stack has deployed data volumes of the country."""
    own = set(map(spec.names.data_volume, spec.services))
    return any(o.name in own and o.stack == spec.stack for o in engine.volumes())


def address_ranges(names: Names, links: Sequence[str] = ()) -> str:
    """Check before anything is created that the engine can create the networks of the country and of its `links`."""
    engine = objects.connect()
    missing = sorted({names.network, *links} - {network.name for network in engine.networks()})
    if not missing:
        return "none needed"
    free = engine.free_address_ranges(len(missing))
    if free is None:
        raise CheckUnknown("the engine does not say which address ranges it assigns", advisory=True)
    if free < len(missing):
        raise CheckFailed(
            f"{free} of {len(missing)} free for: {', '.join(missing)}",
            f"{len(missing)} address ranges in the engine's pools that no network uses",
            Remedy.decide(
                f"remove networks that no one uses ({engine.pruning_command()}), or add a range to "
                "default-address-pools in the engine's daemon.json and restart it"
            ),
            Code.NETWORK,
        )
    return f"{free} free"


def ports(names: Names, services: Iterable[str]) -> str:
    """Check that no port is taken at the country's address; report all taken ports at once, each with its owner."""
    wanted = {names.port(service): service for service in services}
    engine = objects.connect()
    existing = engine.containers()
    here = {names.published, *_EVERY, *(["::1"] if names.published == LOOPBACK else [])}
    on_engine = {port: c for c in existing for address, port in c.ports if address in here}
    own = _own_containers(names, services, existing)
    looks = engines.current().is_local
    listening = _listening(here) if looks else {}
    taken: list[tuple[int, str]] = []
    for port, service in sorted(wanted.items()):
        container = on_engine.get(port)
        if container:
            if container.name != own.get(service):
                taken.append((port, f"container {container.name}"))
        elif port in listening and not (service in own and _holds_ports(engine, own[service])):
            taken.append((port, listening[port]))
    if taken:
        key = f"dive:ports.{wanted[taken[0][0]]}"
        raise CheckFailed(
            "taken: " + "; ".join(f"{port} ({wanted[port]}) by {holder}" for port, holder in taken),
            f"{len(wanted)} ports free on {names.published} or held by containers of {names.prefix}",
            Remedy.decide(f"end these programs, or choose other ports: pulumi config set --path {key} <port>"),
            Code.CONFLICT,
        )
    return f"{len(wanted)} ports" + ("" if looks else ", known of containers alone: the engine is on another machine")


def _own_containers(names: Names, services: Iterable[str], existing: list[EngineObject]) -> Mapping[str, str]:
    """Return service -> the present name of its container, which DEPLOYMENT renames if someone gave it another one."""
    ours = {c.name for c in existing if names.owns(c.labels)}
    found: dict[str, str] = {}
    for service in services:
        name = names.container(service)
        present = name if name in ours else renamed(existing, name, names.labels(service, ""))
        if present:
            found[service] = present
    return found


def _holds_ports(engine: Engine, container: str) -> bool:
    """Return True if it runs or keeps restarting: between two starts the engine lists no ports but holds them."""
    now = engine.observe(container)
    return now.running or now.restarting


def owners(names: Names, stack: str, services: Iterable[str]) -> str:
    """Check that every object with a name of this country belongs to this stack.

    A network that only this country's containers use was recreated by hand: this stack may replace it.
    """
    engine = objects.connect()
    kept = engine.everything()
    own = {names.container(s) for s in services} | {names.network}
    own |= {name for s in services for name in (names.data_volume(s), names.copies_volume(s), names.files_volume(s))}
    replaced = {o.name for o in kept if o.kind == "network" and not names.owns(o.labels) and o.name in own}
    own -= {name for name in replaced if all(ours_by_use(engine, n, stack) for n in engine.networks_named(name))}
    others = [
        o for o in kept if (names.owns(o.labels) and o.stack != stack) or (o.name in own and not names.owns(o.labels))
    ]
    if others:
        marks = sorted({o.stack for o in others if names.owns(o.labels) and o.stack})
        named = ",".join(f"{ORPHANS}{mark}" for mark in marks)
        removed = f"; if no one deploys it any more: {REMOVE}={named} {UP}"
        raise CheckFailed(
            "; ".join(f"{o.kind} {o.name} of stack {o.stack or '(none)'}" for o in others),
            f"every object named {names.prefix}-… belongs to stack {stack}",
            Remedy.decide(
                f"destroy it with the stack it names{_by_hand(engine, others)}; or use another dive:namespace than "
                f"{names.namespace}{removed if marks else ''}",
                country=names.country.code,
            ),
            Code.CONFLICT,
        )
    return f"{sum(names.owns(o.labels) for o in kept)} objects, all of this stack"


def _by_hand(engine: Engine, others: Iterable[EngineObject]) -> str:
    """Return the commands that remove what holds no data."""
    empty = (o for o in others if o.kind != "volume")
    listed = ", ".join(engine.removal_command(o.kind, o.name, force=o.kind == "container") for o in empty)
    return f", or by hand: {listed}" if listed else ""


def orphaned(names: Names, stack: str, services: Iterable[str]) -> str:
    """Report what carries the mark of this stack and is not declared; the operator decides on it."""
    declared = set(services)
    engine = objects.connect()
    containers = engine.containers()
    kept = {*map(names.container, declared), *_own_containers(names, declared, containers).values()}
    left = [
        *(o for o in containers if o.name not in kept),
        *(o for o in engine.networks() if o.name not in (names.network, names.retired_network)),
        *(o for o in engine.volumes() if o.labels.get(SERVICE_LABEL) not in declared),
    ]
    ours = [o for o in left if o.stack == stack]
    if ours:
        raise CheckFailed(
            "; ".join(f"{o.kind} {o.name}" for o in ours),
            f"only what stack {stack} declares",
            Remedy.decide(
                "a run that removes a service also removes its objects; remove the others by hand: "
                + ", ".join(engine.removal_command(o.kind, o.name) for o in ours)
            ),
            Code.ORPHANED,
        )
    return "none"


def valid(expires: str) -> str:
    """Check that the coalition document has not ended, and warn before it does."""
    left = datetime.fromisoformat(expires) - now()
    renewed = Remedy.update(HUB_CODE, f"issues another; then copy it here, and: {UP}")
    if left < timedelta(0):
        raise CheckFailed(f"expired at {expires}", "one that is valid now", renewed, Code.NOT_APPROVED)
    if left < _WARNED:
        days = f"{left.days} days left"
        raise CheckFailed(days, f"{_WARNED.days} days", renewed, Code.NOT_APPROVED, advisory=True)
    return f"{left.days} days left"


def in_force(code: str, end: str) -> str:
    """Check that the agreement on people of a country has not ended, and warn before it does."""
    left = datetime.fromisoformat(end) - now()
    agreed = partners.agree(code)
    if left < timedelta(0):
        ended = f"ended at {end}: its partners refuse its people"
        raise CheckFailed(ended, "an end in the future", agreed, Code.AGREEMENT)
    if left < _WARNED:
        raise CheckFailed(f"ends at {end}, {left.days} days left", f"{_WARNED.days} days", agreed, Code.AGREEMENT)
    return f"{left.days} days left"


def hub_healthy(hub: Names, ca: str) -> str:
    remedy = Remedy.update(hub.country.code)
    urls = [f"{hub.url('backend')}/api/health", f"{hub.issuer}/.well-known/openid-configuration"]
    with https.client(ca, 2, hub) as http:
        for url in urls:
            try:
                status = http.get(url).status_code
            except httpx.HTTPError as error:
                raise objects.unanswered(
                    f"{url}: {error or type(error).__name__}", "an answer", remedy, Code.HUB_UNHEALTHY
                ) from None
            if status != 200:
                raise CheckFailed(f"{url} answers {status}", "200", remedy, Code.HUB_UNHEALTHY)
    return f"{len(urls)} answers"


def _listening(addresses: Collection[str]) -> dict[int, str]:
    """Return port -> program that listens on it, at one of these addresses of this machine."""
    found: dict[int, str] = {}
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        raise CheckUnknown(
            "not allowed to list the listening programs of this machine", Remedy.decide("run as a user with that right")
        ) from None
    for c in connections:
        if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.ip in addresses:
            found[c.laddr.port] = _program(c.pid)
    return found


def _program(pid: int | None) -> str:
    if pid is None:
        return f"a program of another user on {socket.gethostname()}"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
