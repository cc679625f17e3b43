"""A country's grant: what the hub creates for a country that it approves, and what a spoke starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pulumi
from pulumi.output import UNKNOWN

from dive_infra.components.certificates import Authority, IssuedBy
from dive_infra.components.secrets import Secrets
from dive_infra.components.values import secret
from dive_infra.config import environment
from dive_infra.config.credentials import issued
from dive_infra.config.naming import Names
from dive_infra.identity.opal_token import mint_opal_token
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

# The hub's own secret that a spoke needs to prove the link: the password of the users who log in at its portal.
PROOF = ("test-users",)


@dataclass
class Grant:
    """A country's place in the coalition: the coalition's CA, its own issuer, its credentials at the hub.

    `secrets` is keyed as in `dive_infra.config.credentials`.
    """

    ca: pulumi.Input[str]
    issuer: IssuedBy
    secrets: Mapping[str, pulumi.Output[str]]

    def export(self) -> dict[str, Any]:
        """Return the grant as an output of the hub; all of it is secret."""
        return {"issuerChain": self.issuer.chain, "issuerKey": self.issuer.key, "secrets": dict(self.secrets)}


_GRANTED = (*(c.name for c in issued()), *PROOF)


def received(hub: pulumi.StackReference, names: Names, hub_stack: str) -> Grant:
    """Return the grant of a country from the hub's outputs; fail with the way to approve it if there is none."""
    code = names.country.code

    def mine(grants: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if grants is None:
            raise _refused(f"the hub ({hub_stack}) is not deployed, so it approves no country", "pulumi up of the hub")
        if code not in grants:
            raise _refused(
                f"the hub ({hub_stack}) does not approve {code}; approved: {', '.join(grants) or 'none'}",
                f"add {code} to dive:spokes of the hub's stack and run `pulumi up` there",
            )
        found: Mapping[str, Any] = grants[code]
        return found

    grant = secret(hub.get_output("grants").apply(mine))

    def of(name: str) -> pulumi.Output[str]:
        return grant.apply(lambda found: str(found["secrets"][name]))

    return Grant(
        hub.get_output("ca_certificate"),
        IssuedBy(grant.apply(lambda g: str(g["issuerChain"])), grant.apply(lambda g: str(g["issuerKey"]))),
        {name: of(name) for name in _GRANTED},
    )


def _refused(cause: str, decision: str) -> pulumi.RunError:
    """Return an error that Pulumi shows without a traceback."""
    return pulumi.RunError(str(DiveError(cause, Remedy.decide(decision))))


def assumed() -> Grant | None:
    """Return a grant with unknown values in a preview that may assume one, else None. An update assumes none."""
    if not (environment.assumes_grant() and pulumi.runtime.is_dry_run()):
        return None

    def unknown() -> pulumi.Output[str]:
        return pulumi.Output.from_input(cast(str, UNKNOWN))

    kept = {name: secret(unknown()) for name in _GRANTED}
    return Grant(unknown(), IssuedBy(unknown(), secret(unknown())), kept)


class Approval(pulumi.ComponentResource):
    """The approval of one country, which creates its `grant`."""

    def __init__(
        self,
        name: str,
        names: Names,
        authority: Authority,
        hub_secrets: Secrets,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dive:components:Approval", name, None, opts)
        made = Secrets(name, [c for c in issued() if c.kind != "derived"], {}, pulumi.ResourceOptions(parent=self))
        code = names.country.code
        opal_token = hub_secrets.values["opal-key"].apply(lambda key: mint_opal_token(key, code))
        self.grant = Grant(
            authority.certificate,
            authority.issuer_of(names),
            made.values | {"opal-token": secret(opal_token)} | {name: hub_secrets.values[name] for name in PROOF},
        )
        self.register_outputs({})
