"""CONFIGURATION: the live realm holds exactly what is declared, object by object."""

from collections.abc import Sequence

from dive_infra.checks.runner import Check, CouldNotTell
from dive_infra.checks.spec import Configuration
from dive_infra.findings import Finding
from dive_infra.identity.admin import Access, Admin, NoRight, OutOfReach
from dive_infra.identity.inspect import compare

_SECONDS = 5


def checks(spec: Configuration) -> list[Check]:
    return [Check(f"realm {spec.names.realm} is as declared", "realm objects", lambda: realm(spec))]


def realm(spec: Configuration) -> Sequence[Finding]:
    access = Access(spec.names.url("keycloak"), spec.ca, spec.keycloak)
    try:
        with Admin(access, _SECONDS) as admin:
            return compare(admin, spec.names, spec.partners)
    except OutOfReach as error:
        raise CouldNotTell(str(error), "pulumi up starts Keycloak, then the realm is looked at") from None
    except NoRight as error:
        raise CouldNotTell(str(error), f"restore the service account {access.client_id} of realm master") from None
