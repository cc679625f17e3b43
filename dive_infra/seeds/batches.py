"""All seed data of a country, in batches: which documents, with stable ids, belong in which collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.seeds import communities, national_clearances
from dive_infra.seeds.documents import documents as documents_of
from dive_infra.seeds.sealing import KeyService, fingerprint

DEFAULT_DOCUMENTS = 200


@dataclass(frozen=True)
class Batch:
    """Documents (each with `_id`) of one collection; sealed for `key_service` if there is one."""

    id: str
    collection: str
    documents: list[dict[str, Any]]
    key_service: KeyService | None = None

    @cached_property
    def wanted(self) -> dict[str, str]:
        """Return document id -> fingerprint of its wanted content and recipient."""
        service = self.key_service
        recipient = [service.id, service.url, service.kid] if service else []
        return {d["_id"]: fingerprint([d, *recipient]) for d in self.documents}

    @cached_property
    def hash(self) -> str:
        return content_hash(self.wanted)


def content_hash(prints: dict[str, str]) -> str:
    """Return one fingerprint over those of the documents."""
    return fingerprint(sorted(prints.items()))


def batches(
    names: Names, partners: Sequence[Names], kas_public_key: str, documents: int = DEFAULT_DOCUMENTS
) -> list[Batch]:
    """Return the batches of a country; `partners` are the countries it is linked with (for a spoke, first the hub).

    `kas_public_key` (PEM) is the country's own; `documents` is 1 to 5000. At the hub, the policy engines of all
    countries work with these data.
    """
    countries = list({n.country.code: n for n in (names, *partners)}.values())
    key_service = KeyService(names.kas_id, names.url("kas"), kas_public_key)
    contents: dict[str, list[dict[str, Any]]] = {
        "coi_definitions": communities.definitions(),
        "trusted_issuers": [_issuer(n) for n in countries],
        "federation_matrix": _matrix(countries),
        "tenant_configs": [_tenant(n) for n in countries],
        "kas_registry": [_key_service(n) for n in countries],
        "clearance_equivalency": national_clearances.equivalency(),
    }
    made = [_batch(names, collection, rows) for collection, rows in contents.items()]
    return [*made, _batch(names, "resources", documents_of(names, documents), key_service)]


def _batch(names: Names, collection: str, rows: list[dict[str, Any]], service: KeyService | None = None) -> Batch:
    batch_id = f"seed-{names.country.lower}-{collection}"
    return Batch(batch_id, collection, [row | {"seedBatchId": batch_id} for row in rows], service)


def _issuer(names: Names) -> dict[str, Any]:
    return {
        "_id": names.issuer,
        "issuerUrl": names.issuer,
        "tenant": names.country.code,
        "country": names.country.code,
        "name": f"{names.country.name} identity provider",
        "trustLevel": "HIGH",
        "realm": names.realm,
        "enabled": True,
    }


def _matrix(countries: Sequence[Names]) -> list[dict[str, Any]]:
    """Return whose users each country may accept at most: those of all members. Whom it does accept, it declares."""
    codes = sorted(n.country.code for n in countries)
    return [{"_id": code, "sourceCountry": code, "trustedCountries": codes} for code in codes]


def _tenant(names: Names) -> dict[str, Any]:
    return {
        "_id": names.country.code,
        "code": names.country.code,
        "name": names.country.name,
        "aal_enforced": False,  # users sign in with a password only, for now
        "industry_max_classification": "RESTRICTED",
    }


def _key_service(names: Names) -> dict[str, Any]:
    return {
        "_id": names.kas_id,
        "kasId": names.kas_id,
        "kasUrl": names.url("kas"),
        "country": names.country.code,
        "authMethod": "jwt",
        "trustLevel": "HIGH",
        "supportedCountries": [names.country.code],
        "supportedCOIs": [row["coiId"] for row in communities.definitions()],
        "status": "active",
        "enabled": True,
    }
