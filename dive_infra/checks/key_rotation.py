"""How far a rotation of the keys that a country is enrolled with is: which partners rely on the new ones."""

from collections.abc import Mapping

from dive_infra.checks import partners
from dive_infra.checks.spec import VerificationSpec
from dive_infra.membership.refusals import CannotOpen
from dive_infra.membership.status import PublishedStatus


def waiting(own: VerificationSpec, sealing_key: str, coalition_key: str = "") -> Mapping[str, str]:
    """Return which partners do not rely on the new keys yet, code -> why (words that follow it); asks all at once.

    What a partner has sealed shows which keys its copy of the document has: what `sealing_key`, the new one (PEM),
    opens. `coalition_key`, at a hub that replaces it: the new one (base64), which members pin.
    """

    def why(found: PublishedStatus) -> str:
        try:
            issued = found.probe(own.own.names.country.code, sealing_key)
        except CannotOpen:
            return "goes by a document without the new keys"
        if issued is None:
            return "has not declared its side of the link yet"
        return "does not pin the new coalition key yet" if coalition_key not in ("", found.pinned) else ""

    return partners.waiting(own.partners, own.ca, why)
