"""Faults of containers, their files and networks."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from dive_infra.catalog.services import services
from dive_infra.catalog.spec import FILES
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.engines import declaration
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker.containers import observe
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import RemedyKind
from tests.coalition.live import resource
from tests.faults.fault import Fault, Scene
from tests.support.by_hand import create

_SERVICES = ("postgres", "mongodb", "redis", "keycloak", "opa", "opal-client", "backend", "kas", "frontend")
_MINOR = {  # services whose outage is only reported
    spec.name
    for names in (Names(HUB), Names(COUNTRIES["FRA"]))
    for spec in services(names, names.of(HUB), (), {})
    if spec.service_class != "core"
}
_MEGABYTE = 1024 * 1024
_UNSEEN = 150  # seconds until Docker has noticed that a service hangs


def _fault(
    title: str,
    service: str,
    damage: Callable[[Scene], object],
    heals: Iterable[str] = ("gate",),
    country: str = "FRA",
    selected: str = "",
    runs_on: bool = False,
    also: Iterable[str] | None = None,
    more: Iterable[RemedyKind] = (),
) -> Fault:
    """`heals`: the resources of the service that must change; `runs_on`: its container keeps its id and start time."""
    return Fault(
        f"{service} {title}",
        country,
        lambda scene: _ignored(damage(scene)),
        Phase.DEPLOYMENT,
        more=frozenset(more),
        heals=frozenset(f"{service}-{part}" for part in heals),
        also=None if also is None else frozenset(also),
        touched=frozenset() if runs_on else frozenset({service}),
        warns=service in _MINOR and not {"probe", "files", "live"} & {*heals},  # what is missing or another is wrong
        selected=selected,
    )


def _ignored(_result: object) -> None:
    return None


_RECREATED = ("probe", "container", "gate")
_WITH_FILES = ("files", "container", "gate")


def _stopped(service: str, country: str = "FRA", selected: str = "") -> Fault:
    return _fault("is stopped", service, lambda s: s.container(service).stop(), country=country, selected=selected)


def _removed(service: str, country: str = "FRA", selected: str = "") -> Fault:
    harm = lambda s: s.container(service).remove(force=True)  # noqa: E731
    return _fault("is removed", service, harm, _RECREATED, country, selected)


def _hung(scene: Scene, service: str) -> None:
    """Stop all its processes with SIGSTOP, and wait until Docker has noticed."""
    scene.container(service).exec_run(["sh", "-c", "kill -STOP -1"])  # all but the first, which is its container's
    scene.container(service).kill("SIGSTOP")
    ends = time.monotonic() + _UNSEEN
    while observe(scene.engine, scene.hurt.names.container(service)).health != "unhealthy":
        assert time.monotonic() < ends, f"{service} is still healthy"
        time.sleep(1)


def _update(scene: Scene, service: str, **limits: Any) -> None:
    """Change limits as `docker update` does."""
    api = scene.engine.api
    url = f"{api.base_url}/v{api.api_version}/containers/{scene.container(service).id}/update"
    api.post(url, json=limits).raise_for_status()


def _declared(scene: Scene, service: str) -> Declared:
    return declaration.load(resource(scene.hurt, f"{service}-probe")["outputs"]["declared"])


def _recreated(title: str, service: str, selected: str = "", **other: Any) -> Fault:
    """`other`: in what the container made by hand differs."""
    # An OPA that starts again has no policies until its source has loaded them: a restart does that, too.
    more = {RemedyKind.RESTART} if service == "opa" else ()
    harm = lambda s: _by_hand(s, service, **other)  # noqa: E731
    return _fault(title, service, harm, _RECREATED, selected=selected, more=more)


def _by_hand(scene: Scene, service: str, **other: Any) -> None:
    """Recreate it by hand under the same name and labels; `other` differs from the declaration."""
    declared = _declared(scene, service)
    scene.container(service).remove(force=True)
    create(scene.engine, declared, **{"pids_limit": declared.processes, **other}).start()


def _files(scene: Scene, service: str, harm: str) -> None:
    """Run a shell command as root in the folder of the service's files."""
    declared = _declared(scene, service)
    volume = {declared.mounts[FILES].removesuffix(":ro"): {"bind": FILES, "mode": "rw"}}
    image = _declared(scene, "redis").image  # has a shell
    scene.engine.containers.run(
        image, ["-c", harm], entrypoint=["sh"], user="0", volumes=volume, working_dir=FILES, remove=True
    )


def _files_and_crash(scene: Scene, service: str, harm: str) -> None:
    _files(scene, service, harm)
    scene.container(service).restart()


def _files_lost(scene: Scene, service: str) -> None:
    volume = _declared(scene, service).mounts[FILES].removesuffix(":ro")
    scene.container(service).remove(force=True)
    scene.engine.volumes.get(volume).remove()


def _copies_lost(scene: Scene, service: str) -> None:
    scene.container(service).remove(force=True)
    scene.engine.volumes.get(scene.hurt.names.copies_volume(service)).remove()


def _renamed(scene: Scene, service: str) -> None:
    scene.container(service).rename(f"{scene.hurt.names.container(service)}-old")


def _off_the_network(scene: Scene, service: str) -> None:
    scene.engine.networks.get(scene.hurt.names.network).disconnect(scene.container(service))


def _off_the_link(scene: Scene, service: str) -> None:
    link = scene.usa.names.link_network(scene.fra.names)
    scene.engine.networks.get(link).disconnect(scene.container(service))


def network_lost(scene: Scene, again: bool = False) -> None:
    """Remove the country's network; `again`: recreate it by hand, with its containers, without our labels."""
    network = scene.engine.networks.get(scene.hurt.names.network)
    users = network.containers
    for container in users:
        network.disconnect(container)
    network.remove()
    if again:
        made = scene.engine.networks.create(scene.hurt.names.network)
        for container in users:
            made.connect(container)


def _network(title: str, damage: Callable[[Scene], None], selected: str = "") -> Fault:
    return Fault(
        title,
        "FRA",
        damage,
        Phase.INITIALIZATION,
        heals=frozenset({"network-probe", "network-network", *(f"{service}-gate" for service in _SERVICES)}),
        touched=frozenset(_SERVICES),  # what does not find back to the others by itself is restarted
        selected=selected,
    )


_ROUNDS = dict.fromkeys(("postgres", "keycloak"), "servers")  # Keycloak is not well for long without Postgres

FAULTS: tuple[Fault, ...] = (
    *(_stopped(service, selected=_ROUNDS.get(service, "")) for service in _SERVICES),
    *(_removed(service, selected="servers" if service == "mongodb" else "") for service in _SERVICES),
    _stopped("opal-server", "USA"),
    _removed("backend", "USA"),
    _fault("is paused", "backend", lambda s: s.container("backend").pause()),
    _fault("hangs", "redis", lambda s: _hung(s, "redis")),
    _fault("hangs", "mongodb", lambda s: _hung(s, "mongodb")),
    _fault("may make one process only", "kas", lambda s: _update(s, "kas", PidsLimit=1), runs_on=True),
    _fault(
        "has other limits",
        "frontend",
        lambda s: _update(s, "frontend", Memory=200 * _MEGABYTE, MemorySwap=400 * _MEGABYTE, NanoCpus=10**8),
        runs_on=True,
        selected="servers",
    ),
    _fault("is renamed by hand", "kas", lambda s: _renamed(s, "kas"), runs_on=True),
    _recreated(
        "is recreated by hand with other variables", "kas", selected="servers", environment={"LOG_LEVEL": "debug"}
    ),
    _recreated("is recreated by hand, privileged", "opa", privileged=True),
    _recreated("is recreated by hand as root", "opa", user="0:0"),
    _recreated("is made and was never let through its gate", "opa", pids_limit=None),
    _fault(
        "has an altered file",
        "opa",
        lambda s: _files(s, "opa", "echo >> tls.crt"),
        _WITH_FILES,
        selected="servers",
    ),
    _fault(
        "has an altered file that it reads while it runs",
        "frontend",
        lambda s: _files(s, "frontend", "echo >> partners.json"),
        ("live",),
        runs_on=True,
        also=(),
    ),
    _fault("has lost its files and crashes", "kas", lambda s: _files_and_crash(s, "kas", "rm -rf ./*"), _WITH_FILES),
    _fault("has lost the volume of its files", "redis", lambda s: _files_lost(s, "redis"), _WITH_FILES),
    Fault(
        "the copy of the hub's policies is lost",
        "FRA",
        lambda s: _copies_lost(s, "opal-client"),
        Phase.DEPLOYMENT,
        heals=frozenset({"data-opal-client-copies", *(f"opal-client-{part}" for part in _RECREATED)}),
        touched=frozenset({"opal-client"}),
    ),
    _fault(
        "is off its network",
        "opa",
        lambda s: _off_the_network(s, "opa"),
        runs_on=True,
        also=(),
        selected="small things",
    ),
    _fault(
        "is off the network of its link",
        "keycloak",
        lambda s: _off_the_link(s, "keycloak"),
        ("links",),
        runs_on=True,
        also=(),
    ),
    _network("the network is removed", network_lost),
    _network("the network is recreated by hand", lambda s: network_lost(s, again=True)),
)
