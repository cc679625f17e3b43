"""Which addresses a country's services can be published at."""

import pytest

from dive_infra.config.address import is_loopback, unpublishable


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "10.0.0.5", "192.0.2.7", "203.0.113.255"])
def test_a_unicast_address_can_be_published_at(address: str) -> None:
    assert unpublishable(address) == ""


@pytest.mark.parametrize(
    ("address", "flaw"),
    [
        ("", "is no IPv4 address"),
        ("here", "is no IPv4 address"),
        ("10.0.0.5/32", "is no IPv4 address"),
        ("010.0.0.5", "is no IPv4 address"),
        ("10.0.5", "is no IPv4 address"),
        ("::1", "is no IPv4 address"),
        ("٣.0.0.1", "is no IPv4 address"),
        ("0.0.0.0", "is no address of one machine"),
        ("0.1.2.3", "is no address of one machine"),
        ("224.0.0.1", "is for a group of machines"),
        ("169.254.1.1", "is valid on one link alone"),
        ("240.0.0.1", "is reserved"),
        ("255.255.255.255", "is reserved"),
    ],
)
def test_any_other_is_refused_with_the_reason(address: str, flaw: str) -> None:
    assert unpublishable(address) == flaw


def test_a_machine_reaches_itself_at_every_loopback_address() -> None:
    assert [is_loopback(address) for address in ("127.0.0.1", "127.255.0.9", "128.0.0.1")] == [True, True, False]
