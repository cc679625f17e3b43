"""The data volumes of a country: they outlive every container, and by default every mistake."""

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from dive_infra.catalog.spec import ServiceSpec
from dive_infra.naming import Names


class Storage(pulumi.ComponentResource):
    """`volumes`: service -> its data volume, protected unless the stack is disposable."""

    def __init__(
        self,
        name: str,
        names: Names,
        stack: pulumi.Input[str],
        specs: Sequence[ServiceSpec],
        disposable: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dive:components:Storage", name, None, opts)
        self.volumes: dict[str, docker.Volume] = {}
        for spec in (s for s in specs if s.data):
            labels = names.labels(spec.name, spec.service_class) | {"dive.stack": stack}
            self.volumes[spec.name] = docker.Volume(
                f"{name}-{spec.name}",
                name=names.data_volume(spec.name),
                labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in labels.items()],
                opts=pulumi.ResourceOptions(parent=self, protect=not disposable),
            )
        self.register_outputs({"volumes": sorted(self.volumes)})
