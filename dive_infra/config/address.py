"""The address at which a country's services are published: IPv4, of the machine that its engine runs on."""

from ipaddress import AddressValueError, IPv4Address, IPv4Network

UNICAST = "a unicast IPv4 address such as 192.0.2.7"

_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 1122: no one is reached at it; 0.0.0.0 publishes on every address


def unpublishable(address: str) -> str:
    """Return why nothing can be published at an address, as words that follow it; empty if it is `UNICAST`."""
    try:
        found = IPv4Address(address)
    except AddressValueError:
        return "is no IPv4 address"
    flaws = {
        "is no address of one machine": found in _THIS_NETWORK,
        "is for a group of machines": found.is_multicast,
        "is valid on one link alone": found.is_link_local,
        "is reserved": found.is_reserved,
    }
    return next((flaw for flaw, applies in flaws.items() if applies), "")


def is_loopback(address: str) -> bool:
    """Return True for an IPv4 address at which a machine reaches itself alone."""
    return IPv4Address(address).is_loopback
