"""The keys that a realm signs and encrypts with, by their public identity, compared with the recorded ones.

Keycloak generates them, so no table declares them: an update records them in the stack's state (`dynamic.realm_keys`),
and CONFIGURATION compares the live ones with that record.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from dive_infra.config.environment import ACCEPT_KEYS
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import UP, Remedy

_DISABLED = "DISABLED"  # neither signs nor verifies


@dataclass(frozen=True)
class RealmKey:
    """A key of a key provider. `thumbprint`: SHA-256 of the public key (DER), in hex.

    A symmetric key (HMAC, AES) has no public half, so none: it is known by its `kid` alone.
    """

    provider: str
    kid: str
    algorithm: str
    use: str
    thumbprint: str = ""


Recorded = Mapping[str, Sequence[RealmKey]]  # realm -> its keys


@dataclass(frozen=True)
class LiveKeys:
    """The names of a realm's key providers, and each key in force -> `active`, or `passive`: only verifies."""

    providers: frozenset[str]
    keys: Mapping[RealmKey, str]

    def of(self, providers: Iterable[str]) -> list[RealmKey]:
        """Return the keys of these providers, in a fixed order."""
        wanted = set(providers)
        return sorted((key for key in self.keys if key.provider in wanted), key=lambda key: (key.provider, key.kid))


def live_keys(answer: Mapping[str, Any], components: Iterable[Mapping[str, Any]]) -> LiveKeys:
    """Return the keys in Keycloak's answer at `/keys`; `components` are the realm's key providers."""
    names = {str(c["id"]): str(c.get("name") or c["providerId"]) for c in components}
    keys = {
        RealmKey(
            names.get(key["providerId"], str(key["providerId"])),
            str(key.get("kid", "")),
            str(key.get("algorithm", "")),
            str(key.get("use", "")),
            _thumbprint(key.get("publicKey")),
        ): str(key["status"]).lower()
        for key in answer["keys"]
        if key["status"] != _DISABLED
    }
    return LiveKeys(frozenset(names.values()), keys)


def _thumbprint(public_key: str | None) -> str:
    return sha256(base64.b64decode(public_key)).hexdigest() if public_key else ""


def plain(keys: Iterable[RealmKey]) -> list[dict[str, str]]:
    """Return keys as a state holds them."""
    return [asdict(key) for key in keys]


def recorded(state: Mapping[str, Iterable[Mapping[str, str]]]) -> dict[str, tuple[RealmKey, ...]]:
    """Return the keys of each realm from a state, which keeps the order of lists alone."""
    return {realm: tuple(RealmKey(**key) for key in keys) for realm, keys in sorted(state.items())}


def compare_keys(realm: str, country: str, known: Sequence[RealmKey], live: LiveKeys) -> list[Finding]:
    """Return a finding for each key in force that is not recorded, and for each recorded one that is not in force.

    A provider that is not declared, or is missing, is reported with the components of its realm.
    """
    subject = f"keys of realm {realm}"
    sentence = f"the {subject} are the recorded ones"
    remedy = Remedy.decide(
        f"replace all of them by fresh ones: ./dive rotate-keys {country}",
        f"if you replaced it yourself: {ACCEPT_KEYS}={realm} {UP}",
        country=country,
    )
    found = [
        Finding(sentence, Verdict.INVALID, expected, words, remedy, code=Code.REALM, subject=subject)
        for words, expected in _differences(known, live)
    ]
    return found or [Finding(sentence, Verdict.VALID)]


def _differences(known: Sequence[RealmKey], live: LiveKeys) -> Iterator[tuple[str, str]]:
    """Yield what was found and what was expected."""
    there = {(key.provider, key.kid) for key in live.keys}
    for key in live.of(k.provider for k in known):
        kids = [k.kid for k in known if k.provider == key.provider]
        if key not in known:
            other = " with another public key" if key.kid in kids else ""  # its id can be chosen
            yield f"{_shown(key)}, {live.keys[key]}){other}", f"the recorded keys {', '.join(kids)}"
    for key in known:
        if (key.provider, key.kid) not in there and key.provider in live.providers:
            yield f"{_shown(key)}) is gone or not in force", ""


def _shown(key: RealmKey) -> str:
    return f"key {key.kid} of provider {key.provider} ({key.algorithm}"
