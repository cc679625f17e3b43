"""The fields of all files: one text for each value, every wrong field named."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.membership.document import Agreement
from dive_infra.membership.fields import moment_text, parsed
from dive_infra.membership.refusals import Malformed, Source
from dive_infra.membership.request import Request
from dive_infra.results.remedy import Remedy
from tests.unit.membership.example import FRA, FRA_REQUEST

SOURCE = Source("members/fra.json", Remedy.decide("get it again"))


@given(st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)))
def test_a_moment_is_utc_in_whole_seconds(moment: datetime) -> None:
    made = Agreement(clearance="SECRET", communities=(), assurance=1, expires=moment)
    assert parsed(Agreement, made.plain(), SOURCE) == made
    assert timedelta(0) <= moment - made.expires < timedelta(seconds=1)


def test_a_moment_of_another_zone_is_written_in_utc() -> None:
    assert moment_text(datetime(2026, 11, 24, 13, 0, 5, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-24T12:00:05Z"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("created", "2026-11-24T12:00:05+00:00", "created: time data"),
        ("created", "2026-1-1T1:1:1Z", "created: 2026-1-1T1:1:1Z is not a moment such as 2026-11-24T12:00:05Z"),
        ("created", "٢026-11-24T12:00:05Z", "created: "),
        ("created", 0, "created: input should be a valid datetime"),
        ("country", None, "country: input should be a valid string"),
        ("zone", "FRA.dive.localhost", "zone: string should match pattern"),
        ("zone", "fra.dive.localhost\n", "zone: string should match pattern"),
        ("zone", "fra..localhost", "zone: string should match pattern"),
        ("deployer_key", "AAAA", "deployer_key: AAAA is not a public key: expected 32 bytes in base64"),
        ("endpoints", {}, "endpoints: dictionary should have at least 1 item"),
        ("endpoints", {"idp": "https://x"}, "endpoints: idp is not a service: expected one of postgres"),
        *(
            (
                "address",
                value,
                f"address: '{value}' {flaw}; expected a unicast IPv4 address such as 192.0.2.7, or no address",
            )
            for value, flaw in (
                ("127.0.0.1", "is what a file without this field says"),
                ("", "is no IPv4 address"),
                ("fra.example.org", "is no IPv4 address"),
                ("::1", "is no IPv4 address"),
                ("0.0.0.0", "is no address of one machine"),
                ("224.0.0.1", "is for a group of machines"),
                ("169.254.0.1", "is valid on one link alone"),
            )
        ),
        ("shoe_size", 1, "shoe_size: extra inputs are not permitted"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(field: str, value: Any, message: str) -> None:
    with pytest.raises(Malformed) as refused:
        parsed(Request, FRA_REQUEST.plain() | {field: value}, SOURCE)
    assert str(refused.value).startswith(f"members/fra.json has 1 wrong field(s)\n  {message}")
    assert str(refused.value).endswith("; next: get it again")


def test_an_address_is_left_out_on_loopback_and_read_otherwise() -> None:
    assert "address" not in FRA_REQUEST.plain()
    there = FRA_REQUEST.model_copy(update={"address": "192.0.2.7"})
    assert there.plain() == {**FRA_REQUEST.plain(), "address": "192.0.2.7"}
    assert parsed(Request, there.plain(), SOURCE) == there


@pytest.mark.parametrize("field", FRA_REQUEST.plain())
def test_no_field_may_be_missing(field: str) -> None:
    payload = FRA_REQUEST.plain()
    del payload[field]
    with pytest.raises(Malformed, match=f"{field}: field required"):
        parsed(Request, payload, SOURCE)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("clearance", "SECRETISH", "clearance: SECRETISH is not a clearance: expected one of UNCLASSIFIED"),
        ("assurance", "2", "assurance: input should be a valid integer"),
        ("assurance", True, "assurance: input should be a valid integer"),
        ("assurance", 4, "assurance: input should be less than or equal to 3"),
        ("communities", ["a b"], "communities.0: string should match pattern"),
    ],
)
def test_an_agreement_has_only_levels_that_exist(field: str, value: Any, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        parsed(Agreement, FRA.agreement.plain() | {field: value}, SOURCE)
