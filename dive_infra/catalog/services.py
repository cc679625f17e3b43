"""The services of a country, in the order in which they can start."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dive_infra.catalog.applications import Agreements, backend, frontend, kas
from dive_infra.catalog.datastores import mongodb, postgres, redis
from dive_infra.catalog.keycloak import keycloak
from dive_infra.catalog.policy import NO_RULES, opa, opal_client, opal_server
from dive_infra.catalog.spec import ServiceSpec
from dive_infra.config.naming import Names


def services(
    names: Names,
    hub: Names,
    partners: Sequence[Names],
    images: Mapping[str, str],
    rules: Mapping[str, str] = NO_RULES,
    agreements: Agreements | None = None,
) -> list[ServiceSpec]:
    """Return the services of a country, each after those that it needs.

    `images` replaces single image references; `rules` are the country's own (`catalog.national`).
    """
    distributor = opal_server if names.country.is_hub else opal_client
    specs = [make(names, hub) for make in (postgres, mongodb, redis, keycloak)]
    specs.append(opa(names, hub, rules))
    specs += [make(names, hub, partners, agreements) for make in (kas, backend)]
    specs += [distributor(names, hub), frontend(names, hub, partners, agreements)]
    return _ordered([replace(s, image=images.get(s.name, s.image)) for s in specs])


def links(spec: ServiceSpec, names: Names, hub: Names, partners: Sequence[Names]) -> dict[str, str]:
    """Return the networks of links that a service is on, each with its name there: its host alone.

    Without the bare name of the service, which would mean one of each country. A partner elsewhere shares no network.
    """
    others = {"none": (), "hub": (hub,), "partners": partners}[spec.linked]
    return {names.link_network(other): names.host(spec.name) for other in others if names.beside(other)}


def _ordered(specs: list[ServiceSpec]) -> list[ServiceSpec]:
    left, done = list(specs), list[ServiceSpec]()
    while left:
        names = {s.name for s in done}
        ready = [s for s in left if set(s.needs) <= names]
        if not ready:
            raise ValueError(f"services need each other in a circle: {', '.join(s.name for s in left)}")
        done += ready
        left = [s for s in left if s not in ready]
    return done
