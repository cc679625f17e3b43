"""What a country publishes about itself: signed with its deployer's key, with a probe person for each partner."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra.checks.spec import VerificationSpec
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.identity import users
from dive_infra.membership import ca_rotation, keys, status
from dive_infra.membership.refusals import MembershipError
from dive_infra.membership.status import IssuedProbe, ProbeLogin, PublishedPhase, PublishedStatus
from dive_infra.orchestration.overview import Overview, overview
from dive_infra.orchestration.states import State
from dive_infra.orchestration.store import Store
from dive_infra.results.text import now
from dive_infra.seeds import published
from dive_infra.seeds.store import SeedStoreAccess, connect


class PublicationProvider(Provider):
    """Inputs: names; `given`: partner -> password of its probe person; `sealing_keys`: partner -> public key;
    `deployer_key`, `mongodb` and `ca`."""

    replaces = ("country", "namespace", "domain")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        names = Names.of_plain(inputs)
        before = _stored(inputs)
        made = PublishedStatus(
            country=names.country.code,
            namespace=names.namespace,
            issued=now(),
            state=before.state if before else str(State.CONFIGURING),
            phases=before.phases if before else {},
            links={code: before.links.get(code) if before else None for code in inputs["given"]},
            probes={
                code: IssuedProbe.sealed(
                    ProbeLogin(users.probe(names, parse(code)).username, password),
                    names.country.code,
                    code,
                    inputs["sealing_keys"][code],
                )
                for code, password in inputs["given"].items()
            },
            rotation=before.rotation if before else None,
            pinned=before.pinned if before else "",
        )
        _write(inputs, made)
        return f"{names.namespace}/{names.country.code}", {}

    def drift_reason(self, before: Inputs) -> str | None:
        found = _stored(before)
        if found is None:
            return "no status of this country is published"
        return None if found.probes.keys() == before["given"].keys() else "it is not for the partners of today"


def _target(inputs: Inputs) -> SeedStoreAccess:
    return SeedStoreAccess.of(Names.of_plain(inputs), inputs["mongodb"], inputs["ca"], CHECK_REQUEST)


def _stored(inputs: Inputs) -> PublishedStatus | None:
    """Return the status that is published now; None if there is none that this country has signed."""
    names, key = Names.of_plain(inputs), keys.public_text(inputs["deployer_key"])
    with connect(_target(inputs)) as database:
        content = published.read(database)
    try:
        return status.read(content, key, names.country.code, names.namespace, now()) if content else None
    except MembershipError:
        return None


def _write(inputs: Inputs, made: PublishedStatus) -> None:
    content = status.sign(made, inputs["deployer_key"])
    with connect(_target(inputs)) as database:
        published.write(database, content)


def publish(spec: VerificationSpec, store: Store) -> None:
    """Publish what the record says now, beside the probe persons that were published before."""
    names, deployment = spec.own.names, spec.deployment
    inputs = {**names.plain(), "mongodb": deployment.mongodb, "ca": spec.ca, "deployer_key": spec.deployer_key}
    if before := _stored(inputs):
        known = store.query(lambda live: overview(live, names.country.code))
        rotations = {"rotation": ca_rotation.position(spec.ca, spec.issuer), "pinned": spec.pinned}
        _write(inputs, before.model_copy(update=_recorded(known, names.country.code) | rotations))


def _recorded(known: Overview, code: str) -> dict[str, Any]:
    return {
        "issued": now(),
        "state": str(known.current.state if known.current else State.UNKNOWN),
        "phases": {
            str(phase): PublishedPhase(status=str(step.status), completed=step.completed_at)
            for phase, step in known.steps.items()
        },
        "links": _proven(known, code),
    }


def _proven(known: Overview, code: str) -> dict[str, Any]:
    """Return partner -> when both ways of the link were last proven, None for a link that is pending."""
    ways: dict[str, list[Any]] = {}
    for link in known.links:
        partner = link.target if link.source == code else link.source
        ways.setdefault(partner, []).append(link.at if link.status == "ACTIVE" else None)
    return {partner: min(at) if all(at) else None for partner, at in ways.items()}


@dataclass(frozen=True)
class PublicationArgs:
    """`given`: partner -> password of its probe person; `sealing_keys`: partner -> public key (base64)."""

    names: Names
    given: Mapping[str, pulumi.Input[str]]
    sealing_keys: Mapping[str, str]
    deployer_key: pulumi.Input[str]
    mongodb: pulumi.Input[str]
    ca: pulumi.Input[str]


class Publication(Resource, module="dive", name="Publication"):
    """Publishes a status with a probe person for each partner; VERIFICATION adds what it has proven."""

    def __init__(self, name: str, args: PublicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        given: pulumi.Input[Mapping[str, str]] = pulumi.Output.all(**args.given) if args.given else {}
        props: dict[str, Any] = {
            **args.names.plain(),
            "given": pulumi.Output.secret(given),
            "sealing_keys": dict(args.sealing_keys),
            "deployer_key": pulumi.Output.secret(args.deployer_key),
            "mongodb": pulumi.Output.secret(args.mongodb),
            "ca": args.ca,
        }
        super().__init__(PublicationProvider(), name, props, opts)
