"""The identity of a deployment: an id that exists only in the stack's state."""

import secrets

import pulumi
from pulumi.dynamic import Resource

from dive_infra.dynamic.base import Inputs, Outputs, Provider


class StackIdentityProvider(Provider):
    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        name = f"{inputs['stack']}-{secrets.token_hex(4)}"
        return name, {"mark": name}

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        return {"mark": before["mark"]}


class StackIdentity(Resource, module="dive", name="StackIdentity"):
    """`mark` (`fra-1b2c3d4e`) is the label `dive.stack` of every Docker object that this stack owns.

    A second checkout has its own state and so another mark; PREFLIGHT refuses it.
    """

    mark: pulumi.Output[str]

    def __init__(self, name: str, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(StackIdentityProvider(), name, {"stack": stack, "mark": None}, opts)
