"""Secrets reach every server byte for byte: each file is read as its server reads it."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dive_infra.catalog.services import services
from dive_infra.catalog.spec import Material, ServiceSpec
from dive_infra.config.countries import HUB, parse
from dive_infra.config.credentials import CREDENTIALS, Credential
from dive_infra.config.naming import Names
from dive_infra.config.settings import flaw_of
from dive_infra.crypto import pki

RSA = pki.rsa_key()
USA, FRA = Names(HUB), Names(parse("FRA"))
SPECS = {
    f"{names.country.code} {spec.name}": spec
    for names, partner in ((USA, FRA), (FRA, USA))
    for spec in services(names, USA, [partner], {})
}
ROWS = {c.name: c for c in CREDENTIALS}
ANY = Credential("any", "a password of the longest minimum", minimum=32)
ACCEPTED = "".join(c for c in map(chr, range(128)) if flaw_of(ANY, c * 16 + "xY1-" * 8) is None)
# Most of what servers treat in a special way, more often than chance would.
SECRETS = st.lists(
    st.sampled_from(["$", "$$", "${", "${HOME}", "}", "#", "!", "=", ":", "%", *ACCEPTED]), min_size=40
).map("".join)


def keycloak(text: str) -> Mapping[str, str]:
    """As Keycloak 26.7 reads its file: Java properties, then expressions; `$$` is one `$` (seen with `show-config`)."""

    def expanded(match: "re.Match[str]") -> str:
        return "$" if match[0] == "$$" else "expanded"

    pairs = (line.split("=", 1) for line in text.splitlines())
    return {key: re.sub(r"\$\$|\$\{[^}]*\}?", expanded, value) for key, value in pairs}


def redis(text: str) -> Mapping[str, str]:
    """As Redis reads it: a line that starts with `#` is a comment; words are separated by blanks."""
    pairs = (line.split(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return dict(pairs)


def values(spec: ServiceSpec, files: Mapping[str, str]) -> Iterator[str]:
    """What the servers find in their files."""
    for path, text in files.items():
        if path.endswith("/keycloak.conf"):
            yield from keycloak(text).values()
        elif path.endswith("/redis.conf"):
            yield from redis(text).values()
        else:
            yield text
            yield text.rstrip("\n")


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=60)
@given(SECRETS)
@example("$" * 33)
@example("${HOME}${kc.db-password}$${x}$$$$")
@example("#!=:%" * 8 + "$")
def test_a_server_finds_every_secret_as_it_was_given(name: str, secret: str) -> None:
    spec = SPECS[name]
    given_ = {s: RSA if ROWS[s].kind == "rsa" else f"{place}{secret}" for place, s in enumerate(spec.secrets)}
    files = spec.files(Material(given_, "certificate", "key", "ca", {"USA": "hub's key"}))
    found = {*values(spec, files)}
    for credential, value in given_.items():
        if credential.startswith("opa-") and spec.name == "opa":
            assert any(sha256(value.encode()).hexdigest() in text for text in found)
        elif ROWS[credential].kind != "rsa":  # of a key, some servers get the public half or a signature
            assert value in found, credential


def test_the_characters_that_matter_are_accepted() -> None:
    assert {*"${}#!=:%&;()<>|`~^*?,@/+-_.[]"} <= {*ACCEPTED}


@pytest.mark.parametrize("refused", [*" \t\n\r\"'\\", "é", "\0", "\x7f"])
def test_what_a_server_would_read_as_another_value_is_refused_where_secrets_are_judged(refused: str) -> None:
    flaw = flaw_of(ANY, "x" * 40 + refused)
    assert flaw
    assert "expected printable ASCII without space, quotes and backslash" in flaw
