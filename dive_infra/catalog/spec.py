"""What a service of a country is: plain data that the service component declares and the checks compare with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dive_infra.config.naming import LOOPBACK

ServiceClass = Literal["core", "optional", "stretch"]
Linked = Literal["none", "hub", "partners"]

FILES = "/etc/dive"
CERTIFICATE = f"{FILES}/tls.crt"  # the country's certificate, followed by its issuers
KEY = f"{FILES}/tls.key"
CA = f"{FILES}/ca.pem"

# The standard library alone, without site-packages: it runs every few seconds.
_ASKS = (
    "import http.client, socket, ssl, sys; trust = ssl.create_default_context(cafile={ca!r}); "
    "line = socket.create_connection(({address!r}, {port}), 4); c = http.client.HTTPConnection({host!r}, {port}); "
    "c.sock = trust.wrap_socket(line, server_hostname={host!r}); "
    "c.request('GET', {path!r}); sys.exit(c.getresponse().status != 200)"
)


@dataclass(frozen=True)
class Material:
    """The input of a service's files. `secrets`: those that the service names (`dive_infra.config.credentials`).

    `policy_keys`: country -> public key (PEM) that verifies what the country signs: at the hub those of all members,
    which ask for policies; at a spoke that of the hub, which signs them. `coalition`: at the hub, the signed document.
    """

    secrets: Mapping[str, str]
    certificate: str  # PEM chain
    key: str  # PEM
    ca: str  # PEM
    policy_keys: Mapping[str, str] = field(default_factory=dict[str, str])
    coalition: str = ""

    def tls(self) -> dict[str, str]:
        """Return the three files that every TLS server and client here needs."""
        return {CERTIFICATE: self.certificate, KEY: self.key, CA: self.ca}


@dataclass(frozen=True)
class HealthCheck:
    """The health check of a container; times in seconds. `test` runs without a shell unless it starts with one.

    The interval is that of a running service: each check of 18 containers starts a process. A starting one is checked
    more often (`engines.docker.containers`).
    """

    test: tuple[str, ...]
    interval: int = 30
    timeout: int = 5
    retries: int = 3
    start_period: int = 60

    @property
    def deadline(self) -> int:
        """Return the seconds within which a started service must become healthy."""
        return self.start_period + self.interval * self.retries


def https_health(host: str, port: int, path: str) -> HealthCheck:
    """Return the check of a container with Python: its server answers 200, with a certificate of `host`."""
    asks = _ASKS.format(ca=CA, address=LOOPBACK, host=host, port=port, path=path)
    return HealthCheck(("python", "-I", "-S", "-c", asks))


@dataclass(frozen=True)
class ServiceSpec:
    """One container of a country.

    `files` returns absolute path -> text below `/etc/dive`. They are written to a volume of their own, owned by `uid`,
    mode 0400, mounted read-only, and contain only the `secrets` that are named. `environment` never holds a secret.
    `live` are those of them that the service reads again when they change: they are updated while it runs, any other
    change makes another container.
    `needs` names services of the same country that must be healthy before this one starts. `linked`: the countries
    with which it exchanges requests, on whose links' networks it therefore is. `hosts`: names of a hub elsewhere that
    the service asks -> address; another address makes another container.
    """

    name: str
    image: str
    uid: int
    health: HealthCheck
    files: Callable[[Material], Mapping[str, str]] = Material.tls
    live: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    service_class: ServiceClass = "core"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    data: str | None = None  # where the data volume is mounted
    copies: str | None = None  # where a volume is mounted that outlives the container, and may be lost
    tmpfs: tuple[str, ...] = ("/tmp",)  # writable places of the user, in memory
    read_only: bool = True
    memory_mb: int = 256
    cpus: float = 1.0
    pids: int = 200
    needs: tuple[str, ...] = ()
    linked: Linked = "none"
    hosts: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_grace: int = 10  # seconds
