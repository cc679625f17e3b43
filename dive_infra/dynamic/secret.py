"""A generated secret: created once, stored only in the stack's encrypted state."""

import pulumi
from pulumi.dynamic import Resource

from dive_infra.config.credentials import generate_password
from dive_infra.crypto import pki
from dive_infra.dynamic.base import Inputs, Outputs, Provider


class SecretProvider(Provider):
    replaces = ("kind",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        if inputs["kind"] == "rsa":
            key = pki.rsa_key()
            return "rsa", {"value": key, "public": pki.public_key(key)}
        return inputs["kind"], {"value": generate_password(inputs["kind"]), "public": ""}

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        return {"value": before["value"], "public": before["public"]}


class GeneratedSecret(Resource, module="dive", name="Secret"):
    """`value` by `dive_infra.config.credentials.Kind`; `public` is the public half (PEM) of an RSA key."""

    value: pulumi.Output[str]
    public: pulumi.Output[str]

    def __init__(self, name: str, kind: str, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        props = {"kind": kind, "value": None, "public": None}
        super().__init__(SecretProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
