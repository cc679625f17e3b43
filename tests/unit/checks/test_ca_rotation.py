"""How far a rotation of the coalition's CA is: members say it in their status, the hub has it in its state."""

import pytest

from dive_infra.checks import ca_rotation, partners
from dive_infra.checks.ca_rotation import UnderWay, under_way
from dive_infra.checks.partners import Pending
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import DeploymentSpec, PartnerSpec, Party, VerificationSpec
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.membership.ca_rotation import Step, position
from dive_infra.membership.document import Coalition
from dive_infra.membership.status import PublishedStatus
from dive_infra.results.text import now
from tests.support import members

USA, FRA, DEU = Names(HUB), Names(COUNTRIES["FRA"]), Names(COUNTRIES["DEU"])
NEW = pki.issue("DIVE coalition dive 2", 30, authority=True)
BOTH = members.ROOT.chain + NEW.chain
DOCUMENT = members.issue([USA, FRA, DEU])
BEGUN = DOCUMENT.model_copy(update={"authorities": (members.ROOT.chain, NEW.chain)})


def own(ca: str, document: Coalition = DOCUMENT) -> VerificationSpec:
    issuer = document.members["USA"].certificate if ca == BOTH else ""
    return VerificationSpec(Party(USA, "p"), (), DeploymentSpec(USA, (), (), "m", "r", "o"), ca, 200, issuer=issuer)


def saying(monkeypatch: pytest.MonkeyPatch, **said: str | Exception) -> list[PartnerSpec]:
    """Have members publish that they trust these CAs, or not answer."""
    asked: list[PartnerSpec] = []

    def published(partner: PartnerSpec, ca: str) -> PublishedStatus:
        assert ca == BOTH, "either of which its certificate may be from"
        asked.append(partner)
        answer = said[partner.names.country.code]
        if isinstance(answer, Exception):
            raise answer
        code = partner.names.country.code
        rotation = position(answer, DOCUMENT.members[code].certificate) if answer == BOTH else None
        given = {"state": "COMPLETE", "phases": {}, "links": {}, "probes": {}, "rotation": rotation}
        return PublishedStatus.model_validate({"country": code, "namespace": "dive", "issued": now(), **given})

    monkeypatch.setattr(partners, "published", published)
    return asked


def test_no_one_is_asked_while_there_is_one_ca(monkeypatch: pytest.MonkeyPatch) -> None:
    assert saying(monkeypatch) == []
    assert under_way(DOCUMENT, own(members.ROOT.chain)) is None


def test_a_rotation_waits_for_each_member_that_has_not_taken_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = saying(monkeypatch, FRA=BOTH, DEU="")
    assert under_way(BEGUN, own(BOTH)) == UnderWay(Step.CONTINUE, {"DEU": "does not trust the new CA yet"})
    assert {(p.names.country.code, p.deployer_key) for p in asked} == {
        (code, DOCUMENT.members[code].deployer_key) for code in ("FRA", "DEU")
    }


@pytest.mark.parametrize("answer", [Pending("FRA is away"), CheckFailed("FRA is away")])
def test_a_member_that_cannot_be_asked_is_waited_for(monkeypatch: pytest.MonkeyPatch, answer: Exception) -> None:
    saying(monkeypatch, FRA=answer, DEU=BOTH)
    assert under_way(BEGUN, own(BOTH)) == UnderWay(Step.CONTINUE, {"FRA": "cannot be asked: FRA is away"})


@pytest.mark.parametrize("proven", [None, own(members.ROOT.chain)], ids=["nothing", "the state before"])
def test_the_hub_itself_must_have_taken_it_up(monkeypatch: pytest.MonkeyPatch, proven: VerificationSpec | None) -> None:
    saying(monkeypatch, FRA=BOTH, DEU=BOTH)
    assert ca_rotation.under_way(BEGUN, proven) == UnderWay(Step.CONTINUE, {"USA": "does not trust the new CA yet"})
