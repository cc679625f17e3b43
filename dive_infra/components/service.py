"""One service of a country: its files and its hardened container between a probe and a gate.

    Files ── Probe ── Container ── LinkEnds ── Gate ──> what needs this service

The files and the probe check before the container whether it exists as declared, the gate checks after it whether it
runs and is healthy. A service that serves or asks partners is put on the networks of their links in between, because
some are healthy only then. A plain `pulumi up` thereby repairs a removed, edited or stopped container (`dynamic.files`,
`dynamic.probe`, `dynamic.link_ends`, `dynamic.gate`). All compare with one declaration (`engines.declaration`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import pulumi
import pulumi_docker as docker

from dive_infra.catalog.spec import FILES, Material, ServiceSpec
from dive_infra.config.naming import STACK_LABEL, Names
from dive_infra.dynamic.files import LIVE, LiveFiles, ServiceFiles
from dive_infra.dynamic.gate import Gate
from dive_infra.dynamic.image import Image
from dive_infra.dynamic.link_ends import LinkEnds
from dive_infra.dynamic.probe import Probe
from dive_infra.engines.declaration import complete, declare
from dive_infra.engines.docker.units import RESTART


@dataclass
class ServiceArgs:
    """What a service consists of; `needs` are the resources that its container waits for.

    `stack` is the mark of the owning stack, a label of every object, so that a second stack of the country is noticed.
    `links`: the networks of links that a linked service is on now, each with its name there.
    `coalition`: the document that a live file holds; a preview may not know it, and no container depends on it.
    `begins_with`: incarnations of its data; the container is replaced when lost data was accepted as lost.
    """

    spec: ServiceSpec
    names: Names
    stack: pulumi.Input[str]
    material: pulumi.Input[Material]
    image: Image
    networks: Sequence[pulumi.Resource]
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    coalition: pulumi.Input[str] = ""
    begins_with: Sequence[pulumi.Output[int]] = ()
    needs: Sequence[pulumi.Resource] = ()


class Service(pulumi.ComponentResource):
    """A running, healthy container. `container_id` is known before the container is healthy, `ready` only after."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:Service", name, None, opts)
        spec, names = args.spec, args.names
        child = pulumi.ResourceOptions(parent=self)
        self.image = args.image
        shape = declare(spec, names)

        material = pulumi.Output.from_input(args.material)
        fixed = material.apply(lambda found: {**spec.files(found), **dict.fromkeys(spec.live, LIVE)})
        fingerprint = pulumi.Output.unsecret(fixed.apply(_fingerprint))
        volume = fingerprint.apply(lambda digest: f"{names.files_volume(spec.name)}-{digest[:8]}")
        self.declared = pulumi.Output.all(self.image.image_id, volume, args.stack).apply(
            lambda found: complete(shape, *found).plain()
        )
        self.files = ServiceFiles(f"{name}-files", volume, spec.uid, pulumi.Output.secret(fixed), self.declared, child)
        self.files_digest, written = self.files.digest, list[pulumi.Resource]([self.files])
        if spec.live:
            contents = pulumi.Output.all(material, args.coalition).apply(
                lambda found: dict(spec.files(replace(found[0], coalition=found[1])))
            )
            live = LiveFiles(
                f"{name}-live", self.files, spec.uid, pulumi.Output.secret(contents), spec.live, self.declared, child
            )
            self.files_digest = live.digest
            written.append(live)
        self.probe = Probe(f"{name}-probe", shape.name, self.declared, child)
        self.container = docker.Container(
            f"{name}-container",
            name=shape.name,
            image=self.image.image_id,
            hostname=shape.hostname,
            entrypoints=list(shape.entrypoint) or None,
            command=list(shape.command) or None,
            envs=[f"{k}={v}" for k, v in sorted(shape.environment.items())],
            user=shape.user,
            read_only=shape.read_only,
            tmpfs=dict(shape.tmpfs),
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            memory=spec.memory_mb,
            memory_swap=spec.memory_mb,
            cpus=str(spec.cpus),
            # The gate limits processes: this provider cannot, and `nproc` counts the processes of the whole host.
            volumes=[
                docker.ContainerVolumeArgs(volume_name=self.files.volume, container_path=FILES, read_only=True),
                *(docker.ContainerVolumeArgs(volume_name=v, container_path=k) for k, v in shape.mounts.items()),
            ],
            ports=[docker.ContainerPortArgs(internal=port, external=port, ip=shape.published) for port in shape.ports],
            hosts=[docker.ContainerHostArgs(host=host, ip=at) for host, at in sorted(shape.hosts.items())] or None,
            network_mode="bridge",
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=network, aliases=list(aliases))
                for network, aliases in shape.networks.items()
            ],
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", *spec.health.test],
                interval=_duration(spec.health.interval),
                timeout=_duration(spec.health.timeout),
                start_period=_duration(spec.health.start_period),
                retries=spec.health.retries,
            ),
            restart=RESTART,
            destroy_grace_seconds=spec.stop_grace,
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "3"},
            must_run=True,
            wait=False,
            labels=[
                docker.ContainerLabelArgs(label=k, value=v)
                for k, v in {**shape.labels, STACK_LABEL: args.stack}.items()
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.networks, *written, self.probe, *args.needs],
                delete_before_replace=True,
                # A changed declaration replaces the container; a preview knows no output of the probe that takes it on.
                replacement_trigger=[
                    self.declared.apply(_fingerprint),
                    self.probe.generation,
                    self.files.generation,
                    *args.begins_with,
                ],
                # The provider plans a changed health check as an update in place, which has no effect.
                replace_on_changes=["healthcheck"],
            ),
        )
        joined: list[pulumi.Resource] = []
        if spec.linked != "none":
            after = pulumi.ResourceOptions(parent=self, depends_on=[*args.networks, self.container])
            links = LinkEnds(f"{name}-links", shape.name, self.container.id, names.namespace, args.links, after)
            joined.append(links)
        self.gate = Gate(
            f"{name}-gate",
            container=shape.name,
            container_id=self.container.id,
            address=names.published,
            service_class=spec.service_class,
            declared=self.declared,
            deadline=spec.health.deadline,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.container, *joined]),
        )
        self.container_id = self.container.id
        self.ready = self.gate.ready
        self.register_outputs({"container": self.container.name, "id": self.container_id})


def _duration(seconds: int) -> str:
    """Return `2m0s`, the engine's own spelling; any other would be a difference in every preview."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _fingerprint(contents: Mapping[str, Any]) -> str:
    return sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:16]
