"""What belongs to a country."""

import pytest

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.engines.engine import EngineObject
from dive_infra.teardown.owned_objects import belongs_to

FRA = Names(parse("FRA"))


@pytest.mark.parametrize(
    ("kind", "name", "labels", "ours"),
    [
        ("container", "dive-fra-redis", {}, True),
        ("volume", "dive-fra-postgres-data", {}, True),  # made anew by Docker, without labels
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
