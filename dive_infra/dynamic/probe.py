"""Stands before a container and asks the engine whether the declared one is there.

Its `generation` is the container's replacement trigger: a container that was removed, or made anew by hand with another
image, declaration or network, is replaced by a plain `pulumi up`, which alone would see nothing.
"""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.machine import engine
from dive_infra.machine.containers import DECLARATION, look


class ProbeProvider(Provider):
    replaces = ("container",)

    def make(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["container"], {"generation": 0}

    def drift(self, before: Inputs) -> str | None:
        now = look(engine.client(), before["container"])
        if not now.exists:
            return "is not there"
        if now.image != before["image"]:
            return f"runs image {now.image[:19]}, declared is {before['image'][:19]}"
        if now.labels.get(DECLARATION) != before["declaration"]:
            return "is not the declared container: its label differs"
        missing = set(before["networks"]) - set(now.networks)
        return f"is not connected to network {', '.join(sorted(missing))}" if missing else None

    def mend(self, inputs: Inputs, before: Inputs) -> Outputs:
        # A change of the declaration replaces the container by itself; only drift needs the trigger.
        drifted = self.drift(before) is not None
        return {"generation": int(before["generation"]) + drifted}


class Probe(Resource, module="dive", name="Probe"):
    generation: pulumi.Output[int]
    declaration: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        container: str,
        image: pulumi.Input[str],
        declaration: pulumi.Input[str],
        networks: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "container": container,
            "image": image,
            "declaration": declaration,
            "networks": list(networks),
            "generation": None,
        }
        super().__init__(ProbeProvider(), name, props, opts)
