"""The data volume of a service: created once. A lost volume fails the update until its loss is accepted by name.

The volume of copies is created again without a question: its service fills it again.

Docker creates an empty volume for a container that names a lost one, and Pulumi's own resource would do the same after
a refresh. A volume with the labels of its stack was created here, or restored on purpose.
"""

from collections.abc import Mapping

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.config.environment import accepted_losses
from dive_infra.config.naming import COUNTRY_LABEL, SERVICE_LABEL, STACK_LABEL
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError, tell
from dive_infra.engines import data_loss
from dive_infra.plans import provider_messages
from dive_infra.results.remedy import UP, Remedy


class DataVolumeProvider(Provider):
    replaces = ("volume",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        _create(inputs)
        return inputs["volume"], {"incarnation": 0}

    def drift_reason(self, before: Inputs) -> str | None:
        found, mark = _found(before), before["labels"][STACK_LABEL]
        if found == mark:
            if before["volume"] in accepted_losses():
                tell(provider_messages.loss_not_needed(before["volume"]))
            return None
        lost = "is gone" if found is None else f"was recreated without its labels (stack {found or '(none)'})"
        return f"{lost}: the data of {before['labels'][SERVICE_LABEL]} is lost"

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        incarnation = int(before["incarnation"])
        reason = self.drift_reason(before)
        if reason is None:
            return {"incarnation": incarnation}
        if inputs["volume"] not in accepted_losses():
            raise _loss(inputs, reason)
        tell(provider_messages.volume_loss_accepted(inputs["volume"]))
        self.create_resource(inputs)
        return {"incarnation": incarnation + 1}

    def delete_resource(self, before: Inputs) -> None:
        engines.connect().remove("volume", before["volume"])


def _create(inputs: Inputs) -> None:
    """Create the volume unless this stack has; refuse one of another."""
    found = _found(inputs)
    if found is None:
        engines.connect().create_volume(inputs["volume"], inputs["labels"])
    elif found != inputs["labels"][STACK_LABEL]:
        raise ProviderError(
            f"volume {inputs['volume']} is of stack {found or '(none)'}, not of {inputs['labels'][STACK_LABEL]}",
            Remedy.decide(f"destroy it with the stack it names, or rename it, then: {UP}"),
        )


def _found(inputs: Inputs) -> str | None:
    """Return the stack in the labels of the live volume, empty without one; None if the volume does not exist."""
    labels = engines.connect().volume_labels(inputs["volume"])
    return None if labels is None else labels.get(STACK_LABEL, "")


def _loss(inputs: Inputs, reason: str) -> ProviderError:
    labels = inputs["labels"]
    choices = data_loss.choice(engines.connect(), inputs["volume"], labels)
    remedy = Remedy.decide(*choices, country=labels[COUNTRY_LABEL])
    return ProviderError(f"volume {inputs['volume']} {reason}; nothing was created in its place", remedy)


class DataVolume(Resource, module="dive", name="DataVolume"):
    """`incarnation` grows with every accepted loss, after which the contents have to be created again."""

    volume: pulumi.Output[str]
    incarnation: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        volume: str,
        labels: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"volume": volume, "labels": dict(labels), "incarnation": None}
        super().__init__(DataVolumeProvider(), name, props, opts)


class CopiesVolumeProvider(Provider):
    """Inputs as of `DataVolume`."""

    replaces = ("volume",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        _create(inputs)
        return inputs["volume"], {}

    def drift_reason(self, before: Inputs) -> str | None:
        return "is gone" if _found(before) is None else None

    def delete_resource(self, before: Inputs) -> None:
        engines.connect().remove("volume", before["volume"])


class CopiesVolume(Resource, module="dive", name="CopiesVolume"):
    """A volume of copies, which are lost without a loss."""

    def __init__(
        self,
        name: str,
        volume: str,
        labels: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(CopiesVolumeProvider(), name, {"volume": volume, "labels": dict(labels)}, opts)


class ContentsProvider(Provider):
    replaces = ("incarnation",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["volume"], {}


class Contents(Resource, module="dive", name="Contents"):
    """Represents the contents of a data volume, of one `incarnation` if given; it is deleted with the volume."""

    def __init__(
        self,
        name: str,
        volume: str,
        incarnation: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(ContentsProvider(), name, {"volume": volume, "incarnation": incarnation}, opts)
