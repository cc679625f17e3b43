"""The published list of faults: its size, its names, and its page."""

from dataclasses import replace
from pathlib import Path

import pytest

from dive_infra.config.paths import ROOT
from tests.faults import wording
from tests.faults.outcomes import CASES, FAULTS, MEASURED, ROUNDS, Healed, Repaired, healing, keep, kept, published
from tests.unit.test_program import register, short


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_nine_of_ten_faults_are_repaired_without_a_person() -> None:
    faults = [case for case in CASES if case.damages]
    assert len(faults) >= 40
    assert sum(bool(case.by_hand) for case in faults) <= len(faults) / 10


def test_by_default_a_few_short_rows_run() -> None:
    assert 1 <= sum(case.selected for case in CASES) <= 5


def test_the_newest_result_of_a_fault_counts_and_what_was_not_run_is_reported(tmp_path: Path) -> None:
    first, second = [case for case in CASES if not case.by_hand and case.at == "FRA"][:2]
    for seconds in (9.0, 4.0):
        keep(tmp_path, Repaired(first.name, "stopped", "./dive repair FRA --yes", "1 of 1 repaired", seconds))
    assert [row.seconds for row in kept(tmp_path, Repaired)] == [4.0]
    page = published(kept(tmp_path, Repaired))
    assert f"| FRA: {first.title} | stopped | `./dive repair FRA --yes` | 1 of 1 repaired | 4 | yes |" in page
    assert "1 faults; 1 (100 %) were repaired without a person" in page
    assert f"\n- {second.at}: {second.title}\n" in page
    assert f"- FRA: {first.title}" not in page


FAULT = next(fault for fault in FAULTS if fault.name == "FRA-kas-is-removed")
ROW = Healed(FAULT.name, "✗ dive-fra-kas: no such container", [*FAULT.heals, "report"], 7.0, FAULT.command)


def healed(folder: Path, row: Healed, **stale: object) -> str:
    """Return the page of one row, of which what is `stale` was recorded otherwise."""
    keep(folder, row, "dive-fra-kas runs as declared and is healthy")
    (found,) = kept(folder, Healed)
    assert found.texts
    return healing([replace(found, **stale)])  # type: ignore[arg-type]


def test_a_row_quotes_texts_of_this_version(tmp_path: Path) -> None:
    page = healed(tmp_path, ROW)
    assert "| FRA: kas is removed | ✗ dive-fra-kas: no such container | `pulumi up` |" in page
    assert "- FRA: kas is removed" not in page
    (found,) = kept(tmp_path, Healed)
    assert found.texts == ["no such container", "{} runs as declared and is healthy"]


@pytest.mark.parametrize(
    "stale",
    [
        {"texts": None},
        {"texts": ["no such container", "the networks are there and ours"]},
        {"command": "pulumi up --refresh"},
        {"changes": ["gateway-container"]},
    ],
    ids=["of a version without texts", "a text that is gone", "another command", "a resource that is gone"],
)
def test_a_row_of_another_version_is_listed_as_not_measured(tmp_path: Path, stale: dict[str, object]) -> None:
    page = healed(tmp_path, ROW, **stale)
    assert "| FRA: kas is removed |" not in page
    assert "\n- FRA: kas is removed (7 s in an earlier version)\n" in page


def test_a_row_whose_fault_is_gone_is_dropped(tmp_path: Path) -> None:
    for row in (replace(ROW, name="USA-the-link-gateway-administers-the-realm"), ROW):
        keep(tmp_path, row)
    assert [row.name for row in kept(tmp_path, Healed)] == [FAULT.name]


def test_rounds_repair_every_case_once_and_never_two_that_a_person_decides() -> None:
    assert sorted(case.name for of in ROUNDS for case in of) == sorted(case.name for case in CASES)
    assert len(ROUNDS) < len(CASES) * 2 / 3
    assert not [of for of in ROUNDS if of[1:] and any(case.by_hand or not case.red for case in of)]


def test_a_text_is_found_with_what_was_filled_in() -> None:
    assert "{} does not answer at {}: {}" in wording.quoted("the record does not answer at postgres: refused")
    assert wording.quoted("the networks are there and ours") == []
    assert wording.exist([])
    assert not wording.exist(None)


@pytest.fixture(scope="module")
def declared() -> set[str]:
    """Return the names of all resources of both countries."""
    return {short(urn) for found in (register("usa", spokes=["FRA"]), register("fra")) for urn in found}


def test_what_a_fault_heals_is_declared(declared: set[str]) -> None:
    named = {fault.name: sorted((fault.heals | (fault.also or set())) - declared) for fault in FAULTS}
    assert {name: gone for name, gone in named.items() if gone} == {}


def test_a_measured_row_names_a_fault_and_resources_that_exist(declared: set[str]) -> None:
    """Rows of earlier versions are published as not measured; those without a fault must not be kept."""
    rows, repaired = kept(MEASURED, Healed), kept(MEASURED, Repaired)
    assert {row.name for row in rows} <= {fault.name for fault in FAULTS}, "next: .venv/bin/python -m tests.faults"
    assert {row.name for row in repaired} <= {case.name for case in CASES}, "next: .venv/bin/python -m tests.faults"
    gone = {row.name: sorted({*row.changes} - declared) for row in rows if row.current}
    assert {name: names for name, names in gone.items() if names} == {}, "next: measure these rows again"


def test_the_published_pages_are_of_these_tables() -> None:
    pages = {"faults.md": published(kept(MEASURED, Repaired)), "healing-table.md": healing(kept(MEASURED, Healed))}
    for name, page in pages.items():
        assert (ROOT / "docs" / "reference" / name).read_text() == page, "next: .venv/bin/python -m tests.faults"
