"""The coalition document: what a country believes, and each refusal with its message."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.membership import authority, document, keys
from dive_infra.membership.document import Agreement, Coalition, Member, Seen
from dive_infra.membership.refusals import (
    BadCertificate,
    BadSignature,
    Expired,
    Malformed,
    MembershipError,
    NotAMember,
    NotYetValid,
    OtherCoalition,
    OutsideZone,
    RequestDiffers,
    Rollback,
    UnknownMember,
)
from dive_infra.membership.zone import endpoints_of
from dive_infra.results.codes import Code
from tests.unit.membership import example
from tests.unit.membership.example import (
    COALITION_CA,
    COALITION_KEY,
    DAY,
    FRA,
    FRA_REQUEST,
    NOW,
    PIN,
    ROOT,
    USA,
    coalition,
    signed_document,
)

DOCUMENT = coalition()
CONTENT = document.sign(DOCUMENT, COALITION_KEY)
FETCH = (
    "Next, one of:\n  get the document from the hub again, byte for byte"
    "\n  compare the coalition key that this country pins with the hub's"
)
ISSUE = "next: pulumi up -s usa (issues a new document)"


def read(content: bytes = CONTENT, now: datetime = NOW, last: Coalition | None = None) -> Coalition:
    return document.read(content, PIN, "dive", now, Seen.of(last) if last else None, "coalition.json")


def test_a_document_is_read_as_it_was_signed() -> None:
    assert read() == DOCUMENT
    assert read(last=DOCUMENT) == DOCUMENT, "the same document again"
    assert read(last=coalition(serial=6)) == DOCUMENT


def test_a_document_during_a_rotation_names_both_authorities() -> None:
    fresh = pki.issue("DIVE coalition", 30, authority=True)
    both = coalition(authorities=(ROOT.chain, fresh.chain))
    assert read(document.sign(both, COALITION_KEY)) == both


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, difference: int) -> None:
    changed = bytearray(CONTENT)
    changed[at] ^= difference
    with pytest.raises(MembershipError):
        read(bytes(changed))


OTHER: dict[str, Any] = {
    "serial": 8,
    "namespace": "other",
    "issued": NOW - DAY,
    "expires": NOW + 999 * DAY,
    "authorities": (pki.issue("other", 30, authority=True).chain,),
    "members": {"FRA": FRA},
}
OTHER_OF_MEMBER: dict[str, Any] = {
    "zone": "fra.example.org",
    "endpoints": FRA.endpoints | {"keycloak": "https://idp.fra.dive.localhost:9999"},
    "certificate": USA.certificate,
    "agreement": Agreement(clearance="TOP_SECRET", communities=(), assurance=3, expires=NOW + 999 * DAY),
    "deployer_key": keys.public_text(keys.new_signing_key()),
    "sealing_key": keys.public_text(keys.new_sealing_key()),
    "policy_key": keys.public_text(keys.new_policy_key()),
    "fingerprint": "0000 0000 0000 0000 0000 0000 0000 0000",
    "requested": NOW,
    "address": "192.0.2.7",
}


def test_every_field_is_changed_below() -> None:
    assert OTHER.keys() == Coalition.model_fields.keys()
    assert OTHER_OF_MEMBER.keys() == type(FRA).model_fields.keys()


@pytest.mark.parametrize(
    "changed",
    [{field: value} for field, value in OTHER.items()]
    + [
        {"members": {"FRA": FRA.model_copy(update={field: value}), "USA": USA}}
        for field, value in OTHER_OF_MEMBER.items()
    ],
)
def test_any_changed_field_is_refused(changed: dict[str, Any]) -> None:
    content = signed_document(**changed)
    old, new = (re.search(rb'"signature": ".*"', c) for c in (CONTENT, content))
    assert old
    assert new
    assert old[0] != new[0]
    with pytest.raises(BadSignature) as refused:
        read(content.replace(new[0], old[0]))
    found = "coalition.json was changed after it was signed, or was signed with another key"
    assert str(refused.value) == f"{found}; expected a signature by the coalition key ({PIN}). {FETCH}"


def test_a_document_of_another_key_is_refused() -> None:
    with pytest.raises(BadSignature):
        read(document.sign(DOCUMENT, keys.new_signing_key()))


def test_a_request_is_no_document() -> None:
    with pytest.raises(Malformed, match="has the format dive-request-v1; expected dive-coalition-v1"):
        read(example.signed_request())


def test_a_document_of_another_coalition_is_refused() -> None:
    with pytest.raises(OtherCoalition) as refused:
        read(signed_document(namespace="divetest"))
    assert str(refused.value) == f"coalition.json is of the coalition 'divetest'; expected dive. {FETCH}"


def test_an_expired_document_is_refused() -> None:
    assert read(now=NOW + 30 * DAY - DAY)
    with pytest.raises(Expired) as refused:
        read(now=NOW + 30 * DAY)
    found = "coalition.json expired at 2026-12-24T12:00:05Z"
    assert str(refused.value) == f"{found}; expected a document that is valid at 2026-12-24T12:00:05Z; {ISSUE}"


def test_a_document_from_the_future_is_refused_unless_clocks_differ_a_little() -> None:
    minute = DAY / 1440
    assert read(now=NOW - 5 * minute)
    with pytest.raises(NotYetValid) as refused:
        read(now=NOW - 6 * minute)
    assert str(refused.value) == (
        "coalition.json was issued at 2026-11-24T12:00:05Z, and the clock here says 2026-11-24T11:54:05Z; expected "
        "clocks that agree within 5 minutes, here and at the hub; next: timedatectl set-ntp true"
    )


def test_a_document_that_expires_before_it_was_issued_is_refused() -> None:
    with pytest.raises(Malformed, match="expires at 2026-11-24T12:00:05Z; expected a time after 2026-11-24T12:00:05Z"):
        read(signed_document(expires=NOW))


def test_an_older_document_is_refused() -> None:
    with pytest.raises(Rollback) as refused:
        read(last=coalition(serial=8))
    found = "coalition.json has the serial 7, older than the last one that was accepted"
    assert str(refused.value) == f"{found}; expected 8 or higher. {FETCH}"


@pytest.mark.parametrize("changed", [{field: value} for field, value in OTHER.items() if field != "serial"])
def test_another_document_with_the_same_serial_is_refused(changed: dict[str, Any]) -> None:
    last = coalition(**changed)
    other, mine = Seen.of(last), Seen.of(DOCUMENT)
    with pytest.raises(Rollback) as refused:
        read(last=last)
    assert str(refused.value) == (
        f"coalition.json is another document with the serial 7 ({mine.digest[:16]}); expected the one that was "
        f"accepted ({other.digest[:16]}), or a higher serial; {ISSUE}"
    )


def test_a_member_with_a_look_alike_code_is_refused() -> None:
    with pytest.raises(UnknownMember, match=r"coalition.json: country 'FR\\u0410' is not known"):
        read(signed_document(members={"FR\N{CYRILLIC CAPITAL LETTER A}": FRA}))


def test_an_endpoint_outside_its_zone_is_refused() -> None:
    moved = FRA.model_copy(update={"endpoints": FRA.endpoints | {"keycloak": "https://idp.usa.dive.localhost:8443"}})
    with pytest.raises(OutsideZone, match=r"coalition\.json: the endpoint keycloak of FRA is"):
        read(signed_document(members={"FRA": moved}))


def test_a_zone_below_another_members_is_refused() -> None:
    """The CA of the other one could sign for it."""
    names = Names(parse("FRA"), domain="usa.dive.localhost")
    nested = example.request(zone=names.zone, endpoints=endpoints_of(names))
    with pytest.raises(OutsideZone) as refused:
        read(signed_document(members={"FRA": example.member(nested), "USA": USA}))
    found = "coalition.json: the zone of FRA is fra.usa.dive.localhost"
    assert str(refused.value) == f"{found}; expected a zone that is not below usa.dive.localhost. {FETCH}"


@pytest.mark.parametrize(
    "certificate",
    [
        pytest.param(lambda: USA.certificate, id="another zone"),
        pytest.param(lambda: ROOT.chain, id="the coalition's own"),
        pytest.param(lambda: foreign(), id="another coalition"),
    ],
)
def test_a_certificate_that_is_not_the_members_is_refused(certificate: Callable[[], str]) -> None:
    wrong = FRA.model_copy(update={"certificate": certificate()})
    with pytest.raises(BadCertificate, match=r"coalition\.json: the CA certificate of FRA"):
        read(signed_document(members={"FRA": wrong}))


def foreign() -> str:
    root = pki.issue("other", 30, authority=True)
    issuer = pki.Issuer(root.chain, root.key)
    return authority.certificate_for(FRA_REQUEST.signing_request, "FRA", FRA.zone, 20, issuer)


@pytest.mark.parametrize("authorities", [(), (ROOT.chain,) * 3])
def test_a_document_has_one_authority_or_two(authorities: tuple[str, ...]) -> None:
    payload = DOCUMENT.plain() | {"authorities": list(authorities)}
    content = document.signed.sign(document.Format.COALITION, payload, COALITION_KEY)
    with pytest.raises(Malformed, match="authorities: tuple should have at"):
        read(content)


@pytest.mark.parametrize("field", ["deployer_key", "sealing_key", "fingerprint"])
def test_a_fingerprint_is_of_the_keys_in_the_entry(field: str) -> None:
    wrong = FRA.model_copy(update={field: OTHER_OF_MEMBER[field]})
    with pytest.raises(
        Malformed, match=r"coalition\.json has for FRA the fingerprint .*, that of the keys in its entry"
    ):
        read(signed_document(members={"FRA": wrong}))


def test_an_authority_that_is_no_ca_is_refused() -> None:
    with pytest.raises(BadCertificate, match="a certificate cannot be used"):
        read(signed_document(authorities=("no PEM",)))


def test_the_hub_signs_no_document_that_would_be_refused() -> None:
    with pytest.raises(Malformed):
        document.sign(coalition(expires=NOW), COALITION_KEY)


def test_a_member_finds_its_entry() -> None:
    assert DOCUMENT.member("FRA") == FRA
    assert DOCUMENT.member_of(FRA_REQUEST) == FRA


def test_a_country_without_an_entry_is_no_member() -> None:
    with pytest.raises(NotAMember) as refused:
        DOCUMENT.member("GBR")
    assert str(refused.value) == (
        "the coalition document 7 has no entry for GBR; expected one of FRA, USA; "
        "next: add GBR to dive:spokes of the hub, then: pulumi up -s usa"
    )
    assert refused.value.code == Code.NOT_APPROVED


def test_an_agreement_that_has_ended_is_no_reason_to_refuse_the_entry() -> None:
    """It concerns people: the country itself is deployed and heals as before."""
    past = Agreement(expires=NOW - DAY)
    found = coalition(members={"FRA": FRA.model_copy(update={"agreement": past}), "USA": USA})
    assert read(document.sign(found, COALITION_KEY)).member_of(FRA_REQUEST).agreement == past


def test_an_agreement_that_states_nothing_limits_nothing_and_has_no_end() -> None:
    assert FRA.agreement.limits
    assert not Agreement().limits
    unlimited = FRA.model_copy(update={"agreement": Agreement()})
    found = read(document.sign(coalition(members={"FRA": unlimited}), COALITION_KEY))
    assert found.member("FRA").agreement.plain() == {
        "clearance": "TOP_SECRET",
        "communities": None,
        "assurance": 3,
        "expires": None,
    }


@pytest.mark.parametrize("field", Agreement.model_fields)
def test_an_agreement_in_a_document_leaves_nothing_out(field: str) -> None:
    payload = DOCUMENT.plain()
    del payload["members"]["FRA"]["agreement"][field]
    content = document.signed.sign(document.Format.COALITION, payload, COALITION_KEY)
    with pytest.raises(Malformed, match=f"members.FRA.agreement: the field {field} is missing"):
        read(content)


def test_an_endpoint_that_changed_without_a_new_request_is_refused() -> None:
    moved = {"endpoints": OTHER_OF_MEMBER["endpoints"]}
    changed = coalition(members={"FRA": FRA.model_copy(update=moved)})
    with pytest.raises(RequestDiffers) as refused:
        read(document.sign(changed, COALITION_KEY)).member_of(FRA_REQUEST)
    assert str(refused.value) == (
        "the coalition document 7 has for FRA the endpoint keycloak https://idp.fra.dive.localhost:9999; expected "
        "https://idp.fra.dive.localhost:8453, as in the request of 2026-11-23T12:00:05Z; "
        "next: create and sign a new request of FRA with what has changed, and have the hub approve it"
    )


def test_a_newer_request_waits_for_the_hub() -> None:
    newer = example.request(endpoints=OTHER_OF_MEMBER["endpoints"], created=NOW)
    with pytest.raises(RequestDiffers) as refused:
        DOCUMENT.member_of(newer)
    assert str(refused.value) == (
        "the coalition document 7 has for FRA the endpoint keycloak https://idp.fra.dive.localhost:8453; expected "
        "https://idp.fra.dive.localhost:9999, as in the request of 2026-11-24T12:00:05Z; "
        "next: approve the newer request there, then: pulumi up -s usa"
    )


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"zone": "fra.example.org"}, "the zone fra.example.org"),
        ({"address": "192.0.2.7"}, "the address 192.0.2.7; expected 127.0.0.1, as in the request"),
        ({"endpoints": {"keycloak": FRA.endpoints["keycloak"]}}, "the endpoint backend none"),
        ({"endpoints": {**FRA.endpoints, "opa": "https://opa.fra.dive.localhost:1"}}, "the endpoint opa https://opa"),
        ({"deployer_key": OTHER_OF_MEMBER["deployer_key"]}, "the deployer key "),
        ({"sealing_key": OTHER_OF_MEMBER["sealing_key"]}, "the sealing key "),
        ({"policy_key": OTHER_OF_MEMBER["policy_key"]}, "the policy key [0-9a-f]{64}; expected [0-9a-f]{64}, as"),
        ({"fingerprint": OTHER_OF_MEMBER["fingerprint"]}, "the fingerprint 0000 0000"),
        (
            {
                "certificate": authority.certificate_for(
                    authority.signing_request("FRA", keys.new_authority_key()), "FRA", FRA.zone, 20, COALITION_CA
                )
            },
            "the CA key ",
        ),
    ],
)
def test_an_entry_that_is_not_what_was_requested_is_refused(changed: dict[str, Any], what: str) -> None:
    entry = FRA.model_copy(update=changed)
    with pytest.raises(RequestDiffers, match=f"the coalition document 7 has for FRA {what}"):
        coalition(members={"FRA": entry}).member_of(FRA_REQUEST)


def test_a_member_has_the_names_of_its_endpoints() -> None:
    moved = FRA.model_copy(update={"endpoints": OTHER_OF_MEMBER["endpoints"]})
    found = coalition(members={"FRA": moved}).names("FRA")
    assert (found.namespace, found.zone) == ("dive", FRA.zone)
    assert {service: found.url(service) for service in moved.endpoints} == moved.endpoints
    with pytest.raises(NotAMember):
        DOCUMENT.names("GBR")
    with pytest.raises(OutsideZone, match="the entry of GBR: the zone of GBR is fra"):
        document.names_of("GBR", FRA, "dive")


def test_a_member_on_the_network_has_its_address_in_its_names_and_a_ca_for_it() -> None:
    there = example.member(example.request(address="192.0.2.7"))
    found = read(document.sign(coalition(members={"FRA": there}), COALITION_KEY))
    assert found.names("FRA") == replace(DOCUMENT.names("FRA"), address="192.0.2.7")
    moved = there.model_copy(update={"address": "192.0.2.8"})
    with pytest.raises(BadCertificate, match=r"FRA is for .*192\.0\.2\.7/32; expected a CA for .* and 192\.0\.2\.8/32"):
        read(signed_document(members={"FRA": moved}))


def test_a_document_without_addresses_is_that_of_an_earlier_version() -> None:
    assert b"address" not in CONTENT


def issue(previous: Coalition | None, now: datetime = NOW, **members: Member) -> Coalition:
    return document.issue(previous, "dive", [ROOT.chain], members, now, 30 * DAY)


def test_the_first_document_is_valid_at_once_and_for_its_lifetime() -> None:
    made = issue(None, FRA=FRA)
    assert made == coalition(serial=int(NOW.timestamp()), members={"FRA": FRA})
    assert read(document.sign(made, COALITION_KEY)) == made


@given(st.integers(-86400, 86400))
def test_each_document_follows_the_last_one(elapsed: int) -> None:
    now = NOW + timedelta(seconds=elapsed)
    assert issue(DOCUMENT, now).serial == int(now.timestamp())
    last = issue(None)
    assert issue(last, now).serial == max(last.serial + 1, int(now.timestamp()))


def test_a_hub_that_has_lost_its_state_issues_no_older_document() -> None:
    last = issue(issue(None))
    content = document.sign(issue(None, NOW + timedelta(seconds=2)), COALITION_KEY)
    assert read(content, last=last).serial > last.serial
