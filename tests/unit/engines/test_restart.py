"""The order in which services restart."""

from dive_infra.catalog.services import services
from dive_infra.config.countries import HUB, parse
from dive_infra.config.naming import Names
from dive_infra.engines.restart import all_needs

FRA = Names(parse("FRA"))


def test_what_a_service_needs_includes_what_that_needs() -> None:
    needs = all_needs(services(FRA, FRA.of(HUB), [FRA.of(HUB)], {}))
    assert needs["frontend"] == {"postgres", "backend", "mongodb", "redis", "opa"}
    assert needs["postgres"] == set()
