"""The ends of a service on the networks of its country's links, between its container and its gate.

    Container ── LinkEnds ── Gate

Two countries on one engine meet on a network of their link alone (`Names.link_network`). No stack owns it, because
either side may come first: whoever needs it creates it, and the last one to leave removes it. A container joins and
leaves while it runs, so that nothing restarts when a partner comes or goes; the service is healthy only after that, as
an OPAL client has to reach the hub first.
"""

from collections.abc import Mapping

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.config.naming import LINK_LABEL, NAMESPACE_LABEL, linked_by
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.engines.engine import Condition, ContainerFailed, Engine, link_flaw, undeclared_links
from dive_infra.results.remedy import Remedy


class LinkEndsProvider(Provider):
    """Inputs: container, container_id, namespace, links (network -> name there)."""

    replaces = ("container",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        engine = engines.connect()
        now = _container(engine, inputs)
        if not now.exists:
            raise ContainerFailed(f"{inputs['container']}: does not exist", Remedy.update())
        for network, alias in inputs["links"].items():
            engine.join(now.name, network, alias, _labels(network, inputs["namespace"]))
        for network in undeclared_links(now, inputs["namespace"], inputs["links"]):
            engine.leave(now.name, network)
        return inputs["container"], {}

    def delete_resource(self, before: Inputs) -> None:
        engine = engines.connect()
        now = _container(engine, before)
        for network in before["links"]:
            engine.leave(now.name or before["container"], network)

    def drift_reason(self, before: Inputs) -> str | None:
        engine = engines.connect()
        now = _container(engine, before)
        if not now.exists:
            return None  # its probe reports it
        ids = engine.network_ids()
        flaws = {network: link_flaw(now, network, alias, ids) for network, alias in before["links"].items()}
        reasons = [f"{network}: {flaw}" for network, flaw in flaws.items() if flaw]
        undeclared = undeclared_links(now, before["namespace"], before["links"])
        reasons += [f"{network}: of no link that it uses" for network in undeclared]
        return "; ".join(reasons) or None


class LinkEnds(Resource, module="dive", name="LinkEnds"):
    """`links`: the networks that the container is on beside those that it was created with, each with its name there.

    They are no part of the container's declaration, which would have it replaced whenever a partner comes or goes.
    """

    def __init__(
        self,
        name: str,
        container: str,
        container_id: pulumi.Input[str],
        namespace: str,
        links: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"container": container, "container_id": container_id, "namespace": namespace, "links": dict(links)}
        super().__init__(LinkEndsProvider(), name, props, opts)


def _container(engine: Engine, inputs: Inputs) -> Condition:
    """Return the container; its gate, which comes later, renames one that has another name."""
    now = engine.observe(inputs["container"])
    return now if now.exists else engine.observe(inputs["container_id"])


def _labels(network: str, namespace: str) -> Mapping[str, str]:
    return {NAMESPACE_LABEL: namespace, LINK_LABEL: "-".join(linked_by(network, namespace)).lower()}
