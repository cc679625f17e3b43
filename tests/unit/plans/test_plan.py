"""A plan as JSON, by its schema."""

import json

from dive_infra.config.paths import ROOT
from dive_infra.plans.plan import Preview, json_schema
from tests.unit.plans.events import CONTAINER, planned, step


def test_the_schema_in_the_repository_is_that_of_the_plan() -> None:
    held = json.loads((ROOT / "schemas" / "preview.json").read_text())
    assert held == json_schema(), "next: write dive_infra.plans.plan.json_schema() there"


def test_a_preview_reads_back_as_it_was_written() -> None:
    preview = Preview(plans=[planned(step("update", "redis", CONTAINER))])
    assert Preview.model_validate_json(preview.model_dump_json()) == preview
