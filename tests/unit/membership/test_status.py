"""What a country publishes about itself: read from its deployer alone, and each refusal with its message."""

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.membership import keys, status
from dive_infra.membership.refusals import (
    BadSignature,
    CannotOpen,
    Malformed,
    MembershipError,
    NotYetValid,
    OtherCoalition,
    OtherCountry,
    UnknownMember,
)
from dive_infra.membership.signed import Format
from dive_infra.membership.signed import sign as signed
from dive_infra.membership.status import IssuedProbe, ProbeLogin, PublishedPhase, PublishedStatus
from dive_infra.orchestration import states
from tests.unit.membership import example
from tests.unit.membership.example import DAY, DEPLOYER, FRA, NOW, SEALING

# France's deployer signs, the USA reads; both have the example's keys.
LOGIN = ProbeLogin("probe-fra-usa", "correct horse")
STATUS = PublishedStatus(
    country="FRA",
    namespace="dive",
    issued=NOW,
    state="COMPLETE",
    phases={
        "SEEDING": PublishedPhase(status="COMPLETED", completed=NOW - DAY),
        "VERIFICATION": PublishedPhase(status="FAILED", completed=None),
    },
    links={"USA": NOW - DAY, "GBR": None},
    probes={"USA": IssuedProbe.sealed(LOGIN, "FRA", "USA", FRA.sealing_key)},
)
CONTENT = status.sign(STATUS, DEPLOYER)
NEXT = "next: ask FRA to publish its status again"


def read(content: bytes = CONTENT, now: datetime = NOW, **changed: Any) -> PublishedStatus:
    asked: dict[str, Any] = {"key": FRA.deployer_key, "code": "FRA", "namespace": "dive"} | changed
    return status.read(content, asked["key"], asked["code"], asked["namespace"], now)


def published(**changed: Any) -> bytes:
    """Return what a deployer with a program of its own may sign: the reader alone protects from it."""
    return signed(Format.STATUS, STATUS.plain() | changed, DEPLOYER)


def test_a_status_is_read_as_it_was_signed() -> None:
    assert read() == STATUS
    assert read(now=NOW + 999 * DAY) == STATUS, "how old it is says the status itself"


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, difference: int) -> None:
    changed = bytearray(CONTENT)
    changed[at] ^= difference
    with pytest.raises(MembershipError):
        read(bytes(changed))


OTHER: dict[str, Any] = {
    "country": "GBR",
    "namespace": "other",
    "issued": "2026-11-24T00:00:00Z",
    "state": "FAILED",
    "phases": {},
    "links": {"USA": None},
    "probes": {},
    "rotation": {"trusted": ["a" * 64, "b" * 64], "issuer": "a" * 64},
    "pinned": FRA.deployer_key,
}


@pytest.mark.parametrize("field", PublishedStatus.model_fields)
def test_any_changed_field_is_refused(field: str) -> None:
    content = published(**{field: OTHER[field]})
    old, new = (re.search(rb'"signature": ".*"', found) for found in (CONTENT, content))
    assert old
    assert new
    assert old[0] != new[0]
    with pytest.raises(BadSignature) as refused:
        read(content.replace(new[0], old[0]))
    found = "the status of FRA was changed after it was signed, or was signed with another key"
    assert str(refused.value) == f"{found}; expected a signature by the deployer of FRA ({FRA.deployer_key}); {NEXT}"


def test_only_the_deployer_in_the_entry_speaks_for_a_country() -> None:
    other = keys.new_signing_key()
    with pytest.raises(BadSignature):
        read(status.sign(STATUS, other))
    with pytest.raises(BadSignature):
        read(key=keys.public_text(other))
    assert read(status.sign(STATUS, other), key=keys.public_text(other)) == STATUS


def test_a_status_of_another_country_is_refused() -> None:
    """Also of one with the same key, as in this example."""
    with pytest.raises(OtherCountry) as refused:
        read(published(country="GBR"))
    assert str(refused.value) == f"the status of FRA is of 'GBR'; expected FRA; {NEXT}"
    with pytest.raises(OtherCountry, match="the status of GBR is of 'FRA'; expected GBR"):
        read(code="GBR")


def test_a_status_of_another_coalition_is_refused() -> None:
    with pytest.raises(OtherCoalition) as refused:
        read(namespace="divetest")
    assert str(refused.value) == f"the status of FRA is of the coalition 'dive'; expected divetest; {NEXT}"


def test_a_status_from_the_future_is_refused_unless_clocks_differ_a_little() -> None:
    minute = DAY / 1440
    assert read(now=NOW - 5 * minute)
    with pytest.raises(NotYetValid) as refused:
        read(now=NOW - 6 * minute)
    assert str(refused.value) == (
        "the status of FRA was issued at 2026-11-24T12:00:05Z, and the clock here says 2026-11-24T11:54:05Z; expected "
        "clocks that agree within 5 minutes, here and in FRA; next: timedatectl set-ntp true"
    )


@pytest.mark.parametrize("field", ["links", "probes"])
def test_a_partner_with_a_look_alike_code_is_refused(field: str) -> None:
    [value] = {"links": [None], "probes": [STATUS.probes["USA"].plain()]}[field]
    with pytest.raises(UnknownMember, match=r"the status of FRA: country 'US\\u0410' is not known"):
        read(published(**{field: {"US\N{CYRILLIC CAPITAL LETTER A}": value}}))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"state": "complete"}, "state: string should match pattern"),
        ({"state": None}, "state: input should be a valid string"),
        ({"phases": {"SEEDING": {"status": "COMPLETED"}}}, "phases.SEEDING.completed: field required"),
        ({"phases": {"seeding": {"status": "COMPLETED", "completed": None}}}, "phases.seeding"),
        ({"links": {"USA": 1.5}}, "holds the number 1.5"),
        ({"probes": {"USA": {"username": "<script>", "password": "x"}}}, "probes.USA.username: string should match"),
        ({"shoe_size": 1}, "shoe_size: extra inputs are not permitted"),
    ],
)
def test_what_is_no_status_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        read(published(**changed))


def test_a_request_is_no_status() -> None:
    with pytest.raises(Malformed, match="has the format dive-request-v1; expected dive-status-v1"):
        read(example.signed_request())


def test_no_one_signs_a_status_that_would_be_refused() -> None:
    with pytest.raises(UnknownMember):
        status.sign(STATUS.model_copy(update={"links": {"XXX": None}}), DEPLOYER)


@pytest.mark.parametrize("kind", [states.State, states.Phase, states.Status])
def test_every_word_of_the_record_can_be_published(kind: type[states.State | states.Phase | states.Status]) -> None:
    for word in kind:
        phases = {word: PublishedPhase(status=word, completed=None)}
        found = status.sign(STATUS.model_copy(update={"state": word, "phases": phases}), DEPLOYER)
        assert read(found).state == word


def test_a_partner_opens_its_own_probe_and_no_other() -> None:
    assert read().probe("USA", SEALING) == LOGIN
    assert read().probe("GBR", SEALING) is None
    with pytest.raises(CannotOpen):
        read().probe("USA", keys.new_sealing_key())
    assert LOGIN.password.encode() not in CONTENT


def test_a_probe_opens_only_as_what_it_was_issued() -> None:
    """A country cannot pass on another's probe as its own, nor give one partner that of another."""
    probe = STATUS.probes["USA"]
    moved = STATUS.model_copy(update={"probes": {"GBR": probe}})
    with pytest.raises(CannotOpen, match="cannot open the probe from FRA to GBR: "):
        moved.probe("GBR", SEALING)
    with pytest.raises(CannotOpen, match="cannot open the probe from GBR to USA: "):
        STATUS.model_copy(update={"country": "GBR"}).probe("USA", SEALING)


def test_only_a_country_in_a_rotation_says_how_far_it_is() -> None:
    """Countries of an earlier version read every other status as before, and are read."""
    assert b"rotation" not in CONTENT
    assert read().rotation is None
    rotating = STATUS.model_copy(
        update={"rotation": status.RotationPosition(trusted=("a" * 64, "b" * 64), issuer="b" * 64)}
    )
    assert read(status.sign(rotating, DEPLOYER)) == rotating
    with pytest.raises(Malformed, match=r"rotation\.issuer: string should match pattern"):
        read(published(rotation={"trusted": [], "issuer": "b"}))
