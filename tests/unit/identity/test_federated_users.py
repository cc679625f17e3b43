"""A partner's accounts: which one of a person who was recreated at home is in use."""

from typing import Any
from unittest.mock import Mock

import pytest

from dive_infra.dynamic.partner_people import PartnerPeopleProvider
from dive_infra.identity import federated_users

OLD, NEW, OTHER = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3))
ALIAS = "fra-idp"


class Realm:
    """Answers as Keycloak does; `accounts`: user name -> when it was created. The id of an account is its name."""

    def __init__(self, **accounts: int) -> None:
        self.accounts = {name.replace("__", "."): made for name, made in accounts.items()}
        self.deleted: list[str] = []

    def get(self, path: str, **query: Any) -> Any:
        if not path.endswith("/users"):
            return {"createdTimestamp": self.accounts[path.rpartition("/")[2]]}
        return [{"id": name, "username": name} for name in self.accounts]

    def delete(self, path: str) -> None:
        self.deleted.append(path.rpartition("/")[2])
        del self.accounts[self.deleted[-1]]

    def post(self, path: str, body: object) -> None:
        assert path.endswith("/clear-user-cache")


def realm(*accounts: tuple[str, int]) -> Any:
    return Realm(**{name.replace(".", "__"): made for name, made in accounts})


@pytest.mark.parametrize(
    ("accounts", "old"),
    [
        ([(f"{ALIAS}.jane.{OLD}", 1), (f"{ALIAS}.jane.{NEW}", 2)], [f"{ALIAS}.jane.{OLD}"]),
        ([(f"{ALIAS}.jane.{NEW}", 2), (f"{ALIAS}.jane.{OLD}", 1)], [f"{ALIAS}.jane.{OLD}"]),
        ([(f"{ALIAS}.jane", 1), (f"{ALIAS}.jane.{NEW}", 2)], [f"{ALIAS}.jane"]),  # named before the subject was part
        ([(f"{ALIAS}.jane.doe.{OLD}", 1), (f"{ALIAS}.jane.{NEW}", 2)], []),
        ([(f"{ALIAS}.jane.{OLD}", 1), (f"{ALIAS}.anne.{NEW}", 2), (f"deu-idp.jane.{OTHER}", 3)], []),
    ],
    ids=["recreated", "in any order", "named as before", "another name", "another partner"],
)
def test_only_the_newest_account_of_a_home_user_name_is_in_use(accounts: list[tuple[str, int]], old: list[str]) -> None:
    assert list(federated_users.superseded(realm(*accounts), "dive-v3-broker-usa", ALIAS)) == old


def test_an_update_says_why_and_deletes_the_old_account_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    there = realm((f"{ALIAS}.jane.{OLD}", 1), (f"{ALIAS}.jane.{NEW}", 2))
    session = Mock(__enter__=lambda _: there, __exit__=lambda *_: None)
    monkeypatch.setattr("dive_infra.dynamic.partner_people.KeycloakAdmin", lambda *_: session)
    provider = PartnerPeopleProvider()
    inputs = {"realm": "r", "alias": ALIAS, "access": {"url": "", "ca": "", "client_secret": ""}}
    assert provider.drift_reason(inputs) == f"1 account(s) of {ALIAS} belong to people who were recreated at home"
    provider.create_resource(inputs)
    assert there.deleted == [f"{ALIAS}.jane.{OLD}"]
    assert provider.drift_reason(inputs) is None
