"""The networks of a country's links: its ends are on them, and no container that belongs to neither side.

What of a partner is on them is the partner's business.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from dive_infra.checks import objects
from dive_infra.checks.runner import Check
from dive_infra.checks.spec import DeploymentSpec
from dive_infra.config.countries import parse
from dive_infra.config.naming import SERVICES, Names, linked_by
from dive_infra.engines.engine import Engine, EngineObject, link_flaw, undeclared_links
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy

SENTENCE = "the networks of its links have its ends, and no stranger"
_TOPIC = "link networks"


def check(spec: DeploymentSpec) -> Check:
    return Check(SENTENCE, _TOPIC, lambda: findings(spec))


def findings(spec: DeploymentSpec) -> list[Finding]:
    """Return a finding for each end that is missing, and for each container on a network where it does not belong."""
    engine = objects.connect()
    invalid = [*_ends(engine, spec), *_strangers(engine, spec)]
    ends = sum(map(len, spec.links.values()))
    valid = Finding(SENTENCE, Verdict.VALID, found=f"{ends} ends on {len(spec.links)} networks", topic=_TOPIC)
    return invalid or [valid]


def _ends(engine: Engine, spec: DeploymentSpec) -> Iterator[Finding]:
    ids, declared = engine.network_ids(), {row.declared.name: row.declared for row in spec.containers}
    with ThreadPoolExecutor(max_workers=len(declared) or 1) as side_by_side:
        found = dict(zip(declared, side_by_side.map(engine.observe, declared), strict=True))
    for container, now in found.items():
        links = {network: ends[container] for network, ends in spec.links.items() if container in ends}
        for network, alias in links.items():
            # That a container is missing is another check's finding.
            if flaw := link_flaw(now, network, alias, ids) if now.exists else "":
                yield Finding(
                    f"{container} is on {network} as {alias}",
                    Verdict.INVALID,
                    f"by the name {alias}",
                    f"{container}: {flaw}",
                    Remedy.update(),
                    code=Code.NETWORK,
                    topic=_TOPIC,
                    subject=f"network {network}",
                )
        # A container of the previous release declares the network that spanned all countries.
        for network in undeclared_links(now, spec.names.namespace, {*links, *declared[container].networks}):
            yield objects.foreign(engine, network, container, "only containers that the link needs", _TOPIC)


def _strangers(engine: Engine, spec: DeploymentSpec) -> Iterator[Finding]:
    names = spec.names
    for network in spec.links:
        sides = [names.of(parse(code)) for code in linked_by(network, names.namespace)]
        if not sides:
            continue  # of the previous release: all countries are on it
        for user in engine.attached(network):
            if not any(_is_of(user, side) for side in sides):
                yield objects.foreign(engine, network, user.name, "only containers of its two countries", _TOPIC)


def _is_of(user: EngineObject, names: Names) -> bool:
    """Return True for a container of the country, also for one that was recreated by hand without its labels."""
    return names.owns(user.labels) or user.name in map(names.container, SERVICES)
