"""What an update removes from a realm: it must know of the partners all that decides what is declared."""

from dataclasses import replace

import pytest

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.dynamic.undeclared import named, names_of
from dive_infra.identity.link_data import identity_provider

USA = Names(parse("USA"), domain="dive.example")
FRA, GBR = (USA.of(parse(code)) for code in ("FRA", "GBR"))


@pytest.mark.parametrize("own", ["", "192.0.2.1"])
@pytest.mark.parametrize("theirs", ["", "192.0.2.1", "192.0.2.9"])
def test_the_declared_fields_of_an_identity_provider_survive_the_inputs(own: str, theirs: str) -> None:
    """Else an update takes one away that the next one declares."""
    names, partners = replace(USA, address=own), [replace(FRA, address=theirs), GBR]
    again, others = names_of(named(names, partners))
    for partner, other in zip(partners, others, strict=True):
        declared, rebuilt = identity_provider(names, partner), identity_provider(again, other)
        assert rebuilt.keys() == declared.keys()
        assert rebuilt["config"].keys() == declared["config"].keys()


def test_on_one_machine_the_inputs_are_those_of_earlier_versions() -> None:
    assert named(USA, [FRA]) == {"country": "USA", "namespace": "dive", "partners": ["FRA"]}
