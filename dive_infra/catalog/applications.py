"""Our own services: backend, key access service and portal.

Any image with the same interface can replace them: these variables, these files, this port and health path.
"""

import json
from collections.abc import Mapping, Sequence

from dive_infra.catalog import policy
from dive_infra.catalog.datastores import ROOT_USER
from dive_infra.catalog.spec import FILES, Material, ServiceSpec, https_health
from dive_infra.config.naming import Names
from dive_infra.membership.document import Agreement

UID = 1000

PARTNERS = f"{FILES}/partners.json"  # whose people are served: a country joins or leaves, and nothing restarts
Agreements = Mapping[str, Agreement]  # country -> what is believed of its people at most


def _identity(names: Names) -> dict[str, str]:
    """Return which country a service belongs to and whose tokens it accepts: only its own realm's, which brokers."""
    return {
        "INSTANCE_CODE": names.country.code,
        "INSTANCE_NAME": names.country.name,
        "INSTANCE_REALM": names.realm,
        "TRUSTED_ISSUERS": names.issuer,
    }


def _mongodb(names: Names) -> dict[str, str]:
    return {
        "MONGODB_URL": f"mongodb://{names.host('mongodb')}:{names.port('mongodb')}/",
        "MONGODB_USERNAME": ROOT_USER,
        "MONGODB_DATABASE": names.mongo_database,
    }


def backend(
    names: Names, hub: Names, partners: Sequence[Names] = (), agreements: Agreements | None = None
) -> ServiceSpec:
    """Return the API, for people of this country and of `partners`, as far as `agreements` with them go.

    At the hub it also distributes policies.
    """

    def files(material: Material) -> dict[str, str]:
        secret = material.secrets
        own = {
            f"{FILES}/mongodb-password": secret["mongodb"],
            f"{FILES}/redis-password": secret["redis"],
            f"{FILES}/opa-token": secret["opa-token"],
            PARTNERS: _realms(names, partners, agreements or {}),
        }
        if names.country.is_hub:
            own |= policy.distribution_files(material)
        return material.tls() | own

    port = names.port("backend")
    return ServiceSpec(
        name="backend",
        image="dive/backend",
        uid=UID,
        files=files,
        live=(PARTNERS, *((policy.MEMBERS, policy.COALITION) if names.country.is_hub else ())),
        secrets=("mongodb", "redis", "opa-token", *(("policy-key",) if names.country.is_hub else ())),
        environment={
            **_identity(names),
            **_mongodb(names),
            "PORT": str(port),
            "IS_HUB": str(names.country.is_hub).lower(),
            "REDIS_URL": f"rediss://{names.host('redis')}:{names.port('redis')}/0",
            "KEYCLOAK_URL": names.url("keycloak"),
            "OPA_URL": names.url("opa"),
            "KAS_URL": names.url("kas"),
            "API_URL": names.url("backend"),
        },
        health=https_health(names.host("backend"), port, "/api/health"),
        needs=("mongodb", "redis", "opa"),
        linked="partners" if names.country.is_hub else "none",  # spokes fetch policies here
    )


def kas(names: Names, hub: Names, partners: Sequence[Names] = (), agreements: Agreements | None = None) -> ServiceSpec:
    """Return the key access service, for the same people; the secret `kas-key` is its private key."""

    def files(material: Material) -> dict[str, str]:
        return material.tls() | {
            f"{FILES}/mongodb-password": material.secrets["mongodb"],
            f"{FILES}/opa-token": material.secrets["opa-token"],
            f"{FILES}/kas.key": material.secrets["kas-key"],
            PARTNERS: _realms(names, partners, agreements or {}),
        }

    port = names.port("kas")
    return ServiceSpec(
        name="kas",
        image="dive/kas",
        uid=UID,
        files=files,
        live=(PARTNERS,),
        secrets=("mongodb", "opa-token", "kas-key"),
        environment={
            **_identity(names),
            **_mongodb(names),
            "KAS_PORT": str(port),
            "KAS_ID": names.kas_id,
            "OPA_URL": names.url("opa"),
        },
        health=https_health(names.host("kas"), port, "/health"),
        needs=("mongodb", "opa"),
    )


def frontend(names: Names, hub: Names, partners: Sequence[Names], agreements: Agreements | None = None) -> ServiceSpec:
    """Return the portal, where users of this country and of `partners` sign in; database `portal` has the sessions."""

    own = ("portal-db", "portal-client", "portal-session")

    def files(material: Material) -> dict[str, str]:
        secrets = {f"{FILES}/{name}": material.secrets[name] for name in own}
        return material.tls() | secrets | {PARTNERS: _realms(names, partners, agreements or {})}

    port = names.port("frontend")
    return ServiceSpec(
        name="frontend",
        image="dive/frontend",
        uid=UID,
        files=files,
        live=(PARTNERS,),
        secrets=own,
        environment={
            **_identity(names),
            "PORT": str(port),
            "PORTAL_URL": names.url("frontend"),
            "BACKEND_URL": names.url("backend"),
            "KEYCLOAK_ISSUER": names.issuer,
            "KEYCLOAK_CLIENT_ID": names.client,
            "DATABASE_URL": f"postgresql://portal@{names.host('postgres')}:{names.port('postgres')}/portal",
        },
        health=https_health(names.host("frontend"), port, "/health"),
        needs=("postgres", "backend"),
    )


def _realms(names: Names, partners: Sequence[Names], agreements: Agreements) -> str:
    """Return JSON: the partners, which the portal offers at login, and the addresses that a login may lead to.

    A partner's `agreement`, if one was stated, limits what the services believe of its people.
    """
    offered = [
        {"code": p.country.code, "alias": p.idp_alias, "name": p.country.name}
        | ({"agreement": agreements[p.country.code].plain()} if p.country.code in agreements else {})
        for p in partners
    ]
    origins = [n.url("keycloak") for n in (names, *partners)]
    return json.dumps({"partners": offered, "identityOrigins": origins}, indent=1)
