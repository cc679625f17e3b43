"""Seed data by itself: complete, repeatable, with something to permit and something to refuse for every pair."""

import hashlib
import json
from base64 import b64decode
from itertools import permutations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dive_common import ztdf
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.crypto.pki import public_key
from dive_infra.identity.clearances import LEVELS
from dive_infra.seeds import clearances, communities
from dive_infra.seeds.batches import batches
from dive_infra.seeds.documents import CORNERSTONES, LARGEST, document, documents
from dive_infra.seeds.sealing import KeyService, seal

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))
SERVICE = KeyService(FRA.kas_id, FRA.url("kas"), public_key(PEM))


def test_there_are_23_communities_and_their_relations_are_mutual() -> None:
    rows = {row["_id"]: row for row in communities.definitions()}
    assert len(rows) == communities.COUNT == 23
    for one, row in rows.items():
        assert set(row["memberCountries"]) <= set(COUNTRIES)
        assert all(one in rows[other]["mutuallyExclusiveWith"] for other in row["mutuallyExclusiveWith"])
        assert all(one in rows[other]["supersetOf"] for other in row["subsetOf"])


def test_nato_has_its_32_members() -> None:
    assert len(communities.NATO) == 32


def test_every_level_has_a_name_in_every_nation_of_the_table() -> None:
    rows = clearances.equivalency()
    assert [row["level"] for row in rows] == [0, 1, 2, 3, 4]
    assert {len(row["nationalEquivalents"]) for row in rows} == {13}
    assert clearances.national("FRA", "TOP_SECRET") == "TRÈS SECRET DÉFENSE"
    assert clearances.national("ISL", "TOP_SECRET") == "TOP SECRET"


def test_a_document_depends_on_country_and_number_alone() -> None:
    assert documents(FRA, 50) == documents(FRA, 60)[:50]
    assert document(FRA, 42) == document(FRA, 42) != document(DEU, 42)


@pytest.mark.parametrize("count", [0, LARGEST + 1])
def test_a_number_of_documents_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 5000"):
        documents(FRA, count)


def test_every_pair_of_countries_has_permitted_and_refused_documents() -> None:
    fixed = {code: documents(Names(country), len(CORNERSTONES)) for code, country in COUNTRIES.items()}
    for owner, reader in permutations(COUNTRIES, 2):
        own = fixed[owner]
        open_to_all = [d for d in own if reader in d["releasabilityTo"] and not d["COI"]]
        assert {"UNCLASSIFIED", "RESTRICTED", "SECRET"} <= {d["classification"] for d in open_to_all}
        assert any(reader in d["releasabilityTo"] and d["COI"] == ["NATO"] for d in own)
        assert any(d["classification"] == "UNCLASSIFIED" and d["releasabilityTo"] == [owner] for d in own)


def test_the_archive_is_mixed() -> None:
    made = documents(FRA, 200)
    assert {d["classification"] for d in made} == set(LEVELS)
    assert len({d["title"] for d in made}) > 100
    assert all(set(d["COI"]) <= {row["_id"] for row in communities.definitions()} for d in made)


def test_no_document_carries_communities_that_exclude_each_other() -> None:
    exclusive = {row["_id"]: set(row["mutuallyExclusiveWith"]) for row in communities.definitions()}
    assert not [d["_id"] for d in documents(USA, 500) for tag in d["COI"] if exclusive[tag] & set(d["COI"])]


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


def test_the_hub_seeds_what_all_countries_decide_with() -> None:
    made = {b.collection: b.documents for b in batches(USA, USA, [FRA, DEU], public_key(PEM))}
    assert {d["issuerUrl"] for d in made["trusted_issuers"]} == {USA.issuer, FRA.issuer, DEU.issuer}
    trusted = {d["sourceCountry"]: d["trustedCountries"] for d in made["federation_matrix"]}
    assert trusted == {"USA": ["DEU", "FRA", "USA"], "FRA": ["FRA", "USA"], "DEU": ["DEU", "USA"]}
    assert len(made["resources"]) == 200


def test_a_spoke_knows_itself_and_the_hub() -> None:
    made = {b.collection: b.documents for b in batches(FRA, USA, [USA], public_key(PEM), documents=10)}
    assert {d["_id"] for d in made["kas_registry"]} == {"fra-kas", "usa-kas"}
    assert {d["_id"] for d in made["tenant_configs"]} == {"FRA", HUB.code}


def test_every_document_names_its_batch() -> None:
    for batch in batches(FRA, USA, [USA], public_key(PEM), documents=10):
        assert {d["seedBatchId"] for d in batch.documents} == {batch.id}
        assert len({d["_id"] for d in batch.documents}) == len(batch.documents)


def test_a_batch_is_another_one_when_its_key_service_has_another_key() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    one, two = (batches(FRA, USA, [USA], key, documents=10)[-1] for key in (public_key(PEM), pem))
    assert one.hash == batches(FRA, USA, [USA], public_key(PEM), documents=10)[-1].hash != two.hash
