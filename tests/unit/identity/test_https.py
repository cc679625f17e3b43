"""HTTPS to a country's names, with a real server on this machine."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from dive_infra.config.countries import HUB, parse
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.identity import https
from tests.support.https_server import ROOT, serving

HOST = "keycloak.fra.localhost"


@pytest.fixture
def url() -> Iterator[str]:
    with serving(HOST) as port:
        yield f"https://{HOST}:{port}/"


def test_clients_on_many_threads_share_the_trust_and_reach_a_name_that_no_resolver_knows(url: str) -> None:
    def ask(_: int) -> str:
        with https.client(ROOT.chain) as http:
            return http.get(url).text

    https.client(ROOT.chain).close()
    before = https._trust.cache_info().misses
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(40))) == {f"{HOST} http/1.1"}
    assert https._trust.cache_info().misses == before


def test_no_connection_is_of_two_threads(url: str) -> None:
    """A pool may close what another thread was given (encode/httpcore#1110)."""

    def port(http: httpx.Client) -> int:
        stream = http.get(url).extensions["network_stream"]
        return int(stream.get_extra_info("client_addr")[1])

    with https.client(ROOT.chain) as http:
        ours = port(http)
        with ThreadPoolExecutor(1) as thread:
            other = thread.submit(port, http).result()
            assert thread.submit(port, http).result() == other, "which it keeps"
        assert port(http) == ours != other


def test_the_hosts_of_a_country_are_at_its_address_under_any_domain() -> None:
    usa = Names(HUB, domain="dive.example", address="127.0.0.2")
    fra = Names(parse("FRA"), domain="dive.example", address="127.0.0.3")
    with serving(fra.host("backend"), fra.address) as port:
        url = f"https://{fra.host('backend')}:{port}/"
        with https.client(ROOT.chain, 5, usa, fra) as http:
            assert http.get(url).text == f"{fra.host('backend')} http/1.1"
        with https.client(ROOT.chain, 5, usa, replace(fra, address="")) as http, pytest.raises(httpx.ConnectError):
            http.get(url)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("idp.usa.dive.localhost", "127.0.0.2"),
        ("idp.usa.dive.localhost.example", None),
        ("usa.dive.localhost", "127.0.0.1"),
        ("idp.deu.dive.localhost", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("notlocalhost", None),
        ("fra.example.org", None),
        ("xfra.example.org", None),
        ("idp.fra.example.org", "127.0.0.1"),
    ],
)
def test_a_host_that_is_no_countrys_is_looked_up_unless_it_is_loopback_by_name(host: str, address: str | None) -> None:
    countries = (Names(HUB, address="127.0.0.2"), Names(parse("FRA"), domain="example.org"))
    assert https._ToAddresses(https._trust(""), countries)._address(host) == address


def test_a_context_in_use_is_not_changed_by_a_connection() -> None:
    """OpenSSL does not lock it, and httpcore sets the protocols before each handshake."""
    trust = https._trust(ROOT.chain)
    trust.set_alpn_protocols(["h2"])
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trust.wrap_bio(ours, theirs, server_hostname=HOST).do_handshake()
    hello = theirs.read()
    assert (b"http/1.1" in hello, b"h2" in hello) == (True, False)


def test_a_client_trusts_only_its_own_authority(url: str) -> None:
    """Also after another client was trusting: contexts are kept by authority."""
    other = pki.issue("another", 1, authority=True)
    with https.client(other.chain) as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        http.get(url)
    with https.client(ROOT.chain) as http, pytest.raises(httpx.ConnectError, match="ostname mismatch"):
        http.get(url.replace(HOST, "opa.fra.localhost"))
