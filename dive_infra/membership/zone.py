"""A country's zone and its endpoints below it: what a country may say about where it is, and the names that follow."""

import re
from collections.abc import Mapping
from dataclasses import replace

from dive_infra.config.countries import Country, UnknownCountry, parse
from dive_infra.config.naming import DEFAULT_NAMESPACE, Names
from dive_infra.membership.refusals import Malformed, OutsideZone, Source, UnknownMember

_HIGHEST_PORT = 65535
# Services that partners use: everywhere the realm, the portal, the API and the keys; at the hub also its policies.
_USED, _USED_AT_THE_HUB = ("keycloak", "frontend", "backend", "kas"), ("opal-server",)


def country_of(code: str, source: Source) -> Country:
    """Return the country with exactly this code; raises `UnknownMember`, which shows look-alike letters as escapes."""
    try:
        return parse(code)
    except UnknownCountry as error:
        raise UnknownMember(f"{source.name}: {error.cause}", source.remedy) from None


def endpoints_of(names: Names) -> dict[str, str]:
    """Return the URLs of the services that partners use: service -> URL."""
    return {service: names.url(service) for service in _used(names.country)}


def checked_names(
    country: Country,
    zone: str,
    endpoints: Mapping[str, str],
    source: Source,
    namespace: str = DEFAULT_NAMESPACE,
    address: str = "",
) -> Names:
    """Return the names of a country whose hosts are in `zone` and whose URLs are `endpoints` (service -> URL).

    Raises `OutsideZone` for a zone that is not the country's and a URL that is not its service's below the zone, and
    `Malformed` without the endpoint of a service that partners use.
    """
    domain = zone.removeprefix(f"{country.lower}.")
    if domain == zone:
        raise OutsideZone(
            f"{source.name}: the zone of {country.code} is {zone}",
            source.remedy,
            expected=f"a zone such as {country.lower}.dive.localhost",
        )
    if missing := [service for service in _used(country) if service not in endpoints]:
        raise Malformed(
            f"{source.name}: {country.code} has no endpoint for {', '.join(missing)}",
            source.remedy,
            expected=", ".join(_used(country)),
        )
    names = Names(country, namespace, "" if domain == f"{namespace}.localhost" else domain, address=address)
    ports = {service: _port(names, service, url, source) for service, url in endpoints.items()}
    return replace(names, ports={country.code: ports})


def _used(country: Country) -> tuple[str, ...]:
    return _USED + (_USED_AT_THE_HUB if country.is_hub else ())


def _port(names: Names, service: str, url: str, source: Source) -> int:
    """Return the port in the URL of a service."""
    start = f"https://{names.host(service)}:"
    found = re.fullmatch("[1-9][0-9]{0,4}", url.removeprefix(start)) if url.startswith(start) else None
    if not found or int(found[0]) > _HIGHEST_PORT:
        raise OutsideZone(
            f"{source.name}: the endpoint {service} of {names.country.code} is {url[:200]!a}",
            source.remedy,
            expected=f"{start}<port>, without a path",
        )
    return int(found[0])
