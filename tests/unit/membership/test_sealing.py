"""Sealed texts open for their recipient, in their context, unchanged; in no other case."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.membership import keys
from dive_infra.membership.refusals import CannotOpen, CannotSeal, Malformed
from dive_infra.membership.sealing import SealContext, seal, unseal

KEY, OTHER_KEY = keys.new_sealing_key(), keys.new_sealing_key()
PUBLIC = keys.public_text(KEY)
CONTEXT = SealContext("USA", "FRA", "probe password")
SEALED = seal("correct horse", PUBLIC, CONTEXT)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CONTEXTS = st.builds(SealContext, TEXTS, TEXTS, TEXTS)


@given(TEXTS, CONTEXTS)
def test_a_text_opens_for_its_recipient_and_for_no_one_else(text: str, context: SealContext) -> None:
    sealed = seal(text, PUBLIC, context)
    assert unseal(sealed, KEY, context) == text
    with pytest.raises(CannotOpen):
        unseal(sealed, OTHER_KEY, context)


@given(CONTEXTS)
def test_a_text_opens_in_its_context_alone(context: SealContext) -> None:
    if context != CONTEXT:
        with pytest.raises(CannotOpen):
            unseal(SEALED, KEY, context)


@pytest.mark.parametrize("changed", [{"sender": "GBR"}, {"recipient": "GBR"}, {"purpose": "other"}])
def test_each_part_of_the_context_counts(changed: dict[str, str]) -> None:
    with pytest.raises(CannotOpen):
        unseal(SEALED, KEY, replace(CONTEXT, **changed))


def test_parts_of_a_context_cannot_be_shifted_into_each_other() -> None:
    with pytest.raises(CannotOpen):
        unseal(SEALED, KEY, SealContext("USAFRA", "", CONTEXT.purpose))


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 127))
def test_any_changed_character_is_refused(at: int, difference: int) -> None:
    changed = SEALED[:at] + chr(ord(SEALED[at]) ^ difference) + SEALED[at + 1 :]
    with pytest.raises(CannotOpen):
        unseal(changed, KEY, CONTEXT)


@given(st.binary(max_size=80))
def test_what_was_never_sealed_is_refused(content: bytes) -> None:
    with pytest.raises(CannotOpen):
        unseal(keys.encoded(content), KEY, CONTEXT)


def test_the_refusal_says_what_to_do_and_quotes_nothing() -> None:
    with pytest.raises(CannotOpen) as refused:
        unseal(SEALED, OTHER_KEY, CONTEXT)
    assert str(refused.value) == (
        "cannot open the probe password from USA to FRA: it was changed, or sealed to another key or for another use; "
        "expected a text sealed to this country's key; "
        "next: ask USA to seal it again to the key in the request of FRA"
    )


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert seal("correct horse", PUBLIC, CONTEXT) != SEALED
    assert "correct" not in SEALED


@pytest.mark.parametrize("key", [keys.encoded(bytes(32)), "AAAA", "no key"])
def test_nothing_is_sealed_to_what_is_no_key(key: str) -> None:
    """All zeros is a point of low order: the shared secret would be known to everyone."""
    with pytest.raises(CannotSeal) as refused:
        seal("correct horse", key, CONTEXT)
    assert str(refused.value) == (
        f"nothing can be sealed to the key {key!r} of FRA; expected an X25519 public key, 32 bytes in base64; "
        "next: ask FRA for a new request"
    )


def test_a_signing_key_opens_nothing() -> None:
    with pytest.raises(Malformed, match="of another kind"):
        unseal(SEALED, keys.new_signing_key(), CONTEXT)


@pytest.mark.parametrize("held", [KEY + OTHER_KEY, OTHER_KEY + KEY])
def test_either_of_two_keys_opens_a_text(held: str) -> None:
    assert unseal(SEALED, held, CONTEXT) == "correct horse"
    with pytest.raises(CannotOpen):
        unseal(SEALED, OTHER_KEY + keys.new_sealing_key(), CONTEXT)
