"""The signed envelope: what is signed, by whom, and for which format."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.membership import canonical, keys, signed
from dive_infra.membership.refusals import BadSignature, Malformed, MembershipError, Source
from dive_infra.membership.signed import Format
from dive_infra.results.remedy import Remedy

SOURCE = Source("coalition.json", Remedy.decide("get it again"))
KEY = keys.new_signing_key()
PUBLIC = keys.public_text(KEY)
PAYLOAD = {"serial": 7, "members": {"FRA": {"zone": "fra.dive.localhost"}}, "probe": None, "text": "é"}
CONTENT = signed.sign(Format.COALITION, PAYLOAD, KEY)


def accepted(content: bytes, key: str = PUBLIC, form: Format = Format.COALITION) -> dict[str, Any]:
    envelope = signed.read(content, form, SOURCE)
    signed.check(envelope, key, "the coalition key", SOURCE)
    return envelope.payload


def test_a_signed_payload_is_read() -> None:
    assert accepted(CONTENT) == PAYLOAD


def test_the_signature_is_over_the_format_and_the_canonical_payload() -> None:
    """As the page says, so that another program can check it."""
    envelope = canonical.read(CONTENT, SOURCE)
    key = Ed25519PublicKey.from_public_bytes(keys.public_bytes(PUBLIC))
    message = b"dive-coalition-v1\n" + canonical.canonical(envelope["payload"])
    key.verify(keys.decoded(envelope["signature"]), message)


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, difference: int) -> None:
    changed = bytearray(CONTENT)
    changed[at] ^= difference
    with pytest.raises(MembershipError):
        accepted(bytes(changed))


@given(st.integers(0, len(CONTENT)), st.integers(0, len(CONTENT)), st.binary(max_size=3))
def test_any_bytes_cut_out_or_put_in_are_refused(start: int, end: int, fresh: bytes) -> None:
    changed = CONTENT[: min(start, end)] + fresh + CONTENT[max(start, end) :]
    if changed != CONTENT:
        with pytest.raises(MembershipError):
            accepted(changed)


def test_another_key_is_refused_with_the_expected_one() -> None:
    other = keys.public_text(keys.new_signing_key())
    with pytest.raises(BadSignature) as refused:
        accepted(CONTENT, other)
    found = "coalition.json was changed after it was signed, or was signed with another key"
    assert str(refused.value) == f"{found}; expected a signature by the coalition key ({other}); next: get it again"


def test_a_key_that_is_none_has_signed_nothing() -> None:
    with pytest.raises(BadSignature, match=r"the coalition key \(mistyped\)"):
        accepted(CONTENT, "mistyped")


def test_a_signature_counts_for_its_format_alone() -> None:
    relabelled = CONTENT.replace(b"dive-coalition-v1", b"dive-request-v1")
    with pytest.raises(BadSignature):
        accepted(relabelled, form=Format.REQUEST)
    with pytest.raises(Malformed, match="has the format dive-coalition-v1; expected dive-request-v1"):
        accepted(CONTENT, form=Format.REQUEST)


@pytest.mark.parametrize("key", ["format", "payload", "signature"])
def test_the_envelope_has_these_three_keys_and_no_unknown_one(key: str) -> None:
    envelope = canonical.read(CONTENT, SOURCE)
    with pytest.raises(Malformed, match="extra: extra inputs are not permitted"):
        accepted(canonical.text(envelope | {"extra": 1}).encode())
    del envelope[key]
    with pytest.raises(Malformed, match=f"{key}: field required"):
        accepted(canonical.text(envelope).encode())


SUCCESSOR = keys.new_signing_key()
BOTH = signed.sign(Format.COALITION, PAYLOAD, KEY + SUCCESSOR)


@pytest.mark.parametrize("private", [KEY, SUCCESSOR])
def test_a_file_of_two_keys_is_accepted_by_either_and_by_no_other(private: str) -> None:
    assert accepted(BOTH, keys.public_text(private)) == PAYLOAD
    with pytest.raises(BadSignature):
        accepted(BOTH, keys.public_text(keys.new_signing_key()))


@given(st.integers(0, len(BOTH) - 1), st.integers(1, 255))
def test_a_file_of_two_keys_says_what_both_have_signed(at: int, difference: int) -> None:
    """One of the signatures may be altered: the other one still proves every word."""
    changed = bytearray(BOTH)
    changed[at] ^= difference
    try:
        found = accepted(bytes(changed))
    except MembershipError:
        return
    assert found == PAYLOAD


def test_without_a_second_signature_the_file_has_no_place_for_one() -> None:
    envelope = canonical.read(CONTENT, SOURCE)
    with pytest.raises(Malformed, match="countersignature"):
        accepted(canonical.text(envelope | {"countersignature": ""}).encode())


def test_a_file_of_one_key_is_as_it_was_before_there_were_two() -> None:
    assert canonical.read(CONTENT, SOURCE).keys() == {"format", "payload", "signature"}
