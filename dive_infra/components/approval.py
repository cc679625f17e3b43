"""A country's grant: what the hub creates for a country that it approves, and what a spoke starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
from pulumi.output import UNKNOWN

from dive_infra.components.certificates import Authority, IssuedBy
from dive_infra.components.secrets import Secrets
from dive_infra.components.values import secret
from dive_infra.config import environment
from dive_infra.config.countries import HUB
from dive_infra.config.credentials import issued
from dive_infra.config.naming import Names
from dive_infra.identity.opal_token import mint_opal_token
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import UP, Remedy

# The hub's own secret that a spoke needs to prove the link: the password of the users who log in at its portal.
PROOF = ("test-users",)


@dataclass
class Grant:
    """A country's place in the coalition: the coalition's CA, its own issuer, its credentials at the hub.

    `secrets` is keyed as in `dive_infra.config.credentials`. `keycloak`, at the hub, is where it expects the country's.
    `hub_key` verifies the hub's policies; empty if an earlier program deployed the hub.
    """

    ca: pulumi.Input[str]
    issuer: IssuedBy
    secrets: Mapping[str, pulumi.Output[str]]
    keycloak: str = ""
    hub_key: pulumi.Input[str] = ""

    def export(self) -> dict[str, Any]:
        """Return the grant as an output of the hub; all of it is secret."""
        issuer = {"issuerChain": self.issuer.chain, "issuerKey": self.issuer.key}
        return {**issuer, "secrets": dict(self.secrets), "keycloak": self.keycloak, "hubKey": self.hub_key}


_USED = ("keycloak", "backend", "frontend")  # services of the hub at which a spoke's phases and users arrive
_GRANTED = (*(c.name for c in issued()), *PROOF)


def received(hub: pulumi.StackReference, names: Names, hub_stack: str) -> Grant:
    """Return the grant of a country from the hub's outputs; fail with the way to approve it if there is none."""
    code = names.country.code

    def mine(outputs: Sequence[Any]) -> Mapping[str, Any]:
        grants: Mapping[str, Any] | None = outputs[0]
        if grants is None:
            raise _refused(f"the hub ({hub_stack}) is not deployed, so it approves no country", "pulumi up of the hub")
        if code not in grants:
            raise _refused(
                f"the hub ({hub_stack}) does not approve {code}; approved: {', '.join(grants) or 'none'}",
                f"add {code} to dive:spokes of the hub's stack and run `pulumi up` there",
            )
        found: Mapping[str, Any] = grants[code]
        if differing := disagreement(names, found.get("keycloak"), outputs[1] or {}):
            raise _refused(*differing)
        return found

    grant = secret(pulumi.Output.all(hub.get_output("grants"), hub.get_output("urls")).apply(mine))

    def of(name: str) -> pulumi.Output[str]:
        return grant.apply(lambda found: str(found["secrets"][name]))

    return Grant(
        hub.get_output("ca_certificate"),
        IssuedBy(grant.apply(lambda g: str(g["issuerChain"])), grant.apply(lambda g: str(g["issuerKey"]))),
        {name: of(name) for name in _GRANTED},
        hub_key=grant.apply(lambda found: str(found.get("hubKey", ""))),
    )


def disagreement(names: Names, expected: str | None, hub_urls: Mapping[str, str]) -> tuple[str, str] | None:
    """Return where hub and spoke disagree about an address, and what to do; None if they agree.

    Each computes the other's addresses from its own settings. `expected` is where the hub expects the spoke's Keycloak,
    `hub_urls` are its own by service; a hub that an earlier program deployed does not say so.
    """
    code, own, hub = names.country.code, names.url("keycloak"), names.of(HUB)
    if expected and expected != own:
        return (
            f"keycloak of {code} would be at {own}, and the hub expects it at {expected}",
            f"set it back, or tell the hub: dive:partnerPorts.{code} there, `pulumi up -s {HUB.lower}`, then: {UP}",
        )
    for service in _USED:
        if hub_urls.get(service, hub.url(service)) != hub.url(service):
            return (
                f"{service} of the hub is at {hub_urls[service]}, and {code} expects it at {hub.url(service)}",
                f"set dive:partnerPorts.{HUB.code}.{service} to the hub's port, or set it back at the hub, then: {UP}",
            )
    return None


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
    return Grant(unknown(), IssuedBy(unknown(), secret(unknown())), kept, hub_key=unknown())


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
        code = names.country.code
        opal_token = hub_secrets.values["opal-key"].apply(lambda key: mint_opal_token(key, code))
        self.grant = Grant(
            authority.certificate,
            authority.issuer_of(names),
            {"opal-token": secret(opal_token)} | {name: hub_secrets.values[name] for name in PROOF},
            names.url("keycloak"),
            hub_secrets.public["opal-key"],
        )
        self.register_outputs({})
