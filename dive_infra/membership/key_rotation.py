"""A rotation of the keys that a country is enrolled with: which of two keys counts.

A secret of the stack file holds such a key (PEM) or, during a rotation, two: the one before, then its successor. The
request asks for the newest. Until the hub has taken that up, and the document names them, the ones before count: a
country is deployed with the keys that others rely on, whether the hub answers or not. What it signs it signs with both,
and what is sealed to either it opens, so that no partner has to act at the same time.
"""

from collections.abc import Mapping

from dive_infra.crypto import pki
from dive_infra.membership import keys
from dive_infra.membership.document import Member
from dive_infra.membership.request import Request, authority_key

# Of these one alone can be used: a certificate or a token has one signature.
_ALONE = ("ca-key", "policy-key")


def rotating(private: Mapping[str, str]) -> bool:
    """Return True if one of these keys (credential -> PEM) has a successor."""
    return any(len(pki.private_keys(text)) > 1 for text in private.values())


def newest(private: Mapping[str, str]) -> dict[str, str]:
    """Return the newest of each of these keys."""
    return {name: pki.private_keys(text)[-1] for name, text in private.items()}


def counting(private: Mapping[str, str], known: Request | Member | None) -> dict[str, str]:
    """Return of each key the one whose public half is `known`; the newest where none is."""
    public = _public_halves(known) if known else {}

    def one(name: str, text: str) -> str:
        held = pki.private_keys(text)
        counts = (key for key in held if name in public and _public_half(name, key) == public[name])
        return next(counts, held[-1])

    return {name: one(name, text) for name, text in private.items()}


def used(private: Mapping[str, str], known: Request | Member | None) -> dict[str, str]:
    """Return the keys that a country is deployed with whose public halves are `known`: both, or the one that counts."""
    counts = counting(private, known)
    return {name: counts[name] if name in _ALONE else text for name, text in private.items()}


def _public_halves(known: Request | Member) -> dict[str, str | bytes]:
    return {
        "ca-key": known.authority_key() if isinstance(known, Member) else authority_key(known),
        "deployer-key": known.deployer_key,
        "sealing-key": known.sealing_key,
        "policy-key": known.policy_key,
    }


def _public_half(name: str, key: str) -> str | bytes:
    return keys.authority_key(key) if name == "ca-key" else keys.public_text(key)
