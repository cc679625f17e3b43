"""Where the files of a coalition are: requests and the coalition document beside the stack files, or at the hub."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx

from dive_infra.config import paths
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.config.settings import Settings
from dive_infra.identity import https
from dive_infra.membership import document
from dive_infra.membership.canonical import LIMIT
from dive_infra.membership.refusals import MembershipError, Missing
from dive_infra.membership.request import Request, file_name, read
from dive_infra.process.deadline import within
from dive_infra.results.remedy import UP, Remedy
from dive_infra.results.text import first_line

_FOLDER = "members"
_ADDRESS = "https://"
_ANSWER = 5.0  # seconds for the document from an address


def request_file(code: str, folder: Path | None = None) -> Path:
    """Return where the request of a country is; `folder` has the stack files, if others than this program's."""
    return (folder or paths.STACKS) / _FOLDER / file_name(code)


def document_file() -> Path:
    """Return where the hub writes the coalition document."""
    return paths.STACKS / _FOLDER / "coalition.json"


def content(code: str) -> bytes:
    """Return the content of the file with a country's request; raises `Missing`."""
    path = request_file(code)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Missing(
            f"{_FOLDER}/{path.name} does not exist, so nothing is known of {code}",
            Remedy.decide(f"the operator of {code} runs ./dive new {code} and sends that file"),
            expected=f"the request of {code}",
        ) from None


def read_request(code: str) -> Request:
    """Return the request of a country; raises `Missing`, or what `membership.request.read` raises."""
    return read(content(code), request_file(code).name)


def read_document(settings: Settings) -> bytes:
    """Return the content of the document that `dive:coalition` names: a file, or an address of the hub.

    Once a copy of the document says what that is, an address must have a certificate of the coalition, and is looked
    for where the copy says that the hub is: a hub that has moved, by the resolver of this machine. If it does not
    answer, the copy of the last document that was relied on is used. Raises `Missing`.
    """
    place = settings.coalition
    if place.startswith(_ADDRESS):
        return _asked(place, _copy(settings))
    path = paths.STACKS / place
    try:
        return path.read_bytes()
    except OSError as error:
        raise Missing(
            f"the coalition document {place} cannot be read: {error.strerror}",
            Remedy.update(HUB_CODE, f"{UP} writes it; copy it here, or set dive:coalition to where it is"),
            expected="a file, or an address such as https://api.usa.example:4000/.well-known/dive-coalition",
        ) from None


def keep(settings: Settings, document: bytes) -> None:
    """Keep a document that was verified, for when the address that it came from does not answer."""
    if settings.coalition.startswith(_ADDRESS) and not (
        _copy(settings).exists() and _copy(settings).read_bytes() == document
    ):
        write(_copy(settings), document)


def _copy(settings: Settings) -> Path:
    return paths.HOME / f"coalition-{settings.place.lower}.json"


def write(path: Path, content: bytes) -> None:
    """Write a file that others read: as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def _asked(address: str, copy: Path) -> bytes:
    authorities, hub = _known(copy)
    error: Exception = RuntimeError("no answer")
    for countries in ([hub], []) if hub else ([],):
        try:
            return _answer(address, authorities, countries)
        except (httpx.HTTPError, ssl.SSLError, TimeoutError) as failed:
            error = failed
    if copy.exists():
        return copy.read_bytes()
    raise Missing(
        f"the coalition document at {address} cannot be had: {first_line(error)}",
        Remedy.decide("get the file from the hub's operator, and set dive:coalition to it"),
        expected="an answer, or a copy of an earlier one",
    )


def _answer(address: str, authorities: str, countries: Sequence[Names]) -> bytes:
    """Return what is at an address; hosts of `countries` are at theirs, others where the resolver says."""
    with https.client(authorities, _ANSWER, *countries) as http:
        status, found = within(3 * _ANSWER, lambda: https.fetch(http, address, LIMIT))
    if status != httpx.codes.OK:
        raise httpx.RemoteProtocolError(f"it answers {status}")
    return found


def _known(copy: Path) -> tuple[str, Names | None]:
    """Return the CAs and the hub that a copy of the document names, unverified: another answer is refused later."""
    try:
        known = document.latest(copy.read_bytes())
        return "".join(known.authorities), known.names(HUB_CODE)
    except (OSError, MembershipError):
        return "", None
