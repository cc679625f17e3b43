"""Texts that several results share."""

from datetime import UTC, datetime, timedelta

import pytest

from dive_infra.results.text import age, ago


@pytest.mark.parametrize(
    ("back", "told"),
    [(8, "8 s ago"), (100, "100 s ago"), (720, "12 min ago"), (3 * 3600, "3 h ago"), (5e5, "6 days ago")],
)
def test_an_age_is_written_as_people_say_it(back: float, told: str) -> None:
    assert ago(age((datetime.now(UTC) - timedelta(seconds=back)).isoformat())) == told
