"""Removes Docker objects that an abandoned deployment of this country left, once the operator names its mark.

PREFLIGHT reports them and does not pass beside them. Only objects with our labels and the named mark are removed; a
data volume only if its loss is accepted by name.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra.checks import objects
from dive_infra.checks.objects import owned_by_stack
from dive_infra.config.environment import accepted_losses, removals
from dive_infra.config.naming import ORPHANS, SERVICE_LABEL, Names
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.engines.engine import REMOVAL_ORDER, Engine, EngineObject
from dive_infra.plans import provider_messages


class OrphansProvider(Provider):
    """Inputs: country, namespace, `mark` (this stack's own)."""

    replaces = ("country",)
    ignores = ("namespace",)  # PREFLIGHT's checkpoint refuses another namespace

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        names = Names.of_plain(inputs)
        for mark in _named(inputs):
            for one in sorted(owned_by_stack(names, mark), key=lambda o: REMOVAL_ORDER.index(o.kind)):
                _remove(objects.connect(), names, one)
        return names.prefix, {}

    def drift_reason(self, before: Inputs) -> str | None:
        found = [o.name for mark in _named(before) for o in owned_by_stack(Names.of_plain(before), mark)]
        return f"{', '.join(found)} may be removed" if found else None


class Orphans(Resource, module="dive", name="Orphans"):
    """Orphaned objects of `names`; `mark` is that of this stack, whose objects stay."""

    def __init__(
        self,
        name: str,
        names: Names,
        mark: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "country": names.country.code,
            "namespace": names.namespace,
            "mark": mark,
        }
        super().__init__(OrphansProvider(), name, props, opts)


def _named(inputs: Inputs) -> list[str]:
    """Return the marks whose objects this run may remove; never our own."""
    marks = sorted(name.removeprefix(ORPHANS) for name in removals() if name.startswith(ORPHANS))
    return [mark for mark in marks if mark != inputs["mark"]]


def _remove(engine: Engine, names: Names, found: EngineObject) -> None:
    data = names.data_volume(found.labels.get(SERVICE_LABEL, ""))
    if found.kind == "volume" and found.name == data and data not in accepted_losses():
        tell(provider_messages.orphan_kept(data))
        return
    if engine.remove(found.kind, found.name):
        tell(provider_messages.orphan_removed(found.kind, found.name, found.stack))
