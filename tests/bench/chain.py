"""The lower bound of a first deployment: its longest chain of resources that wait for each other, by measured times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from dive_infra.catalog.spec import ServiceSpec


@dataclass(frozen=True)
class Chain:
    """`links`: the resources of the chain, first to last, each with its seconds."""

    links: tuple[tuple[str, float], ...] = ()

    @property
    def seconds(self) -> float:
        return sum(seconds for _, seconds in self.links)

    def __str__(self) -> str:
        told = [f"{name} {seconds:.1f}" for name, seconds in self.links if seconds >= 0.5]
        return " → ".join(told)

    def then(self, name: str, seconds: float) -> "Chain":
        return Chain((*self.links, (name, seconds)))


def spans(events: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, tuple[float, float]]:
    """Return urn -> start and end of its change."""
    begun: dict[str, float] = {}
    found: dict[str, tuple[float, float]] = {}
    for at, event in events:
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            step = event.get(kind, {}).get("metadata", {})
            if step.get("op", "same") == "same":
                continue
            if kind == "resourcePreEvent":
                begun[step["urn"]] = at
            elif step["urn"] in begun:
                found[step["urn"]] = (begun[step["urn"]], at)
    return found


def of_resources(state: Mapping[str, Any], took: Mapping[str, tuple[float, float]]) -> Chain:
    """Return the longest chain of all resources, by the dependencies in the exported state."""
    # A component ends with its last child, which counts by itself.
    rows = {row["urn"]: row for row in state["deployment"]["resources"] if row["custom"]}

    @cache
    def until(urn: str) -> Chain:
        needs = {*(rows[urn].get("dependencies") or []), rows[urn].get("provider", "").rpartition("::")[0]}
        before = max((until(n) for n in needs if n in rows), key=lambda chain: chain.seconds, default=Chain())
        begun, ended = took.get(urn, (0.0, 0.0))
        return before.then(urn.rpartition("::")[2], ended - begun)

    return max((until(urn) for urn in rows), key=lambda chain: chain.seconds)


def of_services(specs: Sequence[ServiceSpec], took: Mapping[str, tuple[float, float]]) -> Chain:
    """Return the longest chain of containers, each from its creation until its gate has seen it healthy."""
    by_name = {urn.rpartition("::")[2]: span for urn, span in took.items()}
    chains: dict[str, Chain] = {}
    for spec in specs:  # each after those that it needs
        before = max((chains[n] for n in spec.needs), key=lambda chain: chain.seconds, default=Chain())
        start = by_name[f"{spec.name}-gate"][1] - by_name[f"{spec.name}-container"][0]
        chains[spec.name] = before.then(spec.name, start)
    return max(chains.values(), key=lambda chain: chain.seconds)
