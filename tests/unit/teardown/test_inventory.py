"""What belongs to a country."""

from dataclasses import replace
from unittest.mock import Mock

import pytest

from dive_infra import engines
from dive_infra.automation.stack_state import CheckpointState, StackState
from dive_infra.checks.spec import PreflightSpec
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.engines.engine import EngineObject
from dive_infra.orchestration.states import Phase
from dive_infra.teardown import inventory
from dive_infra.teardown.owned_objects import belongs_to, engine_objects

FRA = Names(parse("FRA"))


@pytest.mark.parametrize(
    ("kind", "name", "labels", "ours"),
    [
        ("container", "dive-fra-redis", {}, True),
        ("volume", "dive-fra-postgres-data", {}, True),  # recreated by Docker, without labels
        ("volume", "dive-fra-opa-files-0123abcd", {}, True),
        ("network", "dive-fra", {}, True),
        ("network", "dive-shared", {}, False),
        ("volume", "dive-fra-mine", {}, False),
        ("container", "carrier", {"dive.namespace": "dive", "dive.country": "FRA"}, True),
        ("container", "dive-fra-redis", {"dive.namespace": "other", "dive.country": "FRA"}, False),
        ("volume", "dive-usa-postgres-data", {"dive.namespace": "dive", "dive.country": "USA"}, False),
        ("container", "dive-fra-redis-backup", {}, False),
    ],
)
def test_a_country_owns_what_its_labels_or_else_its_names_say(
    kind: str, name: str, labels: dict[str, str], ours: bool
) -> None:
    assert belongs_to(EngineObject(kind, name, labels), FRA) is ours


@pytest.mark.parametrize("deployed", [True, False])
def test_a_country_is_removed_by_the_names_that_it_is_deployed_with(
    monkeypatch: pytest.MonkeyPatch, deployed: bool
) -> None:
    """Its settings may have been edited since: the state would be removed, and the objects left."""
    edited = replace(FRA, namespace="edited")
    checkpoint = CheckpointState(Phase.PREFLIGHT, "", "", PreflightSpec(FRA, "fra-1", ("redis",)))
    stack = StackState("fra", 180, None, {Phase.PREFLIGHT: checkpoint} if deployed else {}, mark="fra-1")

    redis = [EngineObject("container", f"{names.prefix}-redis", {}) for names in (FRA, edited)]
    monkeypatch.setattr(engines, "connect", lambda: Mock(everything=lambda: redis, volume_sizes=dict))
    monkeypatch.setattr(inventory, "export_state", lambda _: {})
    monkeypatch.setattr(inventory.stack_state, "read_stack", lambda *_: stack)
    found = inventory.take_inventory(edited)
    assert [o.name for o in found.objects] == ["dive-fra-redis" if deployed else "edited-fra-redis"]


def test_the_network_of_a_link_is_a_countrys_once_no_other_is_on_it() -> None:
    own = EngineObject("container", "dive-fra-keycloak", {"dive.namespace": "dive", "dive.country": "FRA"})
    hub = EngineObject("container", "dive-usa-keycloak", {"dive.namespace": "dive", "dive.country": "USA"})
    users = {
        "dive-link-fra-usa": [own, hub],
        "dive-link-deu-fra": [own],
        "dive-link-fra-gbr": [],
        "dive-link-deu-usa": [],
    }
    labels = {"dive.namespace": "dive", "dive.link": ""}
    networks = [EngineObject("network", name, labels) for name in users]
    engine = Mock(everything=lambda: [own, *networks], attached=lambda name: users[name])
    found = [o.name for o in engine_objects(engine, FRA)]
    assert found == ["dive-fra-keycloak", "dive-link-deu-fra", "dive-link-fra-gbr"]
