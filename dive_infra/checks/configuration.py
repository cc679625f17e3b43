"""CONFIGURATION: the live realm holds exactly what is declared, and accepts the secrets that services use."""

from collections.abc import Callable, Sequence
from functools import partial

from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.checks.spec import ConfigurationSpec
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import REALM_REQUEST
from dive_infra.identity.client_secret_check import refusal
from dive_infra.identity.comparison import live
from dive_infra.identity.keycloak_admin import Forbidden, KeycloakAccess, KeycloakAdmin, KeycloakUnreachable
from dive_infra.identity.realm_diff import compare, compare_recorded, refresh
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding
from dive_infra.results.remedy import Remedy

_STARTS = Remedy.update(detail="starts what does not answer, then checks it")


def checks(spec: ConfigurationSpec) -> list[Check]:
    names = spec.names
    client = names.client
    return [
        Check(f"realm {names.realm} is as declared", "realm objects", lambda: realm(spec)),
        Check(
            f"{names.realm} accepts the secret of {client}",
            "secrets in use",
            partial(secret, names, client, spec.portal, spec.ca),
            subject=f"secret of {client} at {names.realm}",
        ),
    ]


def checks_beside_probe(spec: ConfigurationSpec) -> list[Check]:
    """Return the check of the keys: the probe comes before the resource that records them, so it knows none."""
    if not spec.keys:
        return []
    return [Check(f"the keys of realm {spec.names.realm} are the recorded ones", "realm keys", lambda: keys(spec))]


def realm(spec: ConfigurationSpec) -> Sequence[Finding]:
    return _at_home(spec, lambda admin: compare(admin, spec.names, spec.partners, keys=spec.keys))


def keys(spec: ConfigurationSpec) -> Sequence[Finding]:
    return _at_home(spec, lambda admin: compare_recorded(admin, spec.names, live(admin, spec.names), spec.keys))


def _at_home(spec: ConfigurationSpec, question: Callable[[KeycloakAdmin], Sequence[Finding]]) -> Sequence[Finding]:
    access = KeycloakAccess.of(spec.names, spec.ca, spec.keycloak)
    try:
        with KeycloakAdmin(access, REALM_REQUEST) as admin:
            return question(admin)
    except KeycloakUnreachable as error:
        raise CheckUnknown(error.cause, _STARTS) from None
    except Forbidden as error:
        right = Remedy.decide(f"restore the service account {access.client_id} of realm master")
        raise CheckUnknown(error.cause, right) from None


def secret(names: Names, client: str, value: str, ca: str) -> str:
    """Check that the realm accepts the secret that services hold."""
    try:
        refused = refusal(names, client, value, ca, REALM_REQUEST)
    except KeycloakUnreachable as error:
        raise CheckUnknown(error.cause, Remedy.update(names.country.code, "starts Keycloak")) from None
    if refused:
        raise CheckFailed(f"refused ({refused})", "the declared one", refresh(names), Code.CLIENT_SECRET)
    return "accepted"
