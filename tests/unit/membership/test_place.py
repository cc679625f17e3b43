"""A country's place: what a spoke reads from the document, and the hub from requests; each reason to refuse it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.credentials import enrolled
from dive_infra.config.naming import Names
from dive_infra.config.settings import Settings, load
from dive_infra.membership import document, files, keys, request
from dive_infra.membership.document import Agreement
from dive_infra.membership.enrolment import new_keys, request_of
from dive_infra.membership.place import Place, assumed, place_of
from dive_infra.membership.refusals import (
    BadSignature,
    Expired,
    Malformed,
    MembershipError,
    Missing,
    NotAMember,
    NotEnrolled,
    OtherCoalition,
    RequestDiffers,
)
from dive_infra.membership.zone import endpoints_of
from tests.support import members

USA, FRA, GBR = Names(HUB), Names(COUNTRIES["FRA"]), Names(COUNTRIES["GBR"])
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(paths, "HOME", tmp_path / ".dive")
    return tmp_path


def settings(code: str, **more: Any) -> Settings:
    return load(code, members.configuration(code.upper()) | {f"dive:{k}": v for k, v in more.items()})


def placed(code: str, **more: Any) -> Place:
    return place_of(settings(code, **more), datetime.now(UTC))


def test_a_spoke_finds_its_hub_where_the_document_says(folder: Path) -> None:
    moved = replace(USA, ports={"USA": {"backend": 4711}})
    members.write(folder, moved, FRA)
    found = placed("fra")
    assert found.hub.url("backend") == moved.url("backend")
    [partner] = found.partners
    assert partner.names == found.hub
    assert found.policy_keys.keys() == {"USA"}
    assert found.member
    assert found.policy_keys


def test_the_hub_finds_the_countries_that_it_approves_where_their_requests_say(folder: Path) -> None:
    moved = replace(FRA, ports={"FRA": {"keycloak": 4712}})
    members.write(folder, USA, moved, GBR)
    found = placed("usa", spokes=["FRA"])
    [partner] = found.partners
    assert partner.names.url("keycloak") == moved.url("keycloak")
    assert found.policy_keys.keys() == found.requests.keys() == {"USA", "FRA"}


def test_a_spoke_finds_the_partners_that_it_names_and_learns_of_one_that_is_no_member(folder: Path) -> None:
    moved = replace(GBR, ports={"GBR": {"keycloak": 4714}})
    members.write(folder, USA, FRA, moved)
    found = placed("fra", partners=["GBR"])
    assert [n.url("keycloak") for n in found.partner_names] == [USA.url("keycloak"), moved.url("keycloak")]
    assert found.policy_keys.keys() == {"USA"}
    with pytest.raises(NotAMember, match="no entry for DEU"):
        placed("fra", partners=["DEU"])


def test_a_partner_that_is_cut_off_stays_a_member_and_is_relied_on_in_nothing(folder: Path) -> None:
    members.write(folder, USA, FRA, GBR)
    hub = placed("usa", spokes=["FRA", "GBR"], cut=["FRA"])
    assert [n.country.code for n in hub.partner_names] == ["GBR"]
    assert hub.policy_keys.keys() == {"USA", "GBR"}
    assert hub.requests.keys() == {"USA", "FRA", "GBR"}
    assert [n.country.code for n in hub.cut] == ["FRA"], "other countries may accept its people"
    spoke = placed("fra", cut=["USA"])
    assert spoke.partners == ()
    assert spoke.hub.url("backend") == USA.url("backend")


LIMITED, ENDED = Agreement(clearance="SECRET", communities=("NATO",)), Agreement(expires=NOW - timedelta(days=1))


def test_the_hub_states_agreements_and_a_spoke_reads_them(folder: Path) -> None:
    members.write(folder, USA, FRA, GBR, agreements={"USA": ENDED, "FRA": LIMITED})
    end = f"{NOW - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    stated = {"USA": {"expires": end}, "FRA": LIMITED.model_dump(), "GBR": {}}
    hub = placed("usa", spokes=["FRA", "GBR"], agreements=stated)
    spoke = placed("fra", partners=["GBR"])
    assert hub.agreements == spoke.agreements == {"USA": ENDED, "FRA": LIMITED}, "without those that limit nothing"
    assert hub.ends == spoke.ends == {"USA": end}
    assert assumed(settings("usa", spokes=["FRA", "GBR"], agreements=stated)).agreements == hub.agreements


def test_no_agreement_is_stated_without_the_setting(folder: Path) -> None:
    members.write(folder, USA, FRA)
    assert placed("usa", spokes=["FRA"]).agreements == placed("fra").agreements == {}


def test_a_country_knows_the_ends_of_its_own_agreement_and_of_its_partners_alone(folder: Path) -> None:
    members.write(folder, USA, FRA, GBR, agreements={"FRA": ENDED, "GBR": ENDED})
    assert placed("fra").ends.keys() == {"FRA"}


@pytest.mark.parametrize("whose", ["USA", "FRA", "GBR"])
def test_a_country_is_deployed_although_an_agreement_has_ended(folder: Path, whose: str) -> None:
    """The services refuse people by the clock; the country itself heals as before, and its links stay declared."""
    members.write(folder, USA, FRA, GBR, agreements={whose: ENDED})
    assert [n.country.code for n in placed("fra", partners=["GBR"]).partner_names] == ["USA", "GBR"]


def _tampered(folder: Path) -> None:
    path = files.document_file()
    path.write_text(path.read_text().replace("idp.usa", "idp.usb"))


def _expired(folder: Path) -> None:
    old = members.issue([USA, FRA]).model_copy(
        update={"issued": NOW - timedelta(days=9), "expires": NOW - timedelta(days=1)}
    )
    path = files.document_file()
    path.write_bytes(document.signed.sign(document.Format.COALITION, old.plain(), _coalition_key()))


def _coalition_key() -> str:
    return members.private_keys("USA")["coalition-key"]


def _without_france(folder: Path) -> None:
    members.write(folder, USA, GBR)


def _of_another_coalition(folder: Path) -> None:
    members.write(folder, *(replace(names, namespace="other", domain="dive.localhost") for names in (USA, FRA)))


def _moved(folder: Path) -> None:
    """The hub has an address of France that France did not request."""
    members.write(folder, USA, replace(FRA, ports={"FRA": {"keycloak": 4713}}))


@pytest.mark.parametrize(
    ("harm", "refusal", "says"),
    [
        (lambda _: files.document_file().unlink(), Missing, "next: pulumi up -s usa writes it; copy it here"),
        (_tampered, BadSignature, "get the document from the hub again"),
        (_expired, Expired, "the coalition document expired at"),
        (_without_france, NotAMember, "add FRA to dive:spokes of the hub"),
        (_of_another_coalition, OtherCoalition, "expected dive"),
        (_moved, RequestDiffers, "has for FRA the endpoint keycloak"),
    ],
    ids=["missing", "tampered with", "expired", "without the country", "of another coalition", "another endpoint"],
)
def test_a_document_that_a_spoke_cannot_rely_on_is_refused(
    folder: Path, harm: Callable[[Path], object], refusal: type[MembershipError], says: str
) -> None:
    members.write(folder, USA, FRA)
    harm(folder)
    with pytest.raises(refusal) as refused:
        placed("fra")
    assert says in str(refused.value)


def test_a_country_without_keys_or_without_a_pin_is_shown_the_next_step(folder: Path) -> None:
    members.write(folder, USA, FRA)
    with pytest.raises(NotEnrolled, match=r"Pulumi.fra.yaml has no ca-key.*next: ./dive new FRA"):
        place_of(load("fra", {}), NOW)
    with pytest.raises(NotEnrolled, match="dive:coalitionKey of FRA is not set"):
        place_of(load("fra", {"dive:secrets": json.dumps(members.private_keys("FRA"))}), NOW)


def test_the_hub_refuses_a_country_without_a_request_and_a_request_of_another(folder: Path) -> None:
    members.write(folder, USA, FRA)
    with pytest.raises(Missing, match=r"members/gbr.json does not exist.*the operator of GBR runs ./dive new GBR"):
        placed("usa", spokes=["FRA", "GBR"])
    files.request_file("GBR").write_bytes(files.request_file("FRA").read_bytes())
    with pytest.raises(MembershipError, match=r"members/gbr.json is the request of FRA"):
        placed("usa", spokes=["FRA", "GBR"])


def test_a_member_keeps_its_keys_unless_its_operator_was_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who can replace a file on its way must not become the member."""
    members.write(folder, USA, FRA)
    members.write_request(folder, FRA, new_keys(enrolled(False)))
    with pytest.raises(
        RequestDiffers, match=r"(?s)members/fra.json has the fingerprint .*that of the member FRA.*compare"
    ):
        placed("usa", spokes=["FRA"])
    monkeypatch.setenv("DIVE_ACCEPT_MEMBERS", "FRA")
    assert placed("usa", spokes=["FRA"]).partners


NEW, LATER = new_keys(enrolled(False)), new_keys(enrolled(False))
DAY = timedelta(days=1)


def _ask(folder: Path, asked: members.Keys, *signers: members.Keys, created: datetime = NOW) -> None:
    """File a request of France for these keys, signed with the deployer keys of `signers`."""
    content = request.sign(request_of(FRA, asked, created), "".join(keys["deployer-key"] for keys in signers))
    files.write(files.request_file("FRA", folder), content)


def test_whoever_holds_the_present_deployer_key_renews_the_keys_of_a_member(folder: Path) -> None:
    old = members.private_keys("FRA")
    members.write(folder, USA, FRA)
    _ask(folder, NEW, old, NEW)
    assert placed("usa", spokes=["FRA"]).partners[0].deployer_key == keys.public_text(NEW["deployer-key"])
    for signers in ([NEW], [LATER, NEW]):
        _ask(folder, NEW, *signers)
        with pytest.raises(RequestDiffers, match=r"members/fra.json has the fingerprint"):
            placed("usa", spokes=["FRA"])


def test_keys_that_were_replaced_renew_nothing_and_do_not_come_back(folder: Path) -> None:
    old = members.private_keys("FRA")
    members.write(folder, USA, FRA, given={"FRA": NEW})
    for asked, signers in ((LATER, [old, LATER]), (old, [old])):
        _ask(folder, asked, *signers)
        with pytest.raises(RequestDiffers, match=r"members/fra.json has the fingerprint"):
            placed("usa", spokes=["FRA"])
    _ask(folder, old, old, NEW, created=members.ISSUED - DAY)
    with pytest.raises(RequestDiffers, match="which was taken up, or a later one"):
        placed("usa", spokes=["FRA"])


def _rotating(code: str, successors: members.Keys) -> dict[str, Any]:
    both = {name: key + successors[name] for name, key in members.private_keys(code).items()}
    return {"secrets": json.dumps(both)}


@pytest.mark.parametrize("taken_up", [False, True])
def test_a_spoke_is_deployed_with_the_keys_that_the_document_has(folder: Path, taken_up: bool) -> None:
    """Whether the hub answers or not: with those before until it has taken the new ones up."""
    old = members.private_keys("FRA")
    members.write(folder, USA, FRA, given={"FRA": NEW} if taken_up else {})
    found = placed("fra", **_rotating("FRA", NEW))
    held = {name: text.get_secret_value() for name, text in found.secrets.items()}
    counts = NEW if taken_up else old
    assert {name: held[name] for name in ("ca-key", "policy-key")} == {
        name: counts[name] for name in ("ca-key", "policy-key")
    }
    for name in ("deployer-key", "sealing-key"):
        assert held[name] == old[name] + NEW[name]


def test_a_hub_is_deployed_with_the_keys_that_its_request_has(folder: Path) -> None:
    new = new_keys(enrolled(True))
    members.write(folder, USA, FRA)
    held = placed("usa", spokes=["FRA"], **_rotating("USA", new)).secrets
    assert held["ca-key"].get_secret_value() == members.private_keys("USA")["ca-key"]
    made = request.sign(request_of(USA, new, NOW), members.private_keys("USA")["deployer-key"] + new["deployer-key"])
    files.write(files.request_file("USA", folder), made)
    found = placed("usa", spokes=["FRA"], **_rotating("USA", new))
    assert found.secrets["ca-key"].get_secret_value() == new["ca-key"]
    assert found.policy_keys["USA"] == keys.public_text(new["policy-key"])


def test_the_secrets_of_a_country_whose_keys_are_not_replaced_are_those_of_its_stack_file(folder: Path) -> None:
    members.write(folder, USA, FRA)
    for code, more in (("usa", {"spokes": ["FRA"]}), ("fra", {})):
        assert placed(code, **more).secrets == settings(code, **more).secrets


def test_a_spoke_says_which_coalition_key_it_pins_while_documents_have_two_signatures(folder: Path) -> None:
    members.write(folder, USA, FRA)
    assert placed("fra").pinned == ""
    successor = keys.new_signing_key()
    content = document.sign(members.issue([USA, FRA]), _coalition_key() + successor)
    files.write(files.document_file(), content)
    for pin in (members.coalition_key(), keys.public_text(successor)):
        assert placed("fra", coalitionKey=pin).pinned == pin


def test_an_older_request_of_a_member_is_refused(folder: Path) -> None:
    members.write(folder, USA, FRA)
    old = request_of(FRA, members.private_keys("FRA"), members.ISSUED - timedelta(days=1))
    files.write(files.request_file("FRA"), request.sign(old, members.private_keys("FRA")["deployer-key"]))
    with pytest.raises(RequestDiffers, match="which was taken up, or a later one"):
        placed("usa", spokes=["FRA"])


def test_a_hub_that_has_moved_renews_its_request_first(folder: Path) -> None:
    members.write(folder, USA, FRA)
    with pytest.raises(RequestDiffers, match=r"the request of USA differs from Pulumi.usa.yaml in endpoints.*dive new"):
        placed("usa", ports={"keycloak": 4711})


@pytest.mark.parametrize("moves", [True, False], ids=["to an address", "back to loopback"])
def test_a_country_with_another_address_renews_its_request_first(folder: Path, moves: bool) -> None:
    there = replace(USA, address="127.0.0.2")
    members.write(folder, USA if moves else there, FRA)
    with pytest.raises(RequestDiffers, match=r"the request of USA differs from Pulumi.usa.yaml in address; expected"):
        placed("usa", **({"address": "127.0.0.2"} if moves else {}))


def test_a_partner_is_found_at_its_address(folder: Path) -> None:
    there = replace(FRA, address="192.0.2.7")
    members.write(folder, USA, there, GBR)
    assert placed("usa", spokes=["FRA", "GBR"]).partner_names == (_filed(there), _filed(GBR))
    hub = replace(USA, domain="dive.example", address="192.0.2.1")
    spoke = replace(FRA, domain="dive.example", address="192.0.2.7")
    members.write(folder, hub, spoke)
    found = placed("fra", domain="dive.example", address="192.0.2.7")
    assert (found.names.address, found.hub.address) == ("192.0.2.7", "192.0.2.1")
    assert found.partner_names == (found.hub,)


def _filed(names: Names) -> Names:
    """Return the names as a request has them: with the ports that partners use."""
    ports = {service: names.port(service) for service in endpoints_of(names)}
    return replace(names, ports={names.country.code: ports})


@pytest.mark.parametrize(
    ("own", "partner", "found"),
    [("", "127.0.0.2", "127.0.0.2"), ("127.0.0.2", "", "127.0.0.1"), ("127.0.0.2", "127.0.0.3", "127.0.0.3")],
)
def test_a_partner_at_a_loopback_address_of_its_own_is_refused(
    folder: Path, own: str, partner: str, found: str
) -> None:
    given = {"address": own} if own else {}
    for place, names, more in (("usa", USA, {"spokes": ["FRA"]}), ("fra", FRA, {})):
        other = FRA if names is USA else USA
        members.write(folder, *(replace(names, address=own), replace(other, address=partner)))
        with pytest.raises(Malformed) as refused:
            placed(place, **given, **more)
        code = other.country.code
        assert str(refused.value) == (
            f"the address of {code} is {found}, at which its own machine alone reaches it; expected an address that "
            f"{names.country.code} reaches, or {own or '127.0.0.1'} on the same machine; next: the operator of {code} "
            f"sets dive:address, runs ./dive new {code} and sends that file to the hub"
        )


def test_countries_of_one_machine_have_one_address(folder: Path) -> None:
    here = replace(USA, address="127.0.0.2"), replace(FRA, address="127.0.0.2")
    members.write(folder, *here)
    assert placed("usa", address="127.0.0.2", spokes=["FRA"]).partner_names[0].address == "127.0.0.2"
    assert placed("fra", address="127.0.0.2").hub.address == "127.0.0.2"


def test_a_preview_without_keys_assumes_the_computed_addresses() -> None:
    found = assumed(load("fra", {}))
    assert not found.policy_keys
    assert [n.url("keycloak") for n in found.partner_names] == [USA.url("keycloak")]
