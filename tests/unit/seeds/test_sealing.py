"""Sealed documents."""

import hashlib
import json
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dive_common import ztdf
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.crypto.pki import public_key
from dive_infra.seeds.documents import document
from dive_infra.seeds.sealing import KeyService, seal

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))
SERVICE = KeyService(FRA.kas_id, FRA.url("kas"), public_key(PEM))


def test_a_sealed_document_opens_with_its_key_and_policy_alone() -> None:
    clear = document(FRA, 5)
    sealed = seal(clear, SERVICE)
    assert "content" not in sealed
    assert clear["content"] not in json.dumps(sealed)
    access = sealed["ztdf"]["payload"]["keyAccess"][0]
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    key = PRIVATE.decrypt(b64decode(access["wrappedKey"]), oaep)
    assert sealed["ztdf"]["policyHash"] == ztdf.policy_hash(sealed["ztdf"]["policy"])
    assert access["policyBinding"]["hash"] == ztdf.binding(key, sealed["ztdf"]["policyHash"])
    assert ztdf.open_payload(sealed["ztdf"], key).decode() == clear["content"]
    sealed["ztdf"]["policy"]["securityLabel"]["classification"] = "UNCLASSIFIED"
    with pytest.raises(ztdf.IntegrityError):
        ztdf.open_payload(sealed["ztdf"], key)


def test_the_payload_hash_is_sha_384_of_the_ciphertext() -> None:
    payload = seal(document(FRA, 1), SERVICE)["ztdf"]["payload"]
    assert payload["payloadHash"] == hashlib.sha384(b64decode(payload["ciphertext"])).hexdigest()


def test_no_two_sealings_share_key_or_nonce() -> None:
    payloads = [seal(document(FRA, 1), SERVICE)["ztdf"]["payload"] for _ in range(2)]
    assert payloads[0]["iv"] != payloads[1]["iv"]
    assert payloads[0]["ciphertext"] != payloads[1]["ciphertext"]
