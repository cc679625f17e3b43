"""Services as their specs say, on a real engine, without Pulumi: for tests of images and of what runs in them."""

import re
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from ipaddress import ip_address

import docker
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from docker.models.containers import Container
from docker.types import Healthcheck, Mount

from dive_infra.catalog.spec import FILES, Material, ServiceSpec
from dive_infra.config.naming import LOOPBACK, SERVICES, Names
from dive_infra.engines.docker.containers import await_healthy
from dive_infra.images.resolution import resolve

MEGABYTE = 1024 * 1024
NANOSECONDS = 1_000_000_000
_SHARES = 512  # of the 1024 of a coalition's container: its tests take longest, and its services have time limits


def certificates(*countries: Names) -> tuple[str, str, str]:
    """A throw-away CA and a certificate of all names of the countries: PEM of certificate chain, key, CA."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test coalition")])
    now = datetime.now(UTC)

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey, days: int = 1) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=days))
        )

    authority = (
        builder(issuer, ca_key.public_key(), days=3650)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = [
        make(service) for country in countries for make in (country.host, country.container) for service in SERVICES
    ]
    hosts = ["localhost", *names]
    alternatives = [*map(x509.DNSName, hosts), x509.IPAddress(ip_address(LOOPBACK))]
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, countries[0].zone)]), key.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    ca = authority.public_bytes(Encoding.PEM).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return leaf.public_bytes(Encoding.PEM).decode() + ca, private, ca


@dataclass
class Lab:
    """One country's network and the containers started in it; `seconds` is how long each took to be healthy."""

    engine: docker.DockerClient
    names: Names
    material: Material
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    _undo: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])

    def start(self, spec: ServiceSpec, within: float = 180) -> Container:
        """Start the service exactly as the spec says and wait until it is healthy."""
        names = self.names
        image = resolve(self.engine, spec.name, spec.image).id
        mounts = [Mount(FILES, self.write_files(spec, image), read_only=True)]
        if spec.data:
            mounts.append(Mount(spec.data, self._volume(names.data_volume(spec.name))))
        if spec.copies:
            mounts.append(Mount(spec.copies, self._volume(names.copies_volume(spec.name))))
        port = names.port(spec.name)
        check = spec.health
        container = self.engine.containers.create(
            image,
            list(spec.command) or None,
            entrypoint=list(spec.entrypoint) or None,
            name=names.container(spec.name),
            user=f"{spec.uid}:{spec.uid}",
            environment=dict(spec.environment),
            mounts=mounts,
            tmpfs=dict.fromkeys(spec.tmpfs, f"uid={spec.uid},gid={spec.uid},mode=0700"),
            read_only=spec.read_only,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=spec.memory_mb * MEGABYTE,
            nano_cpus=int(spec.cpus * NANOSECONDS),
            cpu_shares=_SHARES,
            pids_limit=spec.pids,
            ports={f"{port}/tcp": (LOOPBACK, port)},
            network=names.network,
            healthcheck=Healthcheck(
                test=["CMD", *check.test],
                interval=check.interval * NANOSECONDS,
                timeout=check.timeout * NANOSECONDS,
                retries=check.retries,
                start_period=check.start_period * NANOSECONDS,
            ),
        )
        self._undo.append(lambda: container.remove(force=True, v=True))
        network = self.engine.networks.get(names.network)
        network.disconnect(container)
        network.connect(container, aliases=[names.host(spec.name), spec.name])
        began = time.monotonic()
        container.start()
        await_healthy(self.engine, names.container(spec.name), within)
        self.seconds[spec.name] = round(time.monotonic() - began, 1)
        return container

    def write_files(self, spec: ServiceSpec, image: str) -> str:
        """A volume with the spec's files, of its user alone. Filled through a container that never runs."""
        volume = self._volume(self.names.files_volume(spec.name))
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path, text in spec.files(self.material).items():
                content = text.encode()
                entry = tarfile.TarInfo(path.removeprefix(f"{FILES}/"))
                entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o400, spec.uid, spec.uid
                tar.addfile(entry, BytesIO(content))
        carrier = self.engine.containers.create(image, ["-"], mounts=[Mount(FILES, volume)])
        try:
            carrier.put_archive(FILES, packed.getvalue())
        finally:
            carrier.remove(v=True)
        return volume

    def _volume(self, name: str) -> str:
        if not any(v.name == name for v in self.engine.volumes.list(filters={"name": name})):
            volume = self.engine.volumes.create(name)
            self._undo.insert(0, lambda: volume.remove(force=True))
        return name

    def close(self) -> None:
        """Remove everything, containers before volumes."""
        while self._undo:
            self._undo.pop()()


def clear(engine: docker.DockerClient, kind: str, value: str) -> None:
    """Remove what an earlier, interrupted run of tests left: what Docker's filter `kind` (name, label) finds."""
    filters = {kind: value}
    for container in engine.containers.list(all=True, filters=filters):
        container.remove(force=True, v=True)
    for volume in engine.volumes.list(filters=filters):
        volume.remove(force=True)
    for network in engine.networks.list(filters=filters):
        network.remove()


@contextmanager
def lab(engine: docker.DockerClient, names: Names, secrets: Mapping[str, str]) -> Iterator[Lab]:
    """A country's network with nothing in it yet; everything started in it is removed at the end."""
    clear(engine, "name", f"^/?{re.escape(names.prefix)}(-|$)")
    certificate, key, ca = certificates(names)
    network = engine.networks.create(names.network)
    there = Lab(engine, names, Material(secrets, certificate, key, ca))
    try:
        yield there
    finally:
        there.close()
        network.remove()
