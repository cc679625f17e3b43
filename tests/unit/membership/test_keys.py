"""Keys: their kinds, and the one text of a public half."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.crypto import pki
from dive_infra.membership import keys
from dive_infra.membership.refusals import Malformed


def test_each_key_is_new_and_of_its_kind() -> None:
    assert keys.signing_key(keys.new_signing_key())
    assert keys.sealing_key(keys.new_sealing_key())
    authority = serialization.load_pem_private_key(keys.new_authority_key().encode(), None)
    assert isinstance(authority, EllipticCurvePrivateKey)
    assert isinstance(authority.curve, SECP256R1)
    assert keys.new_signing_key() != keys.new_signing_key()


@pytest.mark.parametrize("private", [keys.new_signing_key(), keys.new_sealing_key()])
def test_a_public_half_is_one_line_of_32_bytes(private: str) -> None:
    text = keys.public_text(private)
    assert len(text) == 44
    assert keys.public_bytes(text) in base64.b64decode(pki.public_key(private).splitlines()[1])


def test_the_public_half_of_a_policy_key_is_pem() -> None:
    private = keys.new_policy_key()
    assert keys.public_text(private) == pki.public_key(private)
    assert pki.is_rsa_public_key(keys.public_text(private))


def test_the_public_half_of_a_ca_is_in_its_signing_request() -> None:
    with pytest.raises(Malformed, match=r"of another kind \(ECPrivateKey\); expected Ed25519, X25519 or RSA"):
        keys.public_text(keys.new_authority_key())


@pytest.mark.parametrize("pem", ["", "no key", keys.new_sealing_key()[:80]])
def test_what_is_no_private_key_is_refused_without_quoting_it(pem: str) -> None:
    with pytest.raises(Malformed) as refused:
        keys.signing_key(pem)
    assert str(refused.value) == "a private key cannot be read; expected PEM without a passphrase"
    assert refused.value.__cause__ is None


def test_a_private_key_of_another_kind_is_refused() -> None:
    with pytest.raises(Malformed, match=r"of another kind \(X25519PrivateKey\); expected Ed25519"):
        keys.signing_key(keys.new_sealing_key())
    with pytest.raises(Malformed, match=r"of another kind \(ECPrivateKey\); expected X25519"):
        keys.sealing_key(keys.new_authority_key())


@given(st.binary(max_size=70))
def test_bytes_have_one_text(content: bytes) -> None:
    text = keys.encoded(content)
    assert keys.decoded(text) == content
    for other in (f"{text} ", f"{text}\n", text.rstrip("=") + "====", f"={text}"):
        with pytest.raises(ValueError, match=r"."):
            keys.decoded(other)


def test_a_text_with_unused_bits_is_not_a_second_text_of_the_same_bytes() -> None:
    assert keys.decoded("AA==") == b"\0"
    with pytest.raises(ValueError, match="one form"):
        keys.decoded("AB==")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_public_key_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        keys.public_bytes(keys.encoded(bytes(size)))
