"""What a partner publishes: read with its key, pending without an answer, refused if it is not its own."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from dive_infra.checks import partners
from dive_infra.checks.partners import Pending, issued
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import PartnerSpec
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.identity import https
from dive_infra.membership import keys, status
from dive_infra.membership.canonical import LIMIT
from dive_infra.membership.status import IssuedProbe, ProbeLogin, PublishedStatus
from tests.support.members import private_keys

USA, FRA = Names(HUB), Names(COUNTRIES["FRA"])
DEPLOYER, SEALING = private_keys("USA")["deployer-key"], private_keys("FRA")["sealing-key"]
PARTNER = PartnerSpec(USA, keys.public_text(DEPLOYER))
LOGIN = ProbeLogin("probe-usa-fra", "a password")


def published(**changed: Any) -> bytes:
    probes = {"FRA": IssuedProbe.sealed(LOGIN, "USA", "FRA", keys.public_text(SEALING))}
    known: dict[str, Any] = {"state": "COMPLETE", "phases": {}, "links": {}, "probes": probes} | changed
    return status.sign(PublishedStatus(country="USA", namespace="dive", issued=datetime.now(UTC), **known), DEPLOYER)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(https, "client", lambda *_: httpx.Client(transport=transport))


def ask() -> ProbeLogin:
    return issued(PARTNER, FRA, SEALING, "CA")


def test_the_account_is_that_which_the_partner_has_sealed_to_this_country(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=published())

    answering(monkeypatch, answer)
    assert ask() == LOGIN
    assert asked == [f"{USA.url('backend')}{partners.STATUS}"]


def _silent(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Connection refused")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_silent, "USA does not answer at"),
        (lambda _: httpx.Response(404), "USA publishes no status yet"),
        (lambda _: httpx.Response(503), "USA publishes no status yet"),
        (lambda _: httpx.Response(200, content=b"x" * (LIMIT + 1)), "the answer has more than"),
        (
            lambda _: httpx.Response(200, content=published(probes={})),
            "USA has not declared its side of the link to FRA",
        ),
    ],
    ids=[
        "silent",
        "without a status",
        "without its database",
        "endless",
        "without a person for this country",
    ],
)
def test_a_partner_that_is_not_ready_makes_the_link_pending(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response], says: str
) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(Pending, match=says) as pending:
        ask()
    assert "proves the link once USA is deployed and answers" in str(pending.value)


def test_a_partner_that_never_ends_its_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def answer(_: httpx.Request) -> httpx.Response:
        released.wait()
        return httpx.Response(404)

    answering(monkeypatch, answer)
    monkeypatch.setattr(partners, "_PATIENCE", 0.1)
    with pytest.raises(Pending, match=r"USA does not answer at .*: no end within 0 s"):
        ask()
    released.set()


def test_a_status_that_someone_else_has_signed_is_no_pending_link(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = published().replace(b'"USA"', b'"GBR"')
    answering(monkeypatch, lambda _: httpx.Response(200, content=forged))
    with pytest.raises(CheckFailed, match="the status of USA was changed after it was signed"):
        ask()


def test_a_person_that_is_sealed_to_another_key_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    other = IssuedProbe.sealed(LOGIN, "USA", "FRA", keys.public_text(keys.new_sealing_key()))
    answering(monkeypatch, lambda _: httpx.Response(200, content=published(probes={"FRA": other})))
    with pytest.raises(CheckFailed, match="cannot open the probe from USA to FRA"):
        ask()
