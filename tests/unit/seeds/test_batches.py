"""Which batches a country seeds."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.crypto.pki import public_key
from dive_infra.seeds.batches import batches

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


def test_the_hub_seeds_what_all_countries_decide_with() -> None:
    made = {b.collection: b.documents for b in batches(USA, [FRA, DEU], public_key(PEM))}
    assert {d["issuerUrl"] for d in made["trusted_issuers"]} == {USA.issuer, FRA.issuer, DEU.issuer}
    trusted = {d["sourceCountry"]: d["trustedCountries"] for d in made["federation_matrix"]}
    assert trusted == {code: ["DEU", "FRA", "USA"] for code in ("USA", "FRA", "DEU")}, "at most; each declares its own"
    assert len(made["resources"]) == 200


def test_a_spoke_knows_itself_and_its_partners() -> None:
    made = {b.collection: b.documents for b in batches(FRA, [USA], public_key(PEM), documents=10)}
    assert {d["_id"] for d in made["kas_registry"]} == {"fra-kas", "usa-kas"}
    assert {d["_id"] for d in made["tenant_configs"]} == {"FRA", HUB.code}


def test_every_document_names_its_batch() -> None:
    for batch in batches(FRA, [USA], public_key(PEM), documents=10):
        assert {d["seedBatchId"] for d in batch.documents} == {batch.id}
        assert len({d["_id"] for d in batch.documents}) == len(batch.documents)


def test_a_batch_is_another_one_when_its_key_service_has_another_key() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    one, two = (batches(FRA, [USA], key, documents=10)[-1] for key in (public_key(PEM), pem))
    assert one.hash == batches(FRA, [USA], public_key(PEM), documents=10)[-1].hash != two.hash
