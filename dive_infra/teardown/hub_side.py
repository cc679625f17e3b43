"""What the hub holds of a spoke's link and of its deployment: its side of the link, the people, the rows of the record.

The approval is the hub's own (a grant, a role, data about the country) and stays as long as `dive:spokes` says so.
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
class Held:
    """What the hub holds: `realm` names objects of its realm, `rows` is table -> count, `history` stays."""

    realm: tuple[str, ...] = ()
    people: int = 0
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    history: int = 0

    @property
    def empty(self) -> bool:
        return not (self.realm or self.people or any(self.rows.values()))


class HubUnreadable(DiveError):
    """What the hub's state says of its realm is of another program: nothing is known of what the realm holds."""


class PartnerSide:
    """The hub as seen by the owner of its state. One that never completed CONFIGURATION has linked nobody."""

    def __init__(self, hub: StackState, spoke: Names) -> None:
        self._spoke = spoke
        self._configured: ConfigurationSpec | None = hub.spec(Phase.CONFIGURATION)
        self._unreadable = "" if self._configured or Phase.CONFIGURATION not in hub.checkpoints else hub.code
        self.record: DatabaseAccess | None = hub.store

    def held(self) -> Held:
        """Raises `AdminError`, `StoreError` or `HubUnreadable` where that cannot be told."""
        if self._unreadable:
            hub = self._unreadable
            raise HubUnreadable(f"{hub} was deployed by another version of this program", Remedy.deploy(hub))
        realm, known = self._realm() if self._configured else ([], {})
        if self.record is None:
            return Held(tuple(realm), len(known))
        with Store(self.record) as store:
            code = self._spoke.country.code
            return Held(tuple(realm), len(known), store.rows(code), store.history(code))

    def forget_link(self) -> None:
        """Removes the link from the hub's realm, with the people who came through it; again is no error."""
        if not self._configured:
            return
        realm, alias = f"/realms/{self._configured.names.realm}", self._spoke.idp_alias
        with self._admin() as admin:
            with suppress(NotFound):  # first: nobody can come in any more
                admin.delete(f"{realm}/identity-provider/instances/{alias}")
            with suppress(NotFound):
                federated_users.forget(admin, self._configured.names.realm, self._people(admin))
                for client in admin.get(f"{realm}/clients", clientId=self._spoke.client):
                    admin.delete(f"{realm}/clients/{client['id']}")

    def _realm(self) -> tuple[list[str], dict[str, str]]:
        """Objects of the link in the hub's realm, and its people; nothing where there is no realm."""
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
