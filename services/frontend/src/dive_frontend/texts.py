"""What the portal tells a person whom a check of the policy refused: what is wrong, and what would change it."""

from typing import NamedTuple


class RefusalText(NamedTuple):
    heading: str
    advice: str


_BY_CHECK = {
    "authentication": RefusalText("You are not signed in", "Sign in and try again."),
    "attributes": RefusalText(
        "Your account lacks an attribute", "Ask your country's identity provider to supply the attribute."
    ),
    "policy_data": RefusalText(
        "The policy data has not arrived yet",
        "Try again in a minute. If that does not help, tell the operator.",
    ),
    "clearance": RefusalText(
        "Your clearance is too low", "Only people cleared for this classification may read the document."
    ),
    "strength": RefusalText("Your sign-in was not strong enough", "Sign in again with a stronger method."),
    "mfa": RefusalText("A second factor is required", "Sign in again with a second factor."),
    "upload": RefusalText(
        "Your country is not among the recipients", "Release the document to your own country as well."
    ),
    "country": RefusalText(
        "The document is not released to your country", "Its owner decides which countries may read it."
    ),
    "coi": RefusalText(
        "You are not in the document's community of interest", "Your own country grants the membership."
    ),
    "embargo": RefusalText("The document is under embargo", "You can read it from the day of its release."),
    "integrity": RefusalText(
        "The document has been altered",
        "Its label or content has changed since it was sealed. Report it to the operator.",
    ),
    "industry": RefusalText(
        "The document is not released to industry", "Its owner decides whether contractors may read it."
    ),
    "industry_cap": RefusalText(
        "The document's classification is too high for industry", "Contractors may read up to a fixed classification."
    ),
    "coherence": RefusalText(
        "The document's communities contradict each other", "Its owner must correct the document's label."
    ),
    "agreement": RefusalText(
        "The agreement with your country has ended", "The operators of the coalition agree on a new end."
    ),
    "federation": RefusalText(
        "Your country is not trusted here", "The two countries have no federation that covers this document."
    ),
}
_NATIONAL = RefusalText("A rule of this country does not permit it", "Ask the operator of this country.")
_OTHER = RefusalText("The policy does not permit it", "Ask the owner of the document.")


def refusal_text(check: str) -> RefusalText:
    """Return the text for a check's code; that of a rule of the country itself starts with `national.`."""
    return _BY_CHECK.get(check, _NATIONAL if check.startswith("national.") else _OTHER)
