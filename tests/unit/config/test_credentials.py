"""Which passwords are strong enough."""

import pytest

from dive_infra.config.credentials import strong


@pytest.mark.parametrize(
    ("password", "accepted"), [("A-long-Passphrase-1", True), ("Short-1", False), ("x" * 32, False), ("A1" * 16, False)]
)
def test_a_password_that_the_realm_would_refuse_is_known(password: str, accepted: bool) -> None:
    assert strong(password) is accepted
