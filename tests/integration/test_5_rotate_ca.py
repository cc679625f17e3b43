"""The coalition's CA and a country's keys are replaced while both countries serve. With --whole only.

Six updates for the CA, each of which replaces all containers of a country, and four for the keys, of which one does.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dive_infra.config.naming import LOOPBACK
from dive_infra.crypto import pki
from dive_infra.identity.login import login
from tests.coalition.country import Country

pytestmark = [pytest.mark.timeout(3600), pytest.mark.whole]

_PUBLIC = ("keycloak", "frontend", "backend", "kas")


class Witness:
    """Connects to each country's public services all the time, as the other one trusts; keeps whom it must refuse.

    A service that is being replaced is not there for a moment, which is no refusal.
    """

    def __init__(self, *countries: Country) -> None:
        self.countries = countries
        self.trust = {country.code: "" for country in countries}
        self.refused: list[str] = []
        self.accepted = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.updated()

    def updated(self) -> None:
        """Take up what each country trusts after an update."""
        for country in self.countries:
            self.trust[country.code] = country.outputs()["ca_certificate"]

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            for here in self.countries:
                for there in self.countries:
                    for service in _PUBLIC:
                        self._connect(here, there, service)

    def _connect(self, here: Country, there: Country, service: str) -> None:
        trusted = ssl.create_default_context(cadata=self.trust[here.code])
        host, port = there.names.host(service), there.names.port(service)
        try:
            with socket.create_connection((LOOPBACK, port), 3) as line, trusted.wrap_socket(line, server_hostname=host):
                self.accepted += 1
        except ssl.SSLCertVerificationError as error:
            self.refused.append(f"{time.strftime('%X')} {here.code} refused {host}: {error.verify_message}")
        except OSError:
            return


@pytest.fixture
def witness(usa: Country, fra: Country) -> Iterator[Witness]:
    with Witness(usa, fra) as watching:
        yield watching


def roots(country: Country) -> list[str]:
    """Return the common names of the roots that the country trusts."""
    trusted = pki.certificates(country.outputs()["ca_certificate"])
    return [str(pki.leaf(root).subject.rfc4514_string()).rpartition("CN=")[2] for root in trusted]


def carried_out(witness: Witness, country: Country, *command: str) -> str:
    """Run a command that updates a country, and log people in over the link both ways; return what it printed."""
    done = country.dive(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    witness.updated()
    for here, of in (witness.countries, witness.countries[::-1]):
        password, ca = of.outputs()["test_user_password"], here.outputs()["ca_certificate"]
        with login(here.names, of.names, f"testuser-{of.stack}-1", password, ca) as session:
            assert session.claims["countryOfAffiliation"] == of.code
    assert not witness.refused
    return done.stdout + done.stderr


def test_the_ca_is_replaced_and_no_connection_is_refused(usa: Country, fra: Country, witness: Witness) -> None:
    usa.stack_file()
    [first] = roots(usa)

    carried_out(witness, usa, "rotate-ca", "--begin")
    assert len(roots(usa)) == 2
    assert roots(fra) == [first]
    early = usa.dive("rotate-ca", "--continue")
    assert early.returncode == 1
    assert "FRA does not trust the new CA yet" in early.stderr
    assert "it waits for FRA, which does not trust the new CA yet" in usa.dive("status", "USA").stdout
    carried_out(witness, fra, "up", "FRA")
    assert roots(fra) == roots(usa)
    assert "every country is ready; next: ./dive rotate-ca --continue" in usa.dive("rotate-ca").stderr

    carried_out(witness, usa, "rotate-ca", "--continue")
    early = usa.dive("rotate-ca", "--finish")
    assert early.returncode == 1
    assert "FRA still has certificates of the old CA" in early.stderr
    carried_out(witness, fra, "up", "FRA")

    carried_out(witness, usa, "rotate-ca", "--finish")
    [second] = roots(usa)
    assert second != first
    assert "authority-root" not in {r["urn"].rpartition("::")[2] for r in usa.resources()}, "its key is gone, too"
    carried_out(witness, fra, "up", "FRA")
    assert roots(fra) == [second]
    assert "being replaced" not in usa.dive("status", "USA").stdout
    assert witness.accepted > 100


def test_the_keys_of_a_country_are_replaced_and_no_link_breaks(usa: Country, fra: Country, witness: Witness) -> None:
    def entry() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(usa.outputs()["coalition"])["payload"]["members"]["FRA"]
        return found

    def is_proven(country: Country) -> None:
        country.stack_file()
        assert country.dive("doctor", country.code).returncode == 0, "logs in over the link both ways"

    before = entry()
    carried_out(witness, fra, "rotate-keys", "FRA", "--begin")
    is_proven(usa)
    early = fra.dive("rotate-keys", "FRA", "--finish")
    assert early.returncode == 1
    assert "the coalition document that FRA has does not have its new keys" in early.stderr

    usa.stack_file()
    carried_out(witness, usa, "up", "USA")
    after = entry()
    assert not [name for name in ("deployer_key", "sealing_key", "policy_key") if after[name] == before[name]]
    carried_out(witness, fra, "up", "FRA")
    is_proven(usa)
    assert "the keys of FRA are being replaced" in fra.dive("status", "FRA").stdout

    carried_out(witness, fra, "rotate-keys", "FRA", "--finish")
    is_proven(usa)
    is_proven(fra)
    assert "being replaced" not in fra.dive("status", "FRA").stdout
