"""What ends at once when a partner is cut off, apart from a real realm and real services."""

import json
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from dive_infra import engines
from dive_infra.automation import cut_off as module
from dive_infra.automation.cut_off import cut_off, without
from dive_infra.catalog.services import services
from dive_infra.catalog.spec import Material
from dive_infra.checks.spec import ConfigurationSpec
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.engines.engine import EngineError
from dive_infra.identity import users
from dive_infra.membership.document import Agreement
from dive_infra.results.errors import DiveError

USA, FRA, GBR = Names(HUB), Names(COUNTRIES["FRA"]), Names(COUNTRIES["GBR"])
KEY = pki.rsa_key()
AGREEMENTS = {"FRA": Agreement(clearance="SECRET"), "USA": Agreement(communities=("NATO",))}


def live(names: Names, partners: list[Names]) -> dict[str, str]:
    """The live files of all services of a country, path and service -> text."""
    members = {n.country.code: pki.public_key(KEY) for n in (USA, names, *partners)}
    secrets = {row.name: KEY if row.kind == "rsa" else f"secret-of-{row.name}" for row in CREDENTIALS}
    material = Material(secrets, "certificate", "key", "ca", members, "{}")
    return {
        f"{spec.name} {path}": text
        for spec in services(names, USA, partners, {}, AGREEMENTS)
        for path, text in spec.files(material).items()
        if path in spec.live
    }


@pytest.mark.parametrize(("names", "partners", "cut"), [(USA, [FRA, GBR], FRA), (FRA, [USA, GBR], USA)])
def test_the_live_files_are_those_of_a_declaration_without_the_partner(
    names: Names, partners: list[Names], cut: Names
) -> None:
    before, wanted = live(names, partners), live(names, [n for n in partners if n != cut])
    found = {key: without(cut, key.split()[1], text) for key, text in before.items()}
    assert {key: json.loads(text) for key, text in found.items()} == {
        key: json.loads(text) for key, text in wanted.items()
    }
    assert before != wanted


def state(*volumes: str) -> dict[str, Any]:
    outputs = {"contents": {}, "owner": 1000, "declared": {}, "live": []}
    resources = [
        {"type": "pulumi-python:dynamic/dive:LiveFiles", "outputs": outputs | {"volume": volume}} for volume in volumes
    ]
    return {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}, *resources]}}


def test_no_partner_comes_back_when_another_one_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state still has the first one: the update that would have taken it out has failed."""
    path = "/etc/dive/members.json"
    known = state("one")
    known["deployment"]["resources"][1]["outputs"] |= {"contents": {path: '{"USA": "", "FRA": "", "GBR": ""}'}}
    written: list[Any] = []
    monkeypatch.setattr(engines, "connect", lambda: Mock(write_files=lambda *given: written.append(given[1])))
    monkeypatch.setattr(module, "_in_the_realm", lambda *_: None)
    assert cut_off(known, Mock(), [FRA, GBR]) == []
    assert [json.loads(contents[path]) for contents in written] == [{"USA": ""}]


def test_the_person_whose_password_the_partner_knows_goes_with_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = MagicMock()
    admin.__enter__.return_value = admin
    monkeypatch.setattr(module, "KeycloakAdmin", lambda *_: admin)
    monkeypatch.setattr(module, "end_link", Mock())
    spec = ConfigurationSpec(USA, (FRA,), "CA", "secret", "secret")
    assert cut_off({}, spec, [FRA]) == []
    person = users.probe(USA, FRA.country)
    assert [call.args[0] for call in admin.delete.call_args_list] == [f"/realms/{USA.realm}/users/{person.id}"]


def test_all_is_tried_and_each_failure_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def write(volume: str, *_: object) -> None:
        if volume == "broken":
            raise EngineError("no space is left")
        written.append(volume)

    def out_of_reach(*_: object) -> None:
        raise DiveError("Keycloak does not answer")

    monkeypatch.setattr(engines, "connect", lambda: Mock(write_files=write))
    monkeypatch.setattr(module, "_in_the_realm", out_of_reach)
    failed = cut_off(state("one", "broken", "two"), Mock(), [FRA])
    assert [error.cause for error in failed] == ["Keycloak does not answer", "no space is left"]
    assert sorted(written) == ["one", "two"]
