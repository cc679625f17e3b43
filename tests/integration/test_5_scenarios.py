"""A deployment that is invalid in part.

One that was interrupted is continued in `test_2_sweep` and `test_5_interrupt`, one that failed in `test_5_verbs`.
"""

import pytest

from dive_infra.orchestration.states import Phase
from dive_infra.seeds.store import connect
from tests.coalition.country import Country
from tests.coalition.live import documents, runs, skipped, told

pytestmark = pytest.mark.timeout(1500)


def test_one_invalid_phase_runs_again_among_valid_ones(usa: Country, fra: Country) -> None:
    proven = runs(usa, fra)
    with connect(documents(fra)) as database:
        database["resources"].delete_one({"_id": min(d["_id"] for d in database["resources"].find({}, {"_id": True}))})
    run = fra.up()
    assert run.ok, told(run)
    again = {Phase.SEEDING, Phase.VERIFICATION}  # the latter depends on all others
    assert skipped(run) == [phase for phase in Phase if phase not in again], told(run)
    after = runs(usa, fra)
    assert {phase for phase in Phase if after[phase] != proven[phase]} == again
