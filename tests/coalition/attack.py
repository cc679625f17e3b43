"""What the operator of a country can do to others: from its own machine, and from its containers.

What the operator has is in the state (`live.secrets`, `rotation.secrets_in_force`) and in the own servers.
"""

import json
import signal
import ssl
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from docker.models.containers import Container
from jwt.algorithms import RSAAlgorithm

from dive_infra.catalog import policy
from dive_infra.catalog.keycloak import DATABASE, ROLE
from dive_infra.catalog.services import links, services
from dive_infra.config.countries import COUNTRIES, HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.identity import https
from dive_infra.identity.link_data import certificates
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.rotation.rotation import secrets_in_force
from tests.coalition.country import Country
from tests.support import flood
from tests.support.tls import handshake

# Of a realm's keys, those that are generated and kept in its database.
_KEYS = """
SELECT found.value FROM component_config found
JOIN component ON component.id = found.component_id
JOIN realm ON realm.id = component.realm_id
WHERE found.name = 'privateKey' AND realm.name = %s
"""
_PYTHON = ("python", "-I", "-S", "-c")
# Prints which of the targets accept a connection; no threads, of which a container may have few.
_CONNECTS = """
import asyncio, json, sys

async def accepts(host, port):
    try:
        _, line = await asyncio.wait_for(asyncio.open_connection(host, port), 2)
    except (OSError, asyncio.TimeoutError):
        return False
    line.close()
    return True

async def main(targets):
    print(json.dumps(await asyncio.gather(*(accepts(*target) for target in targets))))

asyncio.run(main(json.loads(sys.argv[1])))
"""
_ENDS = "import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGTERM)"
_LISTENS = "0A"  # the state of a socket, in the kernel's table

Target = tuple[str, int]  # host or address, and port
_ALL = ("silent", "idle", "slow")


@dataclass(frozen=True)
class Reached:
    """What a stranger may send to a service: the `kinds` of connections that `tests.support.flood` holds, and a body.

    `path` is where it takes one; `form`: that of a form, not JSON. `asked`: method and path of requests that need a
    bearer token. `{realm}` is the country's realm.
    """

    kinds: tuple[str, ...] = _ALL
    path: str = ""
    form: bool = False
    asked: tuple[tuple[str, str], ...] = ()


# Form of a public key, for `public_bytes`.
PUBLIC_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

# Each service of the hub; one that is missing here fails a unit test.
REACHED: Mapping[str, Reached] = {
    "postgres": Reached(("silent",)),  # TLS starts in its own protocol
    "mongodb": Reached(("silent", "idle")),
    "redis": Reached(("silent", "idle")),
    "keycloak": Reached(
        path="/realms/{realm}/protocol/openid-connect/token",
        form=True,
        asked=(("GET", "/admin/realms/{realm}"), ("GET", "/realms/{realm}/account/credentials")),
    ),
    "opa": Reached(path=policy.DECISION, asked=(("POST", policy.DECISION), ("GET", "/v1/policies"))),
    "opal-server": Reached(path="/data/config", asked=(("GET", "/policy"), ("POST", "/data/config"))),
    "backend": Reached(path="/api/whoami", asked=(("GET", "/api/whoami"), ("GET", policy.BUNDLE))),
    "kas": Reached(path="/rewrap", asked=(("POST", "/rewrap"),)),
    "frontend": Reached(path="/logout", asked=(("GET", "/session"),)),
}


_HUB, _SPOKE = (Names(COUNTRIES[code]) for code in (HUB_CODE, "FRA"))
# Those of them that a spoke's containers reach, on the network of their link.
LINKED = tuple(s.name for s in services(_HUB, _HUB, [_SPOKE], {}) if links(s, _HUB, _HUB, [_SPOKE]))


@dataclass(frozen=True)
class RealmKey:
    """The key with which a realm signs tokens: `private` is PEM, `public` as the realm publishes it."""

    kid: str
    private: str = field(repr=False)
    public: Mapping[str, Any] = field(repr=False)


def realm_key(country: Country) -> RealmKey:
    """Return the key that signs the tokens of a country's realm; whoever operates its database can read it."""
    names, ca, published = country.names, country.outputs()["ca_certificate"], _published(country)
    password = secrets_in_force(country.state())["keycloak-db"]
    with connection.connect(DatabaseAccess.of(names, ROLE, password, ca, DATABASE), "dive tests", 5) as live:
        kept = [value for (value,) in live.execute(_KEYS, [names.realm])]
    for value in kept:
        private = serialization.load_der_private_key(b64decode(value), None)
        assert isinstance(private, RSAPrivateKey)
        modulus = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)["n"]
        for public in published:
            if (public.get("use"), public.get("n")) == ("sig", modulus):
                return RealmKey(public["kid"], pki.pem(private), public)
    raise AssertionError(f"none of {len(kept)} keys signs the tokens of {names.realm}")


def published_key(country: Country) -> Mapping[str, Any]:
    """Return the public key with which a country's realm signs tokens."""
    return next(key for key in _published(country) if (key["use"], key["kty"]) == ("sig", "RSA"))


def _published(country: Country) -> list[dict[str, Any]]:
    """Return all keys that a country's realm publishes."""
    with https.client(country.outputs()["ca_certificate"], 10, country.names) as http:
        answer = http.get(certificates(country.names, country.names)).raise_for_status()
    return list(answer.json()["keys"])


# TLS


def refusal(server: ssl.SSLContext, host: str, ca: str) -> str:
    """Return why a client with the coalition's CA refuses a server as `host`; empty if it accepts it."""
    try:
        visitor = handshake(ssl.create_default_context(cadata=ca), server, host)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    assert visitor.getpeercert(), "the handshake is complete"
    return ""


# Networks


def has_python(container: Container) -> bool:
    return str(container.attrs["Config"]["Healthcheck"]["Test"][1]).startswith("python")


def addresses(container: Container) -> dict[str, str]:
    """Return network -> address of a container there."""
    ends = container.attrs["NetworkSettings"]["Networks"]
    return {name: end["IPAddress"] for name, end in ends.items() if end["IPAddress"]}


def gateways(client: docker.DockerClient, networks: Sequence[str]) -> set[str]:
    """Return the addresses of the engine's machine on these networks."""
    found = [client.networks.get(name).attrs["IPAM"]["Config"] for name in networks]
    return {part["Gateway"] for config in found for part in config if part.get("Gateway")}


def listening(container: Container) -> set[int]:
    """Return every port of TCP on which a process in a container listens, at any address."""
    tables = [Path(f"/proc/{container.attrs['State']['Pid']}/net/{table}").read_text() for table in ("tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table.splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS}


def connects(source: Container, targets: Sequence[Target]) -> set[Target]:
    """Return the targets that a container can connect to."""
    done = source.exec_run([*_PYTHON, _CONNECTS, json.dumps(targets)])
    assert done.exit_code == 0, done.output
    answers = json.loads(bytes(done.output))
    return {target for target, answered in zip(targets, answers, strict=True) if answered}


# Memory and connections


def burden(names: Names, service: str, address: str, connections: int, size: int) -> dict[str, Any]:
    """Return what is asked of `tests.support.flood`: so many connections to a service of a country, and bodies.

    A body has `size` bytes. All ends with the block that asks for it, or after a minute.
    """
    reached = REACHED[service]
    place = {"address": address, "port": names.port(service), "host": names.host(service)}
    each = dict.fromkeys(reached.kinds, connections // len(reached.kinds))
    paths = [reached.path.format(realm=names.realm)] if reached.path else []
    return {**place, **each, "paths": paths, "bodies": 2, "size": size, "form": reached.form, "seconds": 60}


_FLOOD = Path(flood.__file__).read_text()


@contextmanager
def from_here(burden: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Burden a server from this machine; yield what was done, while connections are held."""
    command = [sys.executable, *_PYTHON[1:], _FLOOD, json.dumps(burden)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield json.loads(running.stdout.readline())
        finally:
            running.send_signal(signal.SIGTERM)


@contextmanager
def from_within(source: Container, burden: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Burden a server from a container; yield what was done, while connections are held."""
    api = source.client.api  # type: ignore[union-attr]
    asked = api.exec_create(source.id, [*_PYTHON, _FLOOD, json.dumps(burden)])["Id"]
    parts = api.exec_start(asked, stream=True)
    printed = b""
    while not printed.endswith(b"\n") and (part := next(parts, b"")):
        printed += part
    done = json.loads(printed)
    try:
        yield done
    finally:
        source.exec_run([*_PYTHON, _ENDS, str(done["pid"])])
        for _ in parts:  # until it has ended
            pass
