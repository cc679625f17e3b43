"""Where the document is read from: a file, or an address with a copy of its last answer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dive_infra.config import paths
from dive_infra.config.countries import HUB, HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.config.settings import load
from dive_infra.identity import https
from dive_infra.membership import document, files
from dive_infra.membership.refusals import Missing
from tests.support import members

AT_THE_HUB = load("fra", {"dive:coalition": "https://api.usa.dive.localhost:4000/.well-known/dive-coalition"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(paths, "HOME", tmp_path / ".dive")
    return tmp_path


class Hub:
    """Answers with `content`, or not at all; `trusted` are the CAs that it was asked with, `at` the addresses.

    `moved`: it answers only where the resolver says that it is, an empty address.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.content: bytes | None = b"{}"
        self.moved = False
        self.trusted: list[str] = []
        self.at: list[str] = []
        monkeypatch.setattr(https, "client", self._client)

    def _client(self, ca: str, _timeout: float, *countries: Names) -> httpx.Client:
        address = "".join(names.published for names in countries)
        self.trusted.append(ca)
        self.at.append(address)

        def answer(_: httpx.Request) -> httpx.Response:
            if self.content is None or (self.moved and address):
                raise httpx.ConnectError("refused")
            return httpx.Response(200, content=self.content)

        return httpx.Client(transport=httpx.MockTransport(answer))


def issued(**where: Any) -> bytes:
    key = members.private_keys(HUB_CODE)["coalition-key"]
    return document.sign(members.issue([replace(Names(HUB), **where)]), key)


def test_an_answer_is_kept_for_when_the_hub_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(monkeypatch)
    hub.content = issued()
    assert files.read_document(AT_THE_HUB) == hub.content
    files.keep(AT_THE_HUB, hub.content)  # once it is verified
    kept, hub.content = hub.content, b"a page of a proxy"
    assert files.read_document(AT_THE_HUB) == hub.content, "refused by its signature, and not kept"
    hub.content = None
    assert files.read_document(AT_THE_HUB) == kept
    coalition = members.ROOT.chain
    assert hub.trusted == ["", *[coalition] * 3], "once there is a copy, the coalition's own CA is expected"


@pytest.mark.parametrize("moved", [False, True])
def test_the_hub_is_where_the_copy_says_and_only_one_that_has_moved_where_the_resolver_says(
    monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    hub = Hub(monkeypatch)
    files.keep(AT_THE_HUB, issued(domain="dive.example", address="192.0.2.1"))
    hub.content, hub.moved = b"the next one", moved
    assert files.read_document(AT_THE_HUB) == hub.content
    assert hub.at == (["192.0.2.1", ""] if moved else ["192.0.2.1"])
    assert set(hub.trusted) == {members.ROOT.chain}


def test_a_copy_that_cannot_be_read_says_neither_whom_to_trust_nor_where_the_hub_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = Hub(monkeypatch)
    files.keep(AT_THE_HUB, b"half of a docu")
    assert files.read_document(AT_THE_HUB) == hub.content
    assert (hub.trusted, hub.at) == ([""], [""])


def test_without_an_answer_and_without_a_copy_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    Hub(monkeypatch).content = None
    with pytest.raises(Missing, match=r"cannot be had: refused.*get the file from the hub's operator"):
        files.read_document(AT_THE_HUB)


def test_a_file_is_below_the_stack_files(folder: Path) -> None:
    (folder / "received.json").write_text("x")
    assert files.read_document(load("fra", {"dive:coalition": "received.json"})) == b"x"
    with pytest.raises(Missing, match=r"the coalition document other.json cannot be read: No such file"):
        files.read_document(load("fra", {"dive:coalition": "other.json"}))
