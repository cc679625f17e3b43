"""Every name, host, port and URL of a country. No other module composes one.

A service has one port: it listens on it inside its container, the engine publishes it at the country's address, and
the URL contains it. Therefore one URL serves browsers, containers and checks, and an issuer is one string everywhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Annotated, Any

from dive_infra.config.countries import COUNTRIES, Country, parse
from dive_infra.config.later_fields import LEFT_OUT_IF_EMPTY

DEFAULT_NAMESPACE = "dive"
# Labels of the objects on the engine. `STACK_LABEL` has the mark of the stack that owns the object.
NAMESPACE_LABEL, COUNTRY_LABEL, STACK_LABEL = "dive.namespace", "dive.country", "dive.stack"
SERVICE_LABEL, CLASS_LABEL = "dive.service", "dive.class"
CARRIER_LABEL = "dive.carrier"  # of a container that only carries files into a service's volume
LINK_LABEL = "dive.link"  # of a link's network, which no stack owns: `fra-usa`
LOOPBACK = "127.0.0.1"
DEPLOYER = "dive-deployer"  # service account in realm master, created at Keycloak's first start
ORPHANS = "orphans/"  # followed by the mark of an abandoned deployment, in `environment.REMOVE`

# service -> (label of its host name, first port of its range in the default namespace)
_SERVICES: dict[str, tuple[str, int]] = {
    "postgres": ("postgres", 5432),
    "mongodb": ("mongodb", 27017),
    "redis": ("redis", 6379),
    "keycloak": ("idp", 8443),
    "opa": ("opa", 9100),
    "opal-server": ("opal", 7002),
    "opal-client": ("opal-client", 7300),
    "backend": ("api", 4000),
    "kas": ("kas", 10000),
    "frontend": ("portal", 3000),
}
SERVICES = tuple(_SERVICES)
# Clients outside the engine connect to their address and verify it: Pulumi's published plugins, which resolve no
# `.localhost`, pymongo and redis-py.
_BY_ADDRESS = ("postgres", "mongodb", "redis", "keycloak")

# Other namespaces get a block of ports each, one range per service in it.
_BLOCK_FIRST, _BLOCK_SLOTS, _BLOCK_RANGE = 11_000, 22, 64
_PLACE = {code: place for place, code in enumerate(COUNTRIES)}


def default_port(service: str, country: Country, namespace: str = DEFAULT_NAMESPACE) -> int:
    """Return the port of a country's service, unique over all services and countries of a namespace.

    Two namespaces other than the default one may share a block of ports (1 in 22); PREFLIGHT then finds the ports taken
    and names `dive:ports`.
    """
    if namespace == DEFAULT_NAMESPACE:
        return _SERVICES[service][1] + country.offset
    slot = int.from_bytes(sha256(namespace.encode()).digest()[:4]) % _BLOCK_SLOTS
    block = _BLOCK_FIRST + slot * _BLOCK_RANGE * len(SERVICES)
    return block + SERVICES.index(service) * _BLOCK_RANGE + _PLACE[country.code]


def signable(zone: str, address: str = "") -> tuple[str, ...]:
    """Return what a country's CA may sign certificates for: the zone, names below it, and the country's address."""
    return zone, f"{address or LOOPBACK}/32"


def linked_by(network: str, namespace: str) -> tuple[str, ...]:
    """Return the codes of the two countries whose link a network is for; none if it is another network."""
    found = re.fullmatch(rf"{re.escape(namespace)}-link-([a-z]{{3}})-([a-z]{{3}})", network)
    return tuple(map(str.upper, found.groups())) if found else ()


def between_countries(network: str, namespace: str) -> bool:
    """Return True for the network of a link, and for the one that spanned all countries in the previous release."""
    return bool(linked_by(network, namespace)) or network == f"{namespace}-shared"


@dataclass(frozen=True)
class Names:
    """The names of one country in one namespace; `ports` overrides single ports: code -> service -> port.

    Its services are published at `address` (IPv4); empty, on loopback.
    """

    country: Country
    namespace: str = DEFAULT_NAMESPACE
    domain: str = ""
    ports: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    address: Annotated[str, LEFT_OUT_IF_EMPTY] = ""

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain data, such as a provider's inputs; `of_plain` reads them back."""
        plain = {
            "country": self.country.code,
            "namespace": self.namespace,
            "domain": self.domain,
            "ports": {code: dict(ports) for code, ports in self.ports.items()},
        }
        return plain | ({"address": self.address} if self.address else {})

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Names":
        """Return the names from plain data, which may hold more. Pulumi turns whole numbers into floats.

        Providers that need no URL store none of the fields after `namespace`.
        """
        ports = {code: {s: int(port) for s, port in own.items()} for code, own in plain.get("ports", {}).items()}
        domain, address = plain.get("domain", ""), plain.get("address", "")
        return cls(parse(plain["country"]), plain["namespace"], domain, ports, address)

    def of(self, country: Country) -> "Names":
        """Return the names of a partner in the same coalition."""
        return replace(self, country=country)

    @property
    def prefix(self) -> str:
        """Return `dive-fra`, which starts the name of everything of this country on the engine."""
        return f"{self.namespace}-{self.country.lower}"

    @property
    def network(self) -> str:
        return self.prefix

    def link_network(self, partner: "Names") -> str:
        """Return the network that two countries on one engine share for their link, the same from both sides."""
        return f"{self.namespace}-link-{'-'.join(sorted((self.country.lower, partner.country.lower)))}"

    @property
    def retired_network(self) -> str:
        """Return the network that spanned all countries in the previous release; the hub's stack owns it."""
        return f"{self.namespace}-shared"

    def container(self, service: str) -> str:
        return f"{self.prefix}-{service}"

    def volume(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def data_volume(self, service: str) -> str:
        return self.volume(f"{service}-data")

    def copies_volume(self, service: str) -> str:
        return self.volume(f"{service}-copies")

    def files_volume(self, service: str) -> str:
        return self.volume(f"{service}-files")

    @property
    def published(self) -> str:
        """Return the address at which the engine publishes the services' ports."""
        return self.address or LOOPBACK

    def beside(self, partner: "Names") -> bool:
        """Return True if a partner is at the same address: one engine runs both, and its networks join them."""
        return self.address == partner.address

    def elsewhere(self, partner: "Names") -> str:
        """Return the address at which containers reach a partner whose names their engine does not know; else empty."""
        return "" if self.beside(partner) else partner.address

    def hosts_of(self, partner: "Names", *services: str) -> dict[str, str]:
        """Return host -> address of a partner's services that containers ask; none if the engine knows the names."""
        address = self.elsewhere(partner)
        return {partner.host(service): address for service in services} if address else {}

    def realm_of(self, partner: "Names") -> str:
        """Return where this country's Keycloak asks a partner's realm: at its issuer, or at its address if elsewhere.

        The certificate of a Keycloak names both. No container has to know where partners are.
        """
        address = self.elsewhere(partner)
        return f"https://{address}:{partner.port('keycloak')}/realms/{partner.realm}" if address else partner.issuer

    @property
    def zone(self) -> str:
        """Return the DNS zone of all hosts of the country: `fra.dive.localhost`."""
        return f"{self.country.lower}.{self.domain or f'{self.namespace}.localhost'}"

    def host(self, service: str) -> str:
        """Return the host name in browsers, on the engine's networks and in certificates: `idp.fra.dive.localhost`."""
        return f"{_SERVICES[service][0]}.{self.zone}"

    def port(self, service: str) -> int:
        own = self.ports.get(self.country.code, {})
        return own.get(service, default_port(service, self.country, self.namespace))

    def url(self, service: str) -> str:
        return f"https://{self.host(service)}:{self.port(service)}"

    def certified(self, service: str) -> tuple[str, ...]:
        """Return what the certificate of a service is valid for."""
        return self.host(service), *([self.published] if service in _BY_ADDRESS else [])

    @property
    def realm(self) -> str:
        return f"dive-v3-broker-{self.country.lower}"

    @property
    def client(self) -> str:
        """Return the portal's client in the own realm, which is also this country's broker client at a partner."""
        return self.realm

    @property
    def idp_alias(self) -> str:
        """Return this country's alias as an identity provider in a partner's realm: `fra-idp`."""
        return f"{self.country.lower}-idp"

    @property
    def issuer(self) -> str:
        return f"{self.url('keycloak')}/realms/{self.realm}"

    @property
    def kas_id(self) -> str:
        return f"{self.country.lower}-kas"

    @property
    def mongo_database(self) -> str:
        return f"dive-v3-{self.country.lower}"

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Return True if an object on the engine with these labels belongs to the country."""
        return labels.get(NAMESPACE_LABEL) == self.namespace and labels.get(COUNTRY_LABEL) == self.country.code

    def labels(self, service: str, service_class: str) -> dict[str, str]:
        """Return the labels of every object on the engine, which say who owns it."""
        return {
            NAMESPACE_LABEL: self.namespace,
            COUNTRY_LABEL: self.country.code,
            SERVICE_LABEL: service,
            CLASS_LABEL: service_class,
        }
