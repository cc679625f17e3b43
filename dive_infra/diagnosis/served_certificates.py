"""Check which certificate the services serve: a renewed one takes effect at their next start."""

import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding

from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.checks.spec import InitializationSpec
from dive_infra.config.timeouts import SERVED_CERTIFICATE
from dive_infra.crypto import pki
from dive_infra.results.codes import Code
from dive_infra.results.remedy import Remedy

_SERVICES = ("keycloak", "opa", "backend", "kas", "frontend")


def served(spec: InitializationSpec) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Yield (sentence, topic, probe) for each service that speaks TLS from its first byte on."""
    for service in _SERVICES:
        sentence = f"{service} serves the issued certificate"
        yield sentence, "served certificates", partial(_serves, spec, service)


def _serves(spec: InitializationSpec, service: str) -> str:
    names = spec.names
    remedy = Remedy.run(f"./dive restart {names.country.code} {service}")
    host, port = names.host(service), names.port(service)
    trust = ssl.create_default_context(cadata=spec.ca)
    try:
        with (
            socket.create_connection((names.published, port), timeout=SERVED_CERTIFICATE) as line,
            trust.wrap_socket(line, server_hostname=host) as secure,
        ):
            found = secure.getpeercert(binary_form=True)
    except ssl.SSLError as error:
        raise CheckFailed(
            f"{host}:{port}: {error.reason or error}", "a certificate of the coalition", remedy, Code.CERTIFICATE
        ) from None
    except OSError as error:
        raise CheckUnknown(
            f"{host}:{port}: {error}", Remedy.update()
        ) from None  # its container reports that it is down
    issued = spec.certificates.get(service)
    if issued is None:
        raise CheckUnknown("an earlier version issued it", Remedy.update(names.country.code))
    if found != pki.leaf(issued).public_bytes(Encoding.DER):
        raise CheckFailed(f"{host}:{port} serves another certificate", "the issued one", remedy, Code.CERTIFICATE)
    return f"{pki.days_left(issued):.0f} days left"
