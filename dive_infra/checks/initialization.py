"""INITIALIZATION: networks, volumes, images and the certificate exist and belong to this stack."""

from collections.abc import Callable, Sequence
from functools import partial

import docker
import docker.errors

from dive_infra.checks import objects
from dive_infra.checks.objects import Object
from dive_infra.checks.runner import Check, CheckFailed
from dive_infra.checks.spec import InitializationSpec
from dive_infra.config.naming import SERVICES
from dive_infra.crypto import pki
from dive_infra.engines.docker import data_loss
from dive_infra.results.codes import Code
from dive_infra.results.remedy import Remedy

_UP = Remedy.update()
_RENEWED = Remedy.update(detail="renews it")


def checks(spec: InitializationSpec) -> list[Check]:
    return [
        Check(
            "the networks exist and belong to this stack",
            "networks",
            lambda: present(spec, objects.networks, spec.networks),
        ),
        Check(
            "the data volumes exist and belong to this stack",
            "volumes",
            lambda: present(spec, objects.volumes, spec.volumes),
        ),
        Check("the images are on the engine", "images", lambda: images(spec.images)),
        Check("the certificate covers every name and is valid long enough", "certificate", lambda: certificate(spec)),
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


def present(
    spec: InitializationSpec, listed: Callable[[docker.DockerClient], list[Object]], wanted: Sequence[str]
) -> str:
    found = {o.name: o for o in listed(objects.connect())}
    missing = [name for name in wanted if name not in found]
    foreign = [
        f"{name} belongs to stack {found[name].labels.get('dive.stack') or '(none)'}"
        for name in wanted
        if name in found and name != spec.names.shared_network and found[name].labels.get("dive.stack") != spec.stack
    ]
    if missing or foreign:
        off = [f"{', '.join(missing)} missing", *foreign] if missing else foreign
        kind = "volume" if listed is objects.volumes else "network"
        # A lost data volume is lost data: it is never recreated silently.
        remedy = _UP if kind == "network" else _choice(spec, [*missing, *(f.split()[0] for f in foreign)])
        raise CheckFailed(
            "; ".join(off),
            f"{len(wanted)} of stack {spec.stack}",
            remedy,
            Code.VOLUME_OR_DISK if kind == "volume" else Code.NETWORK,
        )
    return ", ".join(wanted) or "none declared"


def _choice(spec: InitializationSpec, lost: Sequence[str]) -> Remedy:
    """Return the decision for each lost data volume: restore it, or accept its loss."""
    services = {spec.names.data_volume(s): s for s in SERVICES}
    labels = {v: spec.names.labels(services[v], "core") | {"dive.stack": spec.stack} for v in lost}
    choices = "; ".join(f"{v}: {', or '.join(data_loss.choice(v, labels[v]))}" for v in lost)
    return Remedy.decide(choices, country=spec.names.country.code)


def images(wanted: Sequence[str]) -> str:
    client = objects.connect()
    missing: list[str] = []
    for image in wanted:
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            missing.append(image[:19])
    if missing:
        raise CheckFailed(
            f"{', '.join(missing)} missing",
            f"{len(wanted)} images",
            Remedy.deploy(detail="obtains or builds them"),
            Code.IMAGE,
        )
    return f"{len(wanted)} images"


def certificate(spec: InitializationSpec) -> str:
    try:
        left, covered = pki.days_left(spec.certificate), pki.covered(spec.certificate)
    except ValueError as error:
        raise CheckFailed(f"not a certificate: {error}", "a PEM chain", _UP, Code.CERTIFICATE) from None
    missing = sorted(set(spec.covers) - covered)
    if missing:
        raise CheckFailed(f"{', '.join(missing)} not covered", f"{len(spec.covers)} names", _UP, Code.CERTIFICATE)
    if left < spec.days:
        raise CheckFailed(f"ends in {left:.1f} days", f"at least {spec.days} days", _RENEWED, Code.CERTIFICATE)
    return f"{len(spec.covers)} names, {left:.0f} days left"


def issuer(chain: str, days: int) -> str:
    try:
        left = pki.days_left(chain)
    except ValueError as error:
        raise CheckFailed(f"not a certificate: {error}", "a PEM chain", _UP, Code.CERTIFICATE) from None
    if left < days:
        raise CheckFailed(f"ends in {left:.1f} days", f"at least {days} days", _RENEWED, Code.CERTIFICATE)
    return f"{left:.0f} days left"
