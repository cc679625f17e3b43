"""The test users."""

from unittest.mock import Mock

import pytest

from dive_infra.config.clearances import LEVELS
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import users

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


def test_test_users_are_the_same_people_for_ever() -> None:
    people = {u.username: u for u in users.wanted(FRA)}
    assert list(people) == [*(f"testuser-fra-{n}" for n in range(1, 6)), "admin-fra"]
    assert people["testuser-fra-4"].id == "bf802004-9b68-5926-b780-11adb2b8f6e7"
    assert [u.clearance for u in people.values()] == [*LEVELS, "TOP_SECRET"]
    assert people["admin-fra"].coi == ("NATO", "FVEY")
    assert not {u.id for u in people.values()} & {u.id for u in users.wanted(USA)}


@pytest.mark.parametrize(
    ("disabled", "said"), [(True, "locked out after 6 wrong passwords, the last from 10.0.0.7"), (False, "")]
)
def test_a_lock_is_read_and_lifted_by_the_users_own_id(disabled: bool, said: str) -> None:
    admin, user = Mock(), users.wanted(FRA)[2]
    admin.get.return_value = {"disabled": disabled, "numFailures": 6, "lastIPFailure": "10.0.0.7"}
    assert users.lockout(admin, FRA, user) == said
    admin.delete.assert_not_called()
    users.unlock(admin, FRA, user)
    path = f"/realms/{FRA.realm}/attack-detection/brute-force/users/{user.id}"
    assert (admin.get.call_args.args, admin.delete.call_args.args) == ((path,), (path,))
