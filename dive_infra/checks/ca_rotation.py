"""How far a rotation of the coalition's CA is: what each member says in its status, and what the hub has proven."""

from collections.abc import Mapping
from dataclasses import dataclass

from dive_infra.checks import partners
from dive_infra.checks.spec import PartnerSpec, VerificationSpec
from dive_infra.config.countries import HUB_CODE
from dive_infra.membership.ca_rotation import Step, next_step, position, unready
from dive_infra.membership.document import Coalition, names_of


@dataclass(frozen=True)
class UnderWay:
    """A rotation: its `next` step, and who is not ready for it, country -> why (words that follow its code)."""

    next: Step
    waiting: Mapping[str, str]


def under_way(coalition: Coalition, own: VerificationSpec | None) -> UnderWay | None:
    """Return the rotation that the hub's document says is under way; None if it names one CA.

    Asks all members at once. `own` is what the hub has proven of itself.
    """
    step = next_step(coalition)
    if step is Step.BEGIN:
        return None
    members = [
        PartnerSpec(names_of(code, member, coalition.namespace), member.deployer_key)
        for code, member in coalition.members.items()
        if code != HUB_CODE
    ]
    found = partners.waiting(members, "".join(coalition.authorities), lambda said: unready(said.rotation, coalition))
    found[HUB_CODE] = unready(position(own.ca, own.issuer) if own else None, coalition)
    return UnderWay(step, {code: found[code] for code in coalition.members if found.get(code)})
