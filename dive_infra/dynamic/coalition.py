"""The coalition document: the hub makes it, and each spoke notes the last one that it accepted."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pulumi
from pulumi.dynamic import DiffResult, Resource

from dive_infra.crypto import pki
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError
from dive_infra.membership import authority, document, files, request
from dive_infra.membership.canonical import canonical
from dive_infra.membership.document import Agreement, Coalition, Member, Seen
from dive_infra.membership.fields import parsed
from dive_infra.membership.refusals import MembershipError, Source
from dive_infra.membership.request import Request
from dive_infra.results.remedy import NO_REMEDY, Remedy
from dive_infra.results.text import now

_LIFETIME, _RENEWED = timedelta(days=180), timedelta(days=120)  # renewed by an update when less than that is left
_CA_DAYS, _CA_RENEWED = 3650, 60


class MemberAuthorityProvider(Provider):
    """Inputs: `country`, `zone` and, unless on loopback, `address`; the `signing_request` of its CA, and the
    coalition's root certificate and key (PEM)."""

    replaces = ("country",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        root = pki.Issuer(inputs["root_chain"], inputs["root_key"])
        code, zone = inputs["country"], inputs["zone"]
        asked, address = inputs["signing_request"], inputs.get("address", "")
        certificate = authority.certificate_for(asked, code, zone, _CA_DAYS, root, address)
        return code, {"certificate": certificate}

    def drift_reason(self, before: Inputs) -> str | None:
        left = pki.days_left(before["certificate"])
        return f"expires in {left:.0f} days; renewed {_CA_RENEWED} days before" if left < _CA_RENEWED else None


class MemberAuthority(Resource, module="dive", name="MemberAuthority"):
    """`certificate` (PEM) of a member's CA, signed by the coalition's root for the key in the member's request."""

    certificate: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        asked: Request,
        root: tuple[pulumi.Input[str], pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "country": asked.country,
            "zone": asked.zone,
            "signing_request": asked.signing_request,
            "root_chain": root[0],
            "root_key": root[1],
            "certificate": None,
        }
        if asked.address:
            props["address"] = asked.address
        super().__init__(MemberAuthorityProvider(), name, props, opts)


class CoalitionDocumentProvider(Provider):
    """Inputs: `namespace`; `authority`: the root certificates; `coalition_key`; by country `requests` (texts),
    `certificates` of the CA, and stated `agreements` (texts), without which there is no such input."""

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["namespace"], _issued(inputs, None)

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        return _issued(inputs, _document(before))

    def changed_inputs(self, before: Inputs, now: Inputs) -> list[str]:
        return super().changed_inputs(before, {"agreements": None, **now})  # the last one may have been withdrawn

    def drift_reason(self, before: Inputs) -> str | None:
        path = files.document_file()
        if not path.exists():
            return f"{path.name} does not exist"
        if path.read_text() != before["text"]:
            return f"{path.name} is not the document that was issued"
        left = _document(before).expires - now()
        return f"expires in {left.days} days; renewed {_RENEWED.days} days before" if left < _RENEWED else None


def _issued(inputs: Inputs, previous: Coalition | None) -> Outputs:
    """Issue the next document, and write it."""
    agreements = {code: _agreement(text) for code, text in (inputs.get("agreements") or {}).items()}
    members = {
        code: Member.of(
            request.read(text.encode(), request.file_name(code)),
            inputs["certificates"][code],
            agreements.get(code, Agreement()),
        )
        for code, text in inputs["requests"].items()
    }
    authorities = pki.certificates(inputs["authority"])
    if previous and not {*previous.authorities} & {*authorities}:
        raise ProviderError(
            "the last document has another CA, so every connection in the coalition would be refused",
            Remedy.decide("restore dive:authorities of the hub, then: ./dive rotate-ca --begin"),
            expected="a CA that members trust already, beside the new one",
        )
    coalition = document.issue(previous, inputs["namespace"], authorities, members, now(), _LIFETIME)
    content = document.sign(coalition, inputs["coalition_key"])
    files.write(files.document_file(), content)
    return {"text": content.decode(), "serial": coalition.serial}


def _agreement(text: str) -> Agreement:
    return parsed(Agreement, json.loads(text), Source("dive:agreements", NO_REMEDY))


def _document(before: Inputs) -> Coalition:
    """Return the document in a state, which this country has written."""
    return document.latest(before["text"].encode())


class CoalitionDocument(Resource, module="dive", name="CoalitionDocument"):
    """`text` is the signed document, `serial` its number; each new one is also written to `members/coalition.json`."""

    text: pulumi.Output[str]
    serial: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        namespace: str,
        requests: Mapping[str, str],
        certificates: Mapping[str, pulumi.Input[str]],
        agreements: Mapping[str, Agreement],
        root: pulumi.Input[str],
        coalition_key: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "namespace": namespace,
            "authority": root,
            "requests": dict(requests),
            "certificates": dict(certificates),
            "coalition_key": coalition_key,
            "text": None,
            "serial": None,
        }
        if agreements:
            # As text: Pulumi makes a float of each number.
            props["agreements"] = {code: canonical(one.plain()).decode() for code, one in agreements.items()}
        super().__init__(CoalitionDocumentProvider(), name, props, opts)


class MembershipProvider(Provider):
    """Inputs: `country`, and the `serial` and `digest` of the document that the program has verified."""

    deploys = False  # the phases say what a new document changes
    replaces = ("country",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["country"], {}

    def diff(self, _id: str, _olds: Outputs, _news: Outputs) -> DiffResult:
        try:
            document.check_order(_seen(_news), _seen(_olds))
        except MembershipError as error:
            raise ProviderError(error.cause, error.remedy, error.code, error.expected) from None
        return super().diff(_id, _olds, _news)


def _seen(properties: Mapping[str, Any]) -> Seen:
    return Seen(int(properties["serial"]), properties["digest"])


class Membership(Resource, module="dive", name="Membership"):
    """The last coalition document that a spoke accepted; an older one is refused before anything is changed."""

    def __init__(
        self, name: str, country: str, coalition: Coalition, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        seen = Seen.of(coalition)
        props = {"country": country, "serial": seen.serial, "digest": seen.digest}
        super().__init__(MembershipProvider(), name, props, opts)
