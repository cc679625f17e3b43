"""The volumes of a country that outlive containers: data, protected by default, and copies."""

from collections.abc import Sequence

import pulumi

from dive_infra.catalog.spec import ServiceSpec
from dive_infra.config.naming import STACK_LABEL, Names
from dive_infra.dynamic.data_volume import Contents, CopiesVolume, DataVolume


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
        self.volumes: dict[str, DataVolume] = {}
        self._inside: dict[str, pulumi.ResourceOptions] = {}
        for spec in specs:
            labels = names.labels(spec.name, spec.service_class) | {STACK_LABEL: stack}
            if spec.copies:
                CopiesVolume(
                    f"{name}-{spec.name}-copies",
                    names.copies_volume(spec.name),
                    labels,
                    pulumi.ResourceOptions(parent=self),
                )
            if not spec.data:
                continue
            volume_name = names.data_volume(spec.name)
            keep = pulumi.ResourceOptions(parent=self, protect=not disposable)
            volume = DataVolume(f"{name}-{spec.name}", volume_name, labels, keep)
            self.volumes[spec.name] = volume
            self._inside[spec.name] = contents(
                f"{name}-{spec.name}", volume_name, volume.incarnation, pulumi.ResourceOptions(parent=self)
            )
        self.register_outputs({"volumes": sorted(self.volumes)})

    def inside(self, service: str) -> pulumi.ResourceOptions:
        """Return the options of what is stored in a service's data volume, see `contents`."""
        return self._inside[service]


def contents(
    name: str, volume_name: str, incarnation: pulumi.Input[int], opts: pulumi.ResourceOptions
) -> pulumi.ResourceOptions:
    """Return the options of what is stored in data of one `incarnation`, and of all its children.

    It is deleted with the data without asking a server, and replaced when lost data was recreated.
    """
    # Two resources: for `deleted_with`, one replaced by `replace_with` counts as deleted, one replaced by its own diff
    # does not.
    lifetime = Contents(f"{name}-lifetime", volume_name, incarnation, opts)
    renewed = pulumi.ResourceOptions(replace_with=[lifetime])
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[lifetime], replace_with=[lifetime]))
    held = Contents(f"{name}-contents", volume_name, opts=after)

    def renew(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not isinstance(args.resource, pulumi.CustomResource) or isinstance(args.resource, pulumi.ProviderResource):
            return None
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, renewed))

    return pulumi.ResourceOptions(deleted_with=held, transformations=[renew])
