"""Where the document is read from: a file, or an address with a copy of its last answer."""

from pathlib import Path

import httpx
import pytest

from dive_infra.config import paths
from dive_infra.config.settings import load
from dive_infra.identity import https
from dive_infra.membership import files
from dive_infra.membership.refusals import Missing

AT_THE_HUB = load("fra", {"dive:coalition": "https://api.usa.dive.localhost:4000/.well-known/dive-coalition"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(paths, "HOME", tmp_path / ".dive")
    return tmp_path


class Hub:
    """Answers with `content`, or not at all; `trusted` are the CAs that it was asked with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.content: bytes | None = b"{}"
        self.trusted: list[str] = []
        monkeypatch.setattr(https, "client", self._client)

    def _client(self, ca: str, _timeout: float) -> httpx.Client:
        self.trusted.append(ca)

        def answer(_: httpx.Request) -> httpx.Response:
            if self.content is None:
                raise httpx.ConnectError("refused")
            return httpx.Response(200, content=self.content)

        return httpx.Client(transport=httpx.MockTransport(answer))


def test_an_answer_is_kept_for_when_the_hub_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(monkeypatch)
    hub.content = b'{"payload": {"authorities": ["CA1", "CA2"]}}'
    assert files.read_document(AT_THE_HUB) == hub.content
    files.keep(AT_THE_HUB, hub.content)  # once it is verified
    kept, hub.content = hub.content, b"a page of a proxy"
    assert files.read_document(AT_THE_HUB) == hub.content, "refused by its signature, and not kept"
    hub.content = None
    assert files.read_document(AT_THE_HUB) == kept
    assert hub.trusted == ["", "CA1CA2", "CA1CA2"], "once there is a copy, the coalition's own CA is expected"


def test_without_an_answer_and_without_a_copy_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    Hub(monkeypatch).content = None
    with pytest.raises(Missing, match=r"cannot be had: refused.*get the file from the hub's operator"):
        files.read_document(AT_THE_HUB)


def test_a_file_is_below_the_stack_files(folder: Path) -> None:
    (folder / "received.json").write_text("x")
    assert files.read_document(load("fra", {"dive:coalition": "received.json"})) == b"x"
    with pytest.raises(Missing, match=r"the coalition document other.json cannot be read: No such file"):
        files.read_document(load("fra", {"dive:coalition": "other.json"}))
