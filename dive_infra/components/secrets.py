"""The secrets of a country: from the configuration, else generated once."""

from collections.abc import Mapping

import pulumi
from pydantic import SecretStr

from dive_infra.components.values import unknown
from dive_infra.config.credentials import Credential
from dive_infra.crypto import pki
from dive_infra.dynamic.secret import GeneratedSecret


class Secrets(pulumi.ComponentResource):
    """`values`: credential -> its secret value; `public`: credential that is a key -> its public key (PEM)."""

    def __init__(
        self,
        name: str,
        credentials: list[Credential],
        given: Mapping[str, SecretStr],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dive:components:Secrets", name, None, opts)
        self.values: dict[str, pulumi.Output[str]] = {}
        self.public: dict[str, pulumi.Output[str]] = {}
        for credential in credentials:
            if credential.name in given:
                value = given[credential.name].get_secret_value()
                self.values[credential.name] = pulumi.Output.secret(value)
                if credential.kind == "rsa":
                    self.public[credential.name] = pulumi.Output.from_input(pki.public_key(value))
                continue
            if credential.enrolled:  # a preview that may not read it
                self.values[credential.name] = self.public[credential.name] = pulumi.Output.secret(unknown())
                continue
            made = GeneratedSecret(f"{name}-{credential.name}", credential.kind, pulumi.ResourceOptions(parent=self))
            self.values[credential.name] = made.value
            if credential.kind == "rsa":
                self.public[credential.name] = made.public
        # By name, whether given or generated: `./dive reload-secrets` reads the current values here.
        self.register_outputs({"values": pulumi.Output.secret(self.values)})
