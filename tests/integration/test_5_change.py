"""What preview announces is what the update does."""

import pytest

from dive_infra.seeds.store import connect
from tests.integration.coalition import Country
from tests.integration.live import documents, told

pytestmark = pytest.mark.timeout(1500)


def test_what_preview_announces_is_what_the_update_does(fra: Country) -> None:
    seen = fra.preview(documents=210)
    run = fra.up()
    assert run.ok, told(run)
    assert set(run.changes) == set(seen.changes), f"announced {dict(seen.changes)}, did {dict(run.changes)}"
    with connect(documents(fra)) as database:
        assert database["resources"].count_documents({}) == 210
