"""The published list of faults: its size, its names, and its page."""

from pathlib import Path

from dive_infra.config.paths import ROOT
from tests.faults.table import CASES, MEASURED, Healed, Repaired, healing, keep, kept, published


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_nine_of_ten_faults_are_repaired_without_a_person() -> None:
    faults = [case for case in CASES if case.damages]
    assert len(faults) >= 40
    assert sum(bool(case.by_hand) for case in faults) <= len(faults) / 10


def test_by_default_a_few_short_rows_run() -> None:
    assert 1 <= sum(case.selected for case in CASES) <= 5


def test_the_newest_result_of_a_fault_counts_and_what_was_not_run_is_told(tmp_path: Path) -> None:
    first, second = [case for case in CASES if not case.by_hand and case.at == "FRA"][:2]
    for seconds in (9.0, 4.0):
        keep(tmp_path, Repaired(first.name, "stopped", "./dive repair FRA --yes", "1 of 1 repaired", seconds))
    assert [row.seconds for row in kept(tmp_path, Repaired)] == [4.0]
    page = published(kept(tmp_path, Repaired))
    assert f"| FRA: {first.title} | stopped | `./dive repair FRA --yes` | 1 of 1 repaired | 4 | yes |" in page
    assert "1 faults; 1 (100 %) were repaired without a person" in page
    assert f"- {second.at}: {second.title}" in page


def test_the_published_pages_are_of_these_tables() -> None:
    pages = {"faults.md": published(kept(MEASURED, Repaired)), "healing-table.md": healing(kept(MEASURED, Healed))}
    for name, page in pages.items():
        assert (ROOT / "docs" / "reference" / name).read_text() == page, "next: .venv/bin/python -m tests.faults"
