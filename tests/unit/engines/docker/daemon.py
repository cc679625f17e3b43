"""A Docker daemon with containers and networks in memory, for tests of what joins and leaves networks."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from docker.errors import APIError, NotFound


def refusal(status: int, text: str) -> APIError:
    response: Any = SimpleNamespace(status_code=status, reason=text, url="")
    return (NotFound if status == 404 else APIError)(text, response)


class Daemon:
    """Answers as the client and its `api` do. `calls` are those that change something."""

    def __init__(self) -> None:
        self.api = self.containers = self
        self.calls: list[str] = []
        self.there: dict[str, dict[str, Any]] = {}
        self.nets: dict[str, dict[str, Any]] = {}
        self.bridges: set[str] = set()  # of networks that are being created
        self._made = 0

    # What a test sets up.

    def container(self, name: str, labels: Mapping[str, str] | None = None, running: bool = True) -> None:
        self.there[name] = {
            "Id": f"id-of-{name}",
            "Name": f"/{name}",
            "Config": {"Labels": dict(labels or {})},
            "State": {"Running": running, "ExitCode": 0, "OOMKilled": False},
            "HostConfig": {"PidsLimit": 9},
            "RestartCount": 0,
            "NetworkSettings": {"Networks": {}},
        }

    def network(self, name: str, id_: str = "") -> str:
        self._made += 1
        made = id_ or f"net-{self._made}"
        self.nets[made] = {"Name": name, "Id": made, "Labels": {}}
        return made

    def joined(self, name: str) -> dict[str, list[str]]:
        """Return the networks of a container, with its names there."""
        return {n: end["Aliases"] for n, end in self.there[name]["NetworkSettings"]["Networks"].items()}

    # What Docker answers.

    def get(self, name: str) -> Any:
        attributes = self.inspect_container(name)
        return SimpleNamespace(name=attributes["Name"].lstrip("/"), attrs=attributes)

    def inspect_container(self, name: str) -> dict[str, Any]:
        for found in self.there.values():
            if name in (found["Id"], found["Name"].lstrip("/")):
                return found
        raise refusal(404, f"No such container: {name}")

    def __call__(self, filters: Mapping[str, str], **how: bool) -> list[dict[str, Any]]:
        """Answer `client.api.containers(…)`, which is also what `client.containers` is here."""
        assert how == {"all": True}, "those that do not run count, too"
        on_it = [c for c in self.there.values() if filters["network"] in c["NetworkSettings"]["Networks"]]
        return [{"Names": [c["Name"]], "Labels": c["Config"]["Labels"], "Ports": []} for c in on_it]

    def networks(self) -> list[dict[str, Any]]:
        return list(self.nets.values())

    def create_network(self, name: str, driver: str, **more: Any) -> None:
        assert (driver, more["internal"], more["check_duplicate"]) == ("bridge", True, True)
        self.calls.append(f"create {name}")
        if name in {n["Name"] for n in self.nets.values()}:
            raise refusal(409, f"network with name {name} already exists")
        if (bridge := more["options"]["com.docker.network.bridge.name"]) in self.bridges:
            raise refusal(403, f"cannot create network {name} ({bridge}): conflicts with network {name}")
        self.nets[self.network(name)]["Labels"] = more["labels"]

    def info(self) -> dict[str, str]:
        return {"ID": "engine-1"}

    def connect_container_to_network(self, container: str, network: str, aliases: Sequence[str]) -> None:
        found, name = self.inspect_container(container), self.nets[network]["Name"]
        self.calls.append(f"connect {found['Name'].lstrip('/')} {network}")
        known = network if found["State"]["Running"] else ""  # a stopped one learns the id when it starts
        found["NetworkSettings"]["Networks"][name] = {"NetworkID": known, "Aliases": [*aliases, found["Id"][:12]]}

    def disconnect_container_from_network(self, container: str, network: str, force: bool) -> None:
        found = self.inspect_container(container)
        name = self.nets.get(network, {"Name": network})["Name"]
        if network not in self.nets and (found["State"]["Running"] or not force):
            raise refusal(404, f"network {network} not found")
        self.calls.append(f"disconnect {found['Name'].lstrip('/')} {network}")
        del found["NetworkSettings"]["Networks"][name]

    def remove_network(self, network: str) -> None:
        if network not in self.nets:
            raise refusal(404, f"network {network} not found")
        self.calls.append(f"remove {network}")
        del self.nets[network]
