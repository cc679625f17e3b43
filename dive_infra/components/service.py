"""One service of a country: its files and its hardened container between a probe and a gate.

    Files ── Probe ── Container ── Gate ──> what needs this service

The probe sees before the container whether the declared one is there, the gate sees after it whether it runs and is
healthy; so a plain `pulumi up` heals a removed, edited or stopped container (see `dynamic.probe`, `dynamic.gate`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

import pulumi
import pulumi_docker as docker

from dive_infra.catalog.spec import FILES, Material, ServiceSpec
from dive_infra.dynamic.files import Files
from dive_infra.dynamic.gate import Gate
from dive_infra.dynamic.image import Image
from dive_infra.dynamic.probe import Probe
from dive_infra.machine.containers import DECLARATION
from dive_infra.naming import LOOPBACK, Names


@dataclass
class ServiceArgs:
    """What a service is made of; `needs` are the gates that must be open before its container starts.

    `stack` is the mark of the owning stack, written on every object so that two stacks of one country are noticed.
    """

    spec: ServiceSpec
    names: Names
    stack: pulumi.Input[str]
    material: pulumi.Input[Material]
    image: Image
    networks: Sequence[pulumi.Resource]
    data: docker.Volume | None = None
    needs: Sequence[pulumi.Resource] = ()


class Service(pulumi.ComponentResource):
    """A running, healthy container. `container_id` is known before the container is healthy, `ready` only after."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:Service", name, None, opts)
        spec, names = args.spec, args.names
        child = pulumi.ResourceOptions(parent=self)
        labels = names.labels(spec.name, spec.service_class) | {"dive.stack": args.stack}

        self.image = args.image

        contents = pulumi.Output.from_input(args.material).apply(lambda material: dict(spec.files(material)))
        fingerprint = pulumi.Output.unsecret(contents.apply(_fingerprint))
        self.files = Files(
            f"{name}-files",
            volume=names.files_volume(spec.name),
            labels=labels,
            owner=spec.uid,
            contents=pulumi.Output.secret(contents),
            fingerprint=fingerprint,
            image=self.image.image_id,
            opts=child,
        )
        volumes = [docker.ContainerVolumeArgs(volume_name=self.files.volume, container_path=FILES, read_only=True)]
        if args.data is not None:
            volumes.append(docker.ContainerVolumeArgs(volume_name=args.data.name, container_path=spec.data))

        networks = [names.network, *([names.shared_network] if spec.shared else [])]
        self.probe = Probe(
            f"{name}-probe",
            container=names.container(spec.name),
            image=self.image.image_id,
            declaration=pulumi.Output.all(fingerprint).apply(lambda found: _declaration(spec, names, found[0])),
            networks=networks,
            opts=child,
        )
        self.container = docker.Container(
            f"{name}-container",
            name=names.container(spec.name),
            image=self.image.image_id,
            hostname=names.container(spec.name)[:63],
            entrypoints=list(spec.entrypoint) or None,
            command=list(spec.command) or None,
            envs=[f"{k}={v}" for k, v in sorted(spec.environment.items())],
            user=f"{spec.uid}:{spec.uid}",
            read_only=spec.read_only,
            tmpfs=dict.fromkeys(spec.tmpfs, f"rw,nosuid,nodev,size=256m,uid={spec.uid},gid={spec.uid},mode=0700"),
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            memory=spec.memory_mb,
            memory_swap=spec.memory_mb,
            cpus=str(spec.cpus),
            # The gate limits processes: this provider cannot, and `nproc` would count the whole host's.
            volumes=volumes,
            ports=[
                docker.ContainerPortArgs(internal=names.port(spec.name), external=names.port(spec.name), ip=LOOPBACK)
            ],
            network_mode="bridge",
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=network, aliases=_aliases(spec, names, network))
                for network in networks
            ],
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", *spec.health.test],
                interval=_duration(spec.health.interval),
                timeout=_duration(spec.health.timeout),
                start_period=_duration(spec.health.start_period),
                retries=spec.health.retries,
            ),
            restart="unless-stopped",
            destroy_grace_seconds=spec.stop_grace,
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "3"},
            must_run=True,
            wait=False,
            labels=[
                *(docker.ContainerLabelArgs(label=k, value=v) for k, v in labels.items()),
                docker.ContainerLabelArgs(label=DECLARATION, value=self.probe.declaration),
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.networks, self.files, self.probe, *args.needs],
                delete_before_replace=True,
                replacement_trigger=self.probe.generation,
                # The provider takes a changed health check for an update in place, which changes nothing.
                replace_on_changes=["healthcheck"],
            ),
        )
        self.gate = Gate(
            f"{name}-gate",
            container=names.container(spec.name),
            container_id=self.container.id,
            service_class=spec.service_class,
            processes=spec.pids,
            deadline=spec.health.start_period + spec.health.interval * spec.health.retries,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.container]),
        )
        self.container_id = self.container.id
        self.ready = self.gate.ready
        self.register_outputs({"container": self.container.name, "id": self.container_id})


def _aliases(spec: ServiceSpec, names: Names, network: str) -> list[str]:
    host = names.host(spec.name)
    # On the network between countries a bare service name would mean several containers.
    return [host] if network == names.shared_network else [host, spec.name]


def _duration(seconds: int) -> str:
    """`2m0s`: as the engine tells it back; any other spelling would be a difference in every preview."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _fingerprint(contents: Mapping[str, str]) -> str:
    return sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:16]


def _declaration(spec: ServiceSpec, names: Names, files: str) -> str:
    """A hash of all that is declared of a container, beside its image: it stands on the container as a label."""
    plain = {k: v for k, v in asdict(spec).items() if k not in ("files", "image")}
    plain |= {"files": files, "port": names.port(spec.name)}
    return sha256(json.dumps(plain, sort_keys=True, default=list).encode()).hexdigest()[:16]
