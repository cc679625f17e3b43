"""A rotation of a country's keys waits for each partner that still relies on the ones before."""

import pytest

from dive_infra.checks import partners
from dive_infra.checks.key_rotation import waiting
from dive_infra.checks.partners import Pending
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import DeploymentSpec, PartnerSpec, Party, VerificationSpec
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.membership import keys
from dive_infra.membership.status import IssuedProbe, ProbeLogin, PublishedStatus
from dive_infra.results.text import now

USA, FRA, DEU = Names(HUB), Names(COUNTRIES["FRA"]), Names(COUNTRIES["DEU"])
OLD, NEW = keys.new_sealing_key(), keys.new_sealing_key()
DEPLOYMENT = DeploymentSpec(USA, (), (), "m", "r", "o")
OWN = VerificationSpec(
    Party(USA, "p"), (PartnerSpec(FRA, "a"), PartnerSpec(DEU, "b")), DEPLOYMENT, "CA", 200, sealing_key=OLD + NEW
)


def published(code: str, sealed_to: str = "", pinned: str = "") -> PublishedStatus:
    login = ProbeLogin("probe", "a password")
    sealed = IssuedProbe.sealed(login, code, "USA", keys.public_text(sealed_to)) if sealed_to else None
    return PublishedStatus(
        country=code,
        namespace="dive",
        issued=now(),
        state="COMPLETE",
        phases={},
        links={},
        probes={"USA": sealed} if sealed else {},
        pinned=pinned,
    )


def saying(monkeypatch: pytest.MonkeyPatch, **said: PublishedStatus | Exception) -> None:
    def asked(partner: PartnerSpec, ca: str) -> PublishedStatus:
        assert (partner.deployer_key, ca) in (("a", "CA"), ("b", "CA"))
        answer = said[partner.names.country.code]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(partners, "published", asked)


def test_it_waits_for_a_partner_that_seals_to_the_key_before(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, FRA=published("FRA", OLD), DEU=published("DEU", NEW))
    assert waiting(OWN, NEW) == {"FRA": "goes by a document without the new keys"}
    saying(monkeypatch, FRA=published("FRA", NEW), DEU=published("DEU", NEW))
    assert waiting(OWN, NEW) == {}


@pytest.mark.parametrize("answer", [Pending("FRA is away"), CheckFailed("FRA is away")])
def test_a_partner_that_cannot_be_asked_is_waited_for(monkeypatch: pytest.MonkeyPatch, answer: Exception) -> None:
    saying(monkeypatch, FRA=answer, DEU=published("DEU"))
    assert waiting(OWN, NEW) == {
        "FRA": "cannot be asked: FRA is away",
        "DEU": "has not declared its side of the link yet",
    }


def test_a_hub_waits_for_each_member_that_pins_the_coalition_key_before(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, FRA=published("FRA", NEW, "old"), DEU=published("DEU", NEW, "new"))
    assert waiting(OWN, NEW, "new") == {"FRA": "does not pin the new coalition key yet"}
    assert waiting(OWN, NEW) == {}, "a spoke replaces no coalition key"


def test_a_country_without_partners_waits_for_no_one() -> None:
    alone = VerificationSpec(Party(USA, "p"), (), DEPLOYMENT, "CA", 200)
    assert waiting(alone, NEW) == {}
