"""A coalition on paper: keys and requests of its countries, and the document that its hub would issue."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from dive_infra.config.countries import HUB_CODE
from dive_infra.config.credentials import enrolled
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.membership import authority, document, files, keys, request
from dive_infra.membership.document import Agreement, Coalition, Member
from dive_infra.membership.enrolment import new_keys, request_of

Keys = Mapping[str, str]  # credential -> private key (PEM)
ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = pki.issue("root of a test", 30, authority=True)


@cache
def private_keys(code: str) -> dict[str, str]:
    """Return the keys that `./dive new` would create for a country; the same ones for each test of a run."""
    return new_keys(enrolled(code == HUB_CODE))


def coalition_key() -> str:
    """Return the public key that signs the document."""
    return keys.public_text(private_keys(HUB_CODE)["coalition-key"])


def configuration(code: str) -> dict[str, Any]:
    """Return what enrolment adds to a stack's configuration."""
    found: dict[str, Any] = {"dive:secrets": json.dumps(private_keys(code))}
    return found if code == HUB_CODE else found | {"dive:coalitionKey": coalition_key()}


def write_request(folder: Path, names: Names, private: Keys | None = None) -> None:
    """Write the request of a country, of these private keys."""
    private = private or private_keys(names.country.code)
    made = request.sign(request_of(names, private, ISSUED), private["deployer-key"])
    files.write(files.request_file(names.country.code, folder), made)


def issue(
    countries: Iterable[Names],
    given: Mapping[str, Keys] | None = None,
    agreements: Mapping[str, Agreement] | None = None,
) -> Coalition:
    """Return the document of a coalition of these countries, valid now; `given`: keys of some of them."""
    members, namespace = {}, ""
    for names in countries:
        code, namespace = names.country.code, names.namespace
        asked = request_of(names, (given or {}).get(code) or private_keys(code), ISSUED)
        root = pki.Issuer(ROOT.chain, ROOT.key)
        certificate = authority.certificate_for(asked.signing_request, code, names.zone, 30, root, names.address)
        members[code] = Member.of(asked, certificate, (agreements or {}).get(code, Agreement()))
    return document.issue(None, namespace, [ROOT.chain], members, datetime.now(UTC), timedelta(days=90))


def write(
    folder: Path,
    *countries: Names,
    given: Mapping[str, Keys] | None = None,
    agreements: Mapping[str, Agreement] | None = None,
) -> None:
    """Write the requests of these countries, and the document."""
    for names in countries:
        write_request(folder, names, (given or {}).get(names.country.code))
    content = document.sign(issue(countries, given, agreements), private_keys(HUB_CODE)["coalition-key"])
    files.write(folder / "members" / "coalition.json", content)
