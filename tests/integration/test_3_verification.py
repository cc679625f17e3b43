"""VERIFICATION's own validator, on the running coalition: green as it is, red when a person or a decision is not."""

import pytest

from dive_infra.checks import runner, verification
from dive_infra.identity import users
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Finding
from dive_infra.seeds.store import connect
from tests.coalition.country import Country
from tests.coalition.live import documents, keycloak, specification

pytestmark = pytest.mark.timeout(600)


def red(fra: Country) -> list[Finding]:
    validation = runner.run(verification.checks(specification(fra, Phase.VERIFICATION)), 60)
    assert len(validation.findings) > 15
    return [f for f in validation.findings if f.verdict != "valid"]


def test_a_person_who_cannot_log_in_is_reported_with_the_host_that_refused(fra: Country) -> None:
    assert red(fra) == []
    names = fra.names
    person = verification.person(names)
    with keycloak(fra) as admin:
        other = {"type": "password", "value": "Another-Passphrase-of-somebody-1", "temporary": False}
        admin.put(f"/realms/{names.realm}/users/{person.id}/reset-password", other)
        try:
            found = red(fra)
        finally:
            users.repair(admin, names, {person: specification(fra, Phase.VERIFICATION).own.password})
    assert {(f.check, f.code) for f in found} == {
        ("a user from FRA can log in at FRA", 1403),
        ("a user from FRA can log in at USA", 1403),
    }
    assert all(names.host("keycloak") in f.found for f in found)
    assert red(fra) == []


def test_a_document_that_the_wrong_people_may_read_is_reported(fra: Country) -> None:
    denied = next(document for document, by in verification.cases(fra.names, "USA", 10) if by == "clearance")
    with connect(documents(fra)) as database:
        kept = database["resources"].find_one({"_id": denied})
        assert kept
        permitted = database["resources"].find_one({"_id": "doc-fra-000001"})
        database["resources"].replace_one({"_id": denied}, {**(permitted or {}), "_id": denied})
        try:
            found = red(fra)
        finally:
            database["resources"].replace_one({"_id": denied}, kept)
    assert found
    assert all(f"FRA denies {denied}" in f.check and f.code == 1405 for f in found), [str(f) for f in found]
