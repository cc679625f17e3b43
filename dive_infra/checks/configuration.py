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
from dive_infra.identity.link_policy import BASE_PATH, link_account
from dive_infra.identity.realm_diff import compare, compare_link, compare_recorded, refresh
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding
from dive_infra.results.remedy import Remedy

_STARTS = Remedy.update(detail="starts what does not answer, then checks it")


def checks(spec: ConfigurationSpec) -> list[Check]:
    names = spec.names
    found = [
        Check(f"realm {names.realm} is as declared", "realm objects", lambda: realm(spec)),
        _secret_check(spec, names, names.client, spec.portal, account=False),
    ]
    if names.country.is_hub:
        found += [_secret_check(spec, names, account, secret) for account, secret in sorted(spec.accounts.items())]
    else:
        (hub,) = spec.partners
        found.append(Check(f"the link at {hub.country.code} is as declared", "link", lambda: link(spec, hub)))
    return found


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
    access = KeycloakAccess(spec.names.url("keycloak"), spec.ca, spec.keycloak)
    return _compare(access, question, Remedy.decide(f"restore the service account {access.client_id} of realm master"))


def link(spec: ConfigurationSpec, hub: Names) -> Sequence[Finding]:
    """Check the hub's side of the link through the spoke's own account; a refused login is that account's secret."""
    account = link_account(spec.names)
    access = KeycloakAccess(f"{hub.url('backend')}{BASE_PATH}", spec.ca, spec.accounts[account], account, hub.realm)
    return _compare(access, lambda admin: compare_link(admin, hub, spec.names), refresh(hub))


def secret(names: Names, client: str, value: str, ca: str, account: bool) -> str:
    """Check that the realm accepts the secret that services hold."""
    try:
        refused = refusal(names, client, value, ca, account, REALM_REQUEST)
    except KeycloakUnreachable as error:
        raise CheckUnknown(error.cause, Remedy.update(names.country.code, "starts Keycloak")) from None
    if refused:
        raise CheckFailed(f"refused ({refused})", "the declared one", refresh(names), Code.CLIENT_SECRET)
    return "accepted"


def _secret_check(spec: ConfigurationSpec, names: Names, client: str, value: str, account: bool = True) -> Check:
    sentence = f"{names.realm} accepts the secret of {client}"
    probe = partial(secret, names, client, value, spec.ca, account)
    return Check(sentence, "secrets in use", probe, subject=f"secret of {client} at {names.realm}")


def _compare(
    access: KeycloakAccess, question: Callable[[KeycloakAdmin], Sequence[Finding]], right: Remedy
) -> Sequence[Finding]:
    try:
        with KeycloakAdmin(access, REALM_REQUEST) as admin:
            return question(admin)
    except KeycloakUnreachable as error:
        raise CheckUnknown(error.cause, _STARTS) from None
    except Forbidden as error:
        raise CheckUnknown(error.cause, right) from None
