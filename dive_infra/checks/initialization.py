"""INITIALIZATION: networks, volumes, images and certificates exist and belong to this stack."""

from collections.abc import Sequence, Set
from functools import partial

from dive_infra.checks import objects
from dive_infra.checks.runner import Check, CheckFailed
from dive_infra.checks.spec import InitializationSpec
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import SERVICES, STACK_LABEL, between_countries
from dive_infra.crypto import pki
from dive_infra.engines import data_loss
from dive_infra.engines.engine import Engine, EngineObject
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy

_UP = Remedy.update()
_ALONE, _USERS = "only containers of the country are on its network", "network users"
_RENEWED = Remedy.update(detail="renews it")
_CA_DAYS = 365  # as long as a certificate of a service lasts: one that is issued later outlives the CA
_ROTATED = Remedy.decide("at the hub: ./dive rotate-ca --begin", country=HUB_CODE)


def checks(spec: InitializationSpec) -> list[Check]:
    return [
        Check(
            "the networks exist and belong to this stack",
            "networks",
            lambda: networks(spec),
        ),
        Check(_ALONE, _USERS, lambda: network_users(spec)),
        Check(
            "the data volumes exist and belong to this stack",
            "volumes",
            lambda: volumes(spec),
        ),
        Check("the images are on the engine", "images", lambda: images(spec.images)),
        Check(
            "the coalition's CA is valid long enough",
            "coalition CA",
            lambda: coalition_ca(spec.ca),
            advisory=True,
            subject="coalition CA",
        ),
        *(
            Check(
                f"the certificate of {service} is for its names and valid long enough",
                "certificates",
                partial(certificate, chain, {*spec.names.certified(service)}, spec.days),
                subject=f"certificate of {service}",
            )
            for service, chain in spec.certificates.items()
        ),
        *(
            Check(
                f"the issuer certificate of {code} is valid long enough",
                "issuers",
                partial(issuer, chain, spec.days),
                subject=f"issuer certificate of {code}",
            )
            for code, chain in spec.issuers.items()
        ),
    ]


def networks(spec: InitializationSpec) -> str:
    wanted = _networks(spec)
    flaw = _flaw(spec, objects.connect().networks(), wanted)
    if flaw:
        raise CheckFailed(flaw, f"{len(wanted)} of stack {spec.stack}", _UP, Code.NETWORK)
    return ", ".join(wanted) or "none declared"


def network_users(spec: InitializationSpec) -> list[Finding]:
    """Return a finding for each foreign container on a network of the country, or one that none is.

    Only a running container is on a network. One of ours is never named: without its labels, it is DEPLOYMENT's.
    """
    engine, names = objects.connect(), spec.names
    ours = {names.container(service) for service in SERVICES}
    users = [
        (network, user)
        for network in _networks(spec)
        for state in engine.networks_named(network)
        for user in engine.network_users(state.id)
    ]
    foreign = [
        objects.foreign(engine, network, user.name, "only containers of the country", _USERS)
        for network, user in users
        if user.name not in ours and not names.owns(user.labels)
    ]
    return foreign or [Finding(_ALONE, Verdict.VALID, found=f"{len(users)} containers", topic=_USERS)]


def _networks(spec: InitializationSpec) -> tuple[str, ...]:
    """Return the networks of the country alone: those of links are DEPLOYMENT's (`checks.link_networks`)."""
    return tuple(name for name in spec.networks if not between_countries(name, spec.names.namespace))


def volumes(spec: InitializationSpec) -> str:
    """A lost data volume is lost data: it is never recreated silently."""
    engine = objects.connect()
    found = engine.volumes()
    flaw = _flaw(spec, found, spec.volumes)
    if flaw:
        ours = {o.name for o in found if o.stack == spec.stack}
        remedy = _choice(engine, spec, [name for name in spec.volumes if name not in ours])
        raise CheckFailed(flaw, f"{len(spec.volumes)} of stack {spec.stack}", remedy, Code.VOLUME_OR_DISK)
    return ", ".join(spec.volumes) or "none declared"


def _flaw(spec: InitializationSpec, listed: Sequence[EngineObject], wanted: Sequence[str]) -> str:
    """Return which of the wanted objects are missing or of another stack; empty if all are ours."""
    found = {o.name: o for o in listed}
    missing = [name for name in wanted if name not in found]
    foreign = [
        f"{name} belongs to stack {found[name].stack or '(none)'}"
        for name in wanted
        if name in found and found[name].stack != spec.stack
    ]
    return "; ".join([f"{', '.join(missing)} missing", *foreign] if missing else foreign)


def _choice(engine: Engine, spec: InitializationSpec, lost: Sequence[str]) -> Remedy:
    """Return the decision for each lost data volume: restore it, or accept its loss."""
    services = {spec.names.data_volume(s): s for s in SERVICES}
    labels = {v: spec.names.labels(services[v], "core") | {STACK_LABEL: spec.stack} for v in lost}
    choices = "; ".join(f"{v}: {', or '.join(data_loss.choice(engine, v, labels[v]))}" for v in lost)
    return Remedy.decide(choices, country=spec.names.country.code)


def images(wanted: Sequence[str]) -> str:
    engine = objects.connect()
    missing = [image[:19] for image in wanted if not engine.has_image(image)]
    if missing:
        raise CheckFailed(
            f"{', '.join(missing)} missing",
            f"{len(wanted)} images",
            Remedy.deploy(detail="obtains or builds them"),
            Code.IMAGE,
        )
    return f"{len(wanted)} images"


def coalition_ca(ca: str) -> str:
    """Check that of the coalition's CAs, two during a rotation, one is valid long enough for its successor."""
    try:
        left = max(map(pki.days_left, pki.certificates(ca)))
    except ValueError as error:
        raise CheckFailed(f"not a certificate: {error}", "a PEM text", _UP, Code.CERTIFICATE) from None
    if left < _CA_DAYS:
        raise CheckFailed(f"ends in {left:.0f} days", f"at least {_CA_DAYS} days", _ROTATED, Code.CERTIFICATE)
    return f"{left:.0f} days left"


def certificate(chain: str, names: Set[str], days: int) -> str:
    left = issuer(chain, days)
    if (covered := pki.covered(chain)) != names:
        found = f"for {', '.join(sorted(covered)) or 'no name'}"
        raise CheckFailed(found, f"for {', '.join(sorted(names))} alone", _UP, Code.CERTIFICATE)
    return left


def issuer(chain: str, days: int) -> str:
    try:
        left = pki.days_left(chain)
    except ValueError as error:
        raise CheckFailed(f"not a certificate: {error}", "a PEM chain", _UP, Code.CERTIFICATE) from None
    if left < days:
        raise CheckFailed(f"ends in {left:.1f} days", f"at least {days} days", _RENEWED, Code.CERTIFICATE)
    return f"{left:.0f} days left"
