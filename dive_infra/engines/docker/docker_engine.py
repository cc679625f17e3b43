"""`DockerEngine`: the interface `Engine`, by requests to Docker."""

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from requests.exceptions import RequestException

from dive_infra.config.timeouts import ENGINE_REQUEST
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker import container_repair, containers, endpoint, engine, files, firewall, links, networks
from dive_infra.engines.docker import differences as comparison
from dive_infra.engines.engine import (
    Condition,
    ContainerFailed,
    Difference,
    Engine,
    EngineError,
    EngineObject,
    EngineRefused,
    Facts,
    Kind,
    NetworkState,
    PublishedPort,
)
from dive_infra.engines.selection import unanswered
from dive_infra.results.remedy import Remedy

_VERSIONS = ("Version", "ApiVersion", "Os", "Arch", "KernelVersion")
_HIDDEN = "[redacted]"


@contextmanager
def _requests() -> Iterator[None]:
    """Turn the client's errors into the interface's."""
    try:
        yield
    except APIError as error:
        raise EngineRefused(str(error.explanation or error)) from error
    except (DockerException, RequestException) as error:
        raise EngineError(f"the engine did not answer: {error}", unanswered()) from error


class DockerEngine(Engine):
    """Docker, by its own client. One client serves several threads. `command` is how operators address this engine."""

    def __init__(self, client: docker.DockerClient, command: str = "docker") -> None:
        self._client, self._docker = client, command

    @classmethod
    def connect(cls, timeout: int = ENGINE_REQUEST) -> "DockerEngine":
        return cls(engine.client(timeout), endpoint.current().command)

    @_requests()
    def facts(self) -> Facts:
        found = self._client.info()
        return Facts(
            str(found["ServerVersion"]),
            int(found["MemTotal"]),
            str(found["DockerRootDir"]),
            engine.architecture(found),
        )

    @_requests()
    def versions(self) -> Mapping[str, str]:
        found = self._client.version()
        return {key: str(found.get(key, "")) for key in _VERSIONS}

    def close(self) -> None:
        self._client.close()

    @_requests()
    def containers(self) -> list[EngineObject]:
        return _listed(self._client.api.containers(all=True))

    @_requests()
    def networks(self) -> list[EngineObject]:
        found = self._client.api.networks()
        return [EngineObject("network", n["Name"], n["Labels"] or {}) for n in found]

    @_requests()
    def volumes(self) -> list[EngineObject]:
        found = self._client.api.volumes()["Volumes"] or []
        return [EngineObject("volume", v["Name"], v["Labels"] or {}) for v in found]

    @_requests()
    def observe(self, name: str) -> Condition:
        return containers.observe(self._client, name)

    @_requests()
    def passes(self, name: str) -> bool:
        container = self._container(name)
        return container is not None and containers.passes(self._client, container)

    @_requests()
    def has_image(self, image: str) -> bool:
        try:
            self._client.images.get(image)
        except ImageNotFound:
            return False
        return True

    @_requests()
    def image_environment(self, image: str) -> Mapping[str, str]:
        try:
            found = self._client.images.get(image).attrs["Config"]["Env"] or []
        except ImageNotFound:
            return {}
        return dict(pair.split("=", 1) for pair in found)

    @_requests()
    def files_digest(self, name: str) -> str:
        return files.digest(files.read(self._client.containers.get(name)))

    @_requests()
    def read_file(self, name: str, path: str) -> str:
        try:
            return files.text(self._client.containers.get(name), path)
        except NotFound:
            raise ContainerFailed(f"{name} does not exist or has no {path}") from None

    @_requests()
    def files_drift(self, name: str, volume: str, contents: Mapping[str, str], owner: int) -> Mapping[str, str]:
        container = self._container(name)
        if container is None or not files.mounted(container, volume):
            return {}
        return files.difference(files.manifest(files.pack(contents, owner)), files.read(container))

    @_requests()
    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        try:
            found: Mapping[str, str] = self._client.volumes.get(name).attrs["Labels"] or {}
        except NotFound:
            return None
        return found

    @_requests()
    def created(self, name: str) -> datetime | None:
        try:
            return datetime.fromisoformat(self._client.containers.get(name).attrs["Created"])
        except NotFound:
            return None

    @_requests()
    def volume_sizes(self) -> Mapping[str, int]:
        api = self._client.api
        response = api.get(f"{api.base_url}/v{api.api_version}/system/df", params={"type": "volume"})
        if not response.ok:
            return {}  # an older engine cannot tell
        usage = {str(v["Name"]): v.get("UsageData") or {} for v in response.json().get("Volumes") or []}
        sizes = {name: int(used.get("Size", -1)) for name, used in usage.items()}
        return {name: size for name, size in sizes.items() if size >= 0}

    @_requests()
    def networks_named(self, name: str) -> list[NetworkState]:
        found = networks.called(self._client, name)
        return [NetworkState(str(n.id), name, networks.mark(n)) for n in found]

    @_requests()
    def network_ids(self) -> Mapping[str, str]:
        return links.ids(self._client.api.networks())

    @_requests()
    def free_address_ranges(self, most: int) -> int | None:
        return networks.free_ranges(self._client.info(), self._client.api.networks(), most)

    @_requests()
    def network_users(self, network: str) -> list[EngineObject]:
        found = []
        for id_ in self._client.networks.get(network).attrs["Containers"] or {}:
            with suppress(NotFound):  # gone meanwhile; its endpoint may be listed for a moment longer
                user = self._client.containers.get(id_)
                found.append(EngineObject("container", str(user.name), user.labels or {}))
        return found

    @_requests()
    def attached(self, network: str) -> list[EngineObject]:
        return _listed(self._client.api.containers(all=True, filters={"network": network}))

    @_requests()
    def output(self, name: str, command: Sequence[str]) -> str:
        container = self._container(name)
        if container is None:
            raise ContainerFailed(f"{name} does not exist")
        for _ in range(2):  # Docker may lose what a command printed (docker/docker-py#2042)
            done: Any = container.exec_run(list(command), demux=True)  # its type does not depend on `demux`
            code, (printed, error) = done
            if code != 0:
                raise ContainerFailed(f"{command[0]} in {name}: exit code {code}: {_text(error) or _text(printed)}")
            if text := _text(printed):
                return text
        raise ContainerFailed(f"{command[0]} in {name} printed nothing, expected an answer")

    def firewall(self) -> str:
        return firewall.evidence()

    @_requests()
    def logs(self, name: str, lines: int) -> str:
        log = self._client.containers.get(name).logs(tail=lines, timestamps=True)
        return str(log.decode(errors="replace"))

    @_requests()
    def processes(self, name: str) -> list[str]:
        found = self._client.containers.get(name).top(ps_args="-o pid,args")
        return [row[1] for row in found["Processes"] or []]

    @_requests()
    def inspect(self, name: str) -> Mapping[str, Any]:
        attributes = dict(self._client.containers.get(name).attrs)
        config = dict(attributes["Config"])
        config["Env"] = [f"{pair.partition('=')[0]}={_HIDDEN}" for pair in config["Env"] or []]
        return {**attributes, "Config": config}

    @_requests()
    def differences(self, live: Condition, declared: Declared) -> list[Difference]:
        return comparison.differences(self._client, live.attributes, declared)

    @_requests()
    def settle(self, declared: Declared) -> None:
        container_repair.settle(self._client, declared, self.find(declared))

    @_requests()
    def await_healthy(self, name: str, deadline: float) -> Condition:
        return containers.await_healthy(self._client, name, deadline)

    @_requests()
    def restart(self, name: str, grace: int) -> None:
        container = self._client.containers.get(name)
        if container.status == "paused":
            container.unpause()
        container.restart(timeout=grace)

    @_requests()
    def remove_container(self, declared: Declared) -> None:
        by_hand = self.removal_command("container", declared.name, force=True)
        container_repair.remove(self._client, declared, self.find(declared), by_hand)

    @_requests()
    def remove(self, kind: Kind, name: str, detach: bool = False) -> bool:
        try:
            if kind == "container":
                self._client.containers.get(name).remove(force=True, v=True)
            elif kind == "volume":
                self._client.volumes.get(name).remove(force=True)
            elif detach:
                found = networks.called(self._client, name)
                for network in found:
                    networks.remove(network)
                return bool(found)
            else:
                self._client.networks.get(name).remove()
        except NotFound:
            return False
        return True

    @_requests()
    def remove_network(self, network: str) -> None:
        networks.remove(self._client.networks.get(network))

    @_requests()
    def join(self, container: str, network: str, alias: str, labels: Mapping[str, str]) -> None:
        links.join(self._client, container, network, alias, labels)

    @_requests()
    def leave(self, container: str, network: str) -> None:
        links.leave(self._client, container, network)

    @_requests()
    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        self._client.volumes.create(name, labels=dict(labels))

    @_requests()
    def write_files(
        self,
        volume: str,
        contents: Mapping[str, str],
        owner: int,
        declared: Mapping[str, Any],
        only: Collection[str] = (),
    ) -> str:
        return files.write(self._client, volume, contents, owner, declared["image"], declared["labels"], only)

    def volume_command(self, name: str, labels: Mapping[str, str]) -> str:
        options = " ".join(f"--label {key}={value}" for key, value in sorted(labels.items()))
        return f"{self._docker} volume create {options} {name}"

    def pruning_command(self) -> str:
        return f"{self._docker} network prune"

    def command_in(self, name: str, script: str, piped: bool = False) -> str:
        return f"{self._docker} exec {'-i ' if piped else ''}{name} sh -c {shlex.quote(script)}"

    @_requests()
    def offline_command(self, name: str, script: str) -> str:
        container = self._container(name)
        if container is None:
            raise ContainerFailed(f"container {name} does not exist", Remedy.update())
        image, user = container.attrs["Image"], container.attrs["Config"]["User"]
        own = self._docker
        beside = f"{own} run --rm --network none --volumes-from {name} --user {user} --entrypoint sh {image}"
        return f"{own} stop {name} && {beside} -c {shlex.quote(script)}; {own} start {name}"

    def restart_command(self) -> str:
        return firewall.restart_command()

    def disconnect_command(self, network: str, container: str) -> str:
        return f"{self._docker} network disconnect {network} {container}"

    def removal_command(self, kind: Kind, name: str, force: bool = False) -> str:
        return f"{self._docker} {kind} rm {'-f ' if force else ''}{name}"

    def _container(self, name: str) -> Container | None:
        try:
            return self._client.containers.get(name)
        except NotFound:
            return None


def _text(printed: bytes | None) -> str:
    return (printed or b"").decode(errors="replace").strip()


def _listed(found: Iterable[Mapping[str, Any]]) -> list[EngineObject]:
    return [
        EngineObject("container", c["Names"][0].lstrip("/"), c["Labels"] or {}, _published(c))
        for c in found
        if c["Names"]
    ]


def _published(container: Mapping[str, Any]) -> tuple[PublishedPort, ...]:
    listed = container["Ports"] or []
    return tuple(sorted({PublishedPort(p.get("IP", ""), p["PublicPort"]) for p in listed if "PublicPort" in p}))
