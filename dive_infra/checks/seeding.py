"""SEEDING: each batch is complete and unaltered, and can be opened; people are those of today."""

from collections.abc import Callable, Sequence

from dive_infra.checks import key_release
from dive_infra.checks.runner import Check, CheckUnknown
from dive_infra.checks.spec import SeedingSpec
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.identity import federated_users
from dive_infra.identity.keycloak_admin import Forbidden, KeycloakAccess, KeycloakAdmin, KeycloakUnreachable, NotFound
from dive_infra.identity.users import compare_users, probe, wanted
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.seeds.batches import Batch, batches
from dive_infra.seeds.loader import BatchState, Loader
from dive_infra.seeds.store import SeedStoreAccess, SeedStoreError, connect

_PARTNERS = "each account of a partner belongs to a person of today"
_SHOWN = 3  # ids of a batch, or accounts, that a message names


def checks(spec: SeedingSpec) -> list[Check]:
    """Return the checks that read every document."""
    return _checks(spec, data)


def shallow_checks(spec: SeedingSpec) -> list[Check]:
    """Return the same checks in bounded time: of a large batch only some documents are read."""
    return _checks(spec, lambda spec: data(spec, deep=False))


def _checks(spec: SeedingSpec, probe: Callable[[SeedingSpec], Sequence[Finding]]) -> list[Check]:
    names = spec.names
    return [
        Check("the seed batches are complete and unaltered", "seed batches", lambda: probe(spec)),
        Check(f"the declared people of {names.country.code} are as declared", "people", lambda: people(spec)),
        *key_release.held(names, spec.kas_keys, spec.ca),
        *([Check(_PARTNERS, "accounts of partners", lambda: partners(spec), advisory=True)] if spec.partners else []),
    ]


def data(spec: SeedingSpec, deep: bool = True) -> Sequence[Finding]:
    names = spec.names
    key, members = spec.kas_keys[names.country.code], (*spec.partners, *spec.cut)
    target = SeedStoreAccess.of(names, spec.mongodb, spec.ca, CHECK_REQUEST)
    try:
        with connect(target) as database:
            loader = Loader(database)
            compare = loader.inspect if deep else loader.inspect_sample
            return [_finding(batch, compare(batch)) for batch in batches(names, members, key, spec.documents)]
    except SeedStoreError as error:
        raise CheckUnknown(
            " ".join(str(error).split())[:300], Remedy.update(detail="starts MongoDB, then checks it")
        ) from None


def _finding(batch: Batch, state: BatchState) -> Finding:
    off = {"missing": state.missing, "altered": state.altered, "extra": state.extra}
    differences = [
        f"{len(ids)} {kind} ({', '.join(ids[:_SHOWN])}{', …' if ids[_SHOWN:] else ''})"
        for kind, ids in off.items()
        if ids
    ]
    return Finding(
        f"batch {batch.id} is complete and unaltered",
        Verdict.VALID if state.valid else Verdict.INVALID,
        expected=f"{len(batch.documents)} with hash {batch.hash[:12]}",
        found="; ".join(differences) or f"{state.count} with hash {state.hash[:12]}{_read(batch, state)}",
        remedy=Remedy.update(),
        code=None if state.valid else Code.SEED_DATA,
        topic="seed batches" if state.read is None else _read(batch, state).strip(", "),
        subject=f"seed batch {batch.id}",
    )


def _read(batch: Batch, state: BatchState) -> str:
    return "" if state.read is None else f", {state.read} of {len(batch.documents)} documents read"


def people(spec: SeedingSpec) -> Sequence[Finding]:
    """Return a finding on each test user and each probe person."""
    names = spec.names
    probes = [probe(names, n.country) for n in (names, *spec.partners)]
    declared = [*wanted(names), *probes] if spec.test_users else probes
    return _asked(spec, lambda admin: compare_users(admin, names, declared))


def partners(spec: SeedingSpec) -> Sequence[Finding]:
    """Return a warning for each partner with accounts that its people left behind; they harm nothing."""
    return _asked(spec, lambda admin: [_left_behind(admin, spec.names, partner) for partner in spec.partners])


def _left_behind(admin: KeycloakAdmin, names: Names, partner: Names) -> Finding:
    old = sorted(federated_users.superseded(admin, names.realm, partner.idp_alias))
    more = ", …" if old[_SHOWN:] else ""
    return Finding(
        _PARTNERS,
        Verdict.INVALID if old else Verdict.VALID,
        expected="none",
        found=f"{len(old)} left by people who were recreated at home ({', '.join(old[:_SHOWN])}{more})" if old else "",
        remedy=Remedy.update(detail="deletes them"),
        code=Code.REALM if old else None,
        topic="accounts of partners",
        advisory=True,
        subject=f"accounts of {partner.country.code} at {names.realm}",
    )


def _asked(spec: SeedingSpec, question: Callable[[KeycloakAdmin], Sequence[Finding]]) -> Sequence[Finding]:
    access = KeycloakAccess.of(spec.names, spec.ca, spec.keycloak)
    try:
        with KeycloakAdmin(access, CHECK_REQUEST) as admin:
            return question(admin)
    except KeycloakUnreachable as error:
        raise CheckUnknown(error.cause, Remedy.update(detail="starts Keycloak, then checks the users")) from None
    except NotFound as error:
        raise CheckUnknown(error.cause, Remedy.refresh(detail="recreates the realm, then checks the users")) from None
    except Forbidden as error:
        remedy = Remedy.decide(f"restore the service account {access.client_id} of realm master")
        raise CheckUnknown(error.cause, remedy) from None
