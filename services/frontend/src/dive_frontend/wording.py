"""The policy's checks in words for the person who was refused: what it is about, and what would change it."""

from typing import NamedTuple


class Words(NamedTuple):
    heading: str
    advice: str


_WORDS = {
    "authentication": Words("You are not signed in", "Sign in and try again."),
    "attributes": Words("Your account lacks an attribute", "Your country's identity provider must supply it."),
    "policy_data": Words(
        "The policy's data is not there yet", "Try again in a minute; if it stays so, tell the operator."
    ),
    "clearance": Words("Your clearance is too low", "Only people cleared for this classification may read it."),
    "strength": Words("Your sign-in was not strong enough", "Sign in again with a stronger method."),
    "mfa": Words("A second factor is needed", "Sign in again with a second factor."),
    "upload": Words("Your country is not among the recipients", "Release the document to your own country as well."),
    "country": Words("It is not released to your country", "Its owner decides to which countries it is released."),
    "coi": Words("You are not in its community of interest", "Membership is granted by your own country."),
    "embargo": Words("It is not released yet", "It becomes readable on the day of its release."),
    "integrity": Words(
        "The document has been altered", "Its label or content is not what was sealed. Tell the operator."
    ),
    "industry": Words("It is not released to industry", "Its owner decides whether contractors may read it."),
    "industry_cap": Words("It is above what industry may read", "Contractors may read up to a fixed classification."),
    "coherence": Words("Its communities contradict each other", "The document's label must be mended by its owner."),
    "federation": Words("Your country is not trusted here", "The two countries' federation does not cover this."),
}
_OTHER = Words("The policy does not allow it", "Ask the owner of the document.")


def of(check: str) -> Words:
    return _WORDS.get(check, _OTHER)
