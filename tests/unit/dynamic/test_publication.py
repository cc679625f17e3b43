"""What a country publishes: signed, with a person for each partner, kept as it is while nothing changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dive_infra.checks.spec import DeploymentSpec, Party, VerificationSpec
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.dynamic import publication
from dive_infra.dynamic.publication import PublicationProvider
from dive_infra.membership import ca_rotation, keys, status
from dive_infra.membership.refusals import BadSignature
from dive_infra.membership.status import ProbeLogin, PublishedStatus
from dive_infra.orchestration.overview import Link, Overview
from dive_infra.orchestration.states import State
from dive_infra.results.text import now
from dive_infra.seeds import published
from tests.support import members
from tests.support.members import private_keys

USA, FRA = Names(HUB), Names(COUNTRIES["FRA"])
PROVIDER = PublicationProvider()
GIVEN: dict[str, Any] = {
    **USA.plain(),
    "given": {"FRA": "password-for-france"},
    "sealing_keys": {"FRA": keys.public_text(private_keys("FRA")["sealing-key"])},
    "deployer_key": private_keys("USA")["deployer-key"],
    "mongodb": "x",
    "ca": "CA",
}


class Collection(dict[str, dict[str, Any]]):
    def replace_one(self, _where: object, row: dict[str, Any], upsert: bool) -> None:
        assert upsert
        self[row["_id"]] = row

    def find_one(self, where: dict[str, str]) -> dict[str, Any] | None:
        return self.get(where["_id"])


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> Collection:
    kept = Collection()

    @contextmanager
    def connect(_target: object) -> Iterator[dict[str, Collection]]:
        yield {published.COLLECTION: kept}

    monkeypatch.setattr(publication, "connect", connect)
    return kept


def read(database: Collection) -> PublishedStatus:
    key = keys.public_text(private_keys("USA")["deployer-key"])
    return status.read(database[published.STATUS]["content"].encode(), key, "USA", "dive", now())


@pytest.mark.parametrize(("before", "now"), [("", "192.0.2.7"), ("192.0.2.7", ""), ("192.0.2.7", "192.0.2.8")])
def test_an_address_that_came_went_or_changed_is_a_change(before: str, now: str) -> None:
    then, today = ({**GIVEN, **replace(USA, address=address).plain()} for address in (before, now))
    assert PROVIDER.changed_inputs(then, today) == ["address"]
    assert PROVIDER.changed_inputs(today, today) == []


def test_a_partner_alone_opens_the_password_of_its_person(database: Collection) -> None:
    PROVIDER.create_resource(GIVEN)
    found = read(database)
    assert found.probe("FRA", private_keys("FRA")["sealing-key"]) == ProbeLogin("probe-usa-fra", "password-for-france")
    assert "password-for-france" not in database[published.STATUS]["content"]
    assert PROVIDER.drift_reason(GIVEN) is None


def test_what_someone_deletes_or_alters_is_published_again(database: Collection) -> None:
    assert PROVIDER.drift_reason(GIVEN) == "no status of this country is published"
    PROVIDER.create_resource(GIVEN)
    row = database[published.STATUS]
    row["content"] = row["content"].replace('"CONFIGURING"', '"COMPLETE"')
    assert PROVIDER.drift_reason(GIVEN) == "no status of this country is published", "it has not signed that"
    PROVIDER.update_resource(GIVEN, GIVEN)
    assert read(database).state == State.CONFIGURING


def test_another_set_of_partners_is_another_status(database: Collection) -> None:
    PROVIDER.create_resource(GIVEN)
    both = {**GIVEN, "given": {"FRA": "p", "DEU": "q"}}
    assert PROVIDER.drift_reason(both) == "it is not for the partners of today"
    both["sealing_keys"] = {**GIVEN["sealing_keys"], "DEU": keys.public_text(private_keys("DEU")["sealing-key"])}
    PROVIDER.update_resource(both, GIVEN)
    assert read(database).probes.keys() == {"FRA", "DEU"}


def test_a_link_is_published_as_proven_once_both_ways_are() -> None:
    early, late = now(), now()

    def known(*links: Link) -> Overview:
        return Overview(late, None, None, None, {}, links, ())

    one = Link("USA", "FRA", "usa-idp", "ACTIVE", "", 0.5, 3.0, late)
    other = Link("FRA", "USA", "fra-idp", "ACTIVE", "", 0.5, 9.0, early)
    assert publication._proven(known(one, other), "USA") == {"FRA": early}
    waiting = Link("FRA", "USA", "fra-idp", "PENDING", "FRA does not answer", None, None)
    assert publication._proven(known(one, waiting), "USA") == {"FRA": None}


def test_what_was_proven_is_published_and_during_a_rotation_how_far_the_country_is(database: Collection) -> None:
    PROVIDER.create_resource(GIVEN)
    both = members.ROOT.chain + pki.issue("DIVE coalition dive 2", 30, authority=True).chain
    own = members.issue([USA]).members["USA"].certificate
    deployment = DeploymentSpec(USA, (), (), "m", "r", "o")
    known = Overview(now(), None, None, None, {}, (), ())
    store: Any = SimpleNamespace(query=lambda _question: known)

    def proven(ca: str, issuer: str, pinned: str = "") -> PublishedStatus:
        spec = VerificationSpec(
            Party(USA, "p"), (), deployment, ca, 200, deployer_key=GIVEN["deployer_key"], issuer=issuer, pinned=pinned
        )
        publication.publish(spec, store)
        return read(database)

    assert proven(members.ROOT.chain, "").rotation is None
    assert proven(members.ROOT.chain, "", "a key").pinned == "a key"
    PROVIDER.update_resource(GIVEN, GIVEN)
    assert read(database).pinned == "a key"
    assert proven(members.ROOT.chain, "").pinned == ""
    assert proven(both, own).rotation == ca_rotation.position(both, own)
    PROVIDER.update_resource(GIVEN, GIVEN)
    assert read(database).rotation == ca_rotation.position(both, own), "kept until the next proof"
    assert proven(members.ROOT.chain, "").rotation is None


def test_a_status_is_read_by_the_key_before_and_by_its_successor_and_kept_at_both_steps(database: Collection) -> None:
    successor = keys.new_signing_key()
    begun, finished = ({**GIVEN, "deployer_key": held} for held in (GIVEN["deployer_key"] + successor, successor))
    PROVIDER.create_resource(GIVEN)
    row = database[published.STATUS]
    row["content"] = status.sign(
        read(database).model_copy(update={"state": "COMPLETE"}), GIVEN["deployer_key"]
    ).decode()
    assert PROVIDER.drift_reason(begun) is None
    PROVIDER.update_resource(begun, GIVEN)
    content = database[published.STATUS]["content"].encode()
    for key in (GIVEN["deployer_key"], successor):
        assert status.read(content, keys.public_text(key), "USA", "dive", now()).state == "COMPLETE"
    assert PROVIDER.drift_reason(finished) is None
    PROVIDER.update_resource(finished, begun)
    content = database[published.STATUS]["content"].encode()
    assert status.read(content, keys.public_text(successor), "USA", "dive", now()).state == "COMPLETE"
    with pytest.raises(BadSignature):
        read(database)
