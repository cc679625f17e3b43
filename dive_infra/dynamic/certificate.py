"""A certificate of the coalition: a root, an authority or a leaf; what has an issuer is renewed before it expires."""

from collections.abc import Sequence

import pulumi
from pulumi.dynamic import Resource

from dive_infra.crypto import pki
from dive_infra.dynamic.base import Inputs, Outputs, Provider

_LEAF_DAYS, _AUTHORITY_DAYS = 365, 3650
_RENEW_DAYS = 60


class CertificateProvider(Provider):
    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        issuer = None
        if inputs.get("issuer_chain"):
            issuer = pki.Issuer(inputs["issuer_chain"], inputs["issuer_key"])
        days = _AUTHORITY_DAYS if inputs["authority"] else _LEAF_DAYS
        issued = pki.issue(inputs["subject"], days, issuer, inputs["names"], inputs["authority"])
        return inputs["subject"], {"chain": issued.chain, "key": issued.key}

    def drift_reason(self, before: Inputs) -> str | None:
        if not before.get("issuer_chain"):
            return None  # whoever trusts the root would refuse another: ./dive rotate-ca replaces it
        left = pki.days_left(before["chain"])
        return f"expires in {left:.0f} days; renewed {_RENEW_DAYS} days before" if left < _RENEW_DAYS else None


class Certificate(Resource, module="dive", name="Certificate"):
    """`chain` (PEM, the certificate and its issuers below the root) and its private `key` (PEM, secret).

    Without an issuer it is self-signed. `names`: what a leaf is valid for, or what an authority may sign for.
    """

    chain: pulumi.Output[str]
    key: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        subject: str,
        names: Sequence[str] = (),
        authority: bool = False,
        issuer_chain: pulumi.Input[str] | None = None,
        issuer_key: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "subject": subject,
            "names": list(names),
            "authority": authority,
            "issuer_chain": issuer_chain,
            "issuer_key": issuer_key,
            "chain": None,
            "key": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["key"])
        super().__init__(CertificateProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
