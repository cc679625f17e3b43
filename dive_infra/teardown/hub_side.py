"""A spoke's data at the hub: the hub's side of the link, the accounts of its people, its rows in the record.

The approval (a grant, a role, data about the country) belongs to the hub and stays as long as `dive:spokes` has the
country.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from dive_infra.automation.stack_state import StackState
from dive_infra.checks.spec import ConfigurationSpec
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import HUB_REQUEST
from dive_infra.identity import federated_users
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, NotFound
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.states import Phase
from dive_infra.orchestration.store import Store
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy


@dataclass(frozen=True)
class HubData:
    """The spoke's data: `realm` names objects of the hub's realm, `rows` is table -> count, `history` is kept."""

    realm: tuple[str, ...] = ()
    people: int = 0
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    history: int = 0

    @property
    def empty(self) -> bool:
        """Return True if nothing is left to remove."""
        return not (self.realm or self.people or any(self.rows.values()))


class HubUnreadable(DiveError):
    """Another version of this program wrote the hub's state, hence the content of its realm is unknown."""


class HubSide:
    """Access to a spoke's data at the hub, through the hub's state.

    A hub that never completed CONFIGURATION has no links.
    """

    def __init__(self, hub: StackState, spoke: Names) -> None:
        self._spoke = spoke
        self._configured: ConfigurationSpec | None = hub.spec(Phase.CONFIGURATION)
        self._unreadable = "" if self._configured or Phase.CONFIGURATION not in hub.checkpoints else hub.code
        self.record: DatabaseAccess | None = hub.store

    def observe(self) -> HubData:
        """Return the spoke's data; raises `KeycloakError`, `RecordError` or `HubUnreadable`."""
        if self._unreadable:
            hub = self._unreadable
            raise HubUnreadable(f"{hub} was deployed by another version of this program", Remedy.deploy(hub))
        realm, known = self._realm() if self._configured else ([], {})
        if self.record is None:
            return HubData(tuple(realm), len(known))
        with Store(self.record) as store:
            code = self._spoke.country.code
            return HubData(tuple(realm), len(known), store.rows(code), store.history(code))

    def remove_link(self) -> None:
        """Remove the link and the accounts of its people from the hub's realm; a missing link is no error."""
        if not self._configured:
            return
        realm, alias = f"/realms/{self._configured.names.realm}", self._spoke.idp_alias
        with self._admin() as admin:
            with suppress(NotFound):  # first, to stop logins
                admin.delete(f"{realm}/identity-provider/instances/{alias}")
            with suppress(NotFound):
                federated_users.forget(admin, self._configured.names.realm, self._people(admin))
                for client in admin.get(f"{realm}/clients", clientId=self._spoke.client):
                    admin.delete(f"{realm}/clients/{client['id']}")

    def _realm(self) -> tuple[list[str], dict[str, str]]:
        """Return the link's objects in the hub's realm, and its people; empty if the realm does not exist."""
        assert self._configured
        realm, alias = f"/realms/{self._configured.names.realm}", self._spoke.idp_alias
        with self._admin() as admin:
            try:
                providers = admin.get(f"{realm}/identity-provider/instances", search=alias)
                clients = admin.get(f"{realm}/clients", clientId=self._spoke.client)
                found = [f"identity provider {p['alias']}" for p in providers if p["alias"] == alias]
                found += [f"client {c['clientId']}" for c in clients]
                return found, self._people(admin)
            except NotFound:
                return [], {}

    def _people(self, admin: KeycloakAdmin) -> dict[str, str]:
        assert self._configured
        return federated_users.known(admin, self._configured.names.realm, self._spoke.idp_alias)

    @contextmanager
    def _admin(self) -> Iterator[KeycloakAdmin]:
        spec = self._configured
        assert spec
        with KeycloakAdmin(KeycloakAccess(spec.names.url("keycloak"), spec.ca, spec.keycloak), HUB_REQUEST) as admin:
            yield admin
