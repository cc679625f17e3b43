"""The same containers with Docker Compose: how long a run takes that has nothing to do."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker

from dive_infra.catalog.services import services
from dive_infra.catalog.spec import ServiceSpec
from dive_infra.config.naming import Names
from dive_infra.toolchain import toolchain
from dive_infra.toolchain.go_build import Progress
from tests.coalition.country import Country


class Compose:
    """The containers of a deployed country: removed, then created by Compose with the same data."""

    def __init__(self, country: Country, client: docker.DockerClient, home: Path, progress: Progress) -> None:
        self.command = [
            *_program(progress),
            "--project-name",
            country.names.prefix,
            "--file",
            str(home / "compose.json"),
        ]
        settings = country.settings
        specs = services(settings.names, settings.hub_names, settings.linked, settings.images)
        (home / "compose.json").write_text(json.dumps(_file(client, settings.names, specs)))
        for spec in specs:
            client.containers.get(settings.names.container(spec.name)).remove(force=True)

    def up(self) -> None:
        self._run("up", "--detach")

    def _run(self, *arguments: str) -> None:
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join([*self.command, *arguments])}: {done.stderr[-2000:]}")


def _program(progress: Progress) -> list[str]:
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return ["docker", "compose"]
    return [str(toolchain.binary("docker-compose", progress))]


def _file(client: docker.DockerClient, names: Names, specs: Sequence[ServiceSpec]) -> Any:
    made = {spec.name: _service(client, names, spec) for spec in specs}
    networks = sorted({network for service in made.values() for network in service["networks"]})
    volumes = {v.partition(":")[0]: {"external": True} for s in made.values() for v in s["volumes"]}
    return _literal({"services": made, "networks": {n: {"external": True} for n in networks}, "volumes": volumes})


def _service(client: docker.DockerClient, names: Names, spec: ServiceSpec) -> dict[str, Any]:
    """Return the service as `components.service` declares it, with image and volumes of the running container."""
    running = client.containers.get(names.container(spec.name)).attrs
    port, health = names.port(spec.name), spec.health
    host = names.host(spec.name)
    return {
        "container_name": names.container(spec.name),
        "image": running["Image"],
        "hostname": names.container(spec.name)[:63],
        **({"entrypoint": list(spec.entrypoint)} if spec.entrypoint else {}),
        **({"command": list(spec.command)} if spec.command else {}),
        "environment": dict(spec.environment),
        "user": f"{spec.uid}:{spec.uid}",
        "read_only": spec.read_only,
        "tmpfs": [f"{place}:rw,nosuid,nodev,size=256m,uid={spec.uid},gid={spec.uid},mode=0700" for place in spec.tmpfs],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{spec.memory_mb}m",
        "memswap_limit": f"{spec.memory_mb}m",
        "cpus": spec.cpus,
        "pids_limit": spec.pids,
        "volumes": [
            f"{mount['Name']}:{mount['Destination']}{'' if mount['RW'] else ':ro'}"
            for mount in running["Mounts"]
            if mount["Type"] == "volume"
        ],
        "ports": [f"{names.published}:{port}:{port}"],
        **({"extra_hosts": dict(spec.hosts)} if spec.hosts else {}),
        "networks": {
            n: {"aliases": [host, spec.name] if n == names.network else [host]}
            for n in running["NetworkSettings"]["Networks"]
        },
        "healthcheck": {
            "test": ["CMD", *health.test],
            "interval": f"{health.interval}s",
            "timeout": f"{health.timeout}s",
            "start_period": f"{health.start_period}s",
            "retries": health.retries,
        },
        "restart": "unless-stopped",
        "stop_grace_period": f"{spec.stop_grace}s",
        "labels": names.labels(spec.name, spec.service_class),
    }


def _literal(value: Any) -> Any:
    """Escape dollar signs, with which variables of Compose start."""
    if isinstance(value, dict):
        return {k: _literal(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_literal(v) for v in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
