"""The tables: every fault for `pulumi up` and for `./dive repair`, and what a run over them found."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from dive_infra.config.paths import ROOT
from tests.faults import case, deployment, engine, realm, record
from tests.faults.case import Case
from tests.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (*engine.FAULTS, *realm.FAULTS, *record.FAULTS)
CASES: tuple[Case, ...] = (*deployment.CASES, *map(case.of, FAULTS))


@dataclass(frozen=True)
class Healed:
    """What a plain `pulumi up` made of the fault `name`; `before` is the validators' answer, `changes` the resources
    that the command changed, `seconds` its time."""

    name: str
    before: str
    changes: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class Repaired:
    """What `./dive repair` made of a case: `before` is what it found, `after` its own last line, `next` what was left
    to a person, empty where nothing was. `seconds` are those of the command."""

    name: str
    before: str
    command: str
    after: str
    seconds: float
    next: str = ""


MEASURED = Path(__file__).parent  # by runs with --docs
_FILES: Mapping[type, str] = {Healed: "healed.json", Repaired: "repaired.json"}
_Row = TypeVar("_Row", Healed, Repaired)


def write_pages() -> None:
    (ROOT / "docs" / "reference" / "healing-table.md").write_text(healing(kept(MEASURED, Healed)))
    (ROOT / "docs" / "reference" / "faults.md").write_text(published(kept(MEASURED, Repaired)))


def keep(folder: Path, row: Healed | Repaired) -> None:
    """Adds a row to those of earlier runs; the newest of a name counts."""
    file = folder / _FILES[type(row)]
    rows = {r["name"]: r for r in _read(file)} | {row.name: asdict(row)}
    file.write_text(json.dumps([*rows.values()], indent=1, ensure_ascii=False) + "\n")


def kept(folder: Path, kind: type[_Row]) -> list[_Row]:
    return [kind(**row) for row in _read(folder / _FILES[kind])]


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text()) if file.exists() else []


def healing(rows: Iterable[Healed]) -> str:
    """Return docs/reference/healing-table.md."""
    lines = [
        "# What an update heals",
        "",
        "Each row damages a real coalition of two countries and runs the command that the messages name. Written by:",
        "`./dive test -- --whole --docs tests/integration/test_3_heal.py`.",
        "",
        "| damage | the validator says | command | what it changes | seconds |",
        "|---|---|---|---|---|",
    ]
    found = {row.name: row for row in rows}
    for fault in FAULTS:
        if row := found.get(fault.name):
            changes = ", ".join(c for c in row.changes if not c.endswith("-checkpoint"))
            cells = [f"{fault.country}: {fault.title}", row.before, f"`{fault.command}`", changes, f"{row.seconds:.0f}"]
            lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def published(rows: list[Repaired]) -> str:
    """Return docs/reference/faults.md."""
    cases = {c.name: c for c in CASES}
    rows = sorted((r for r in rows if r.name in cases), key=lambda r: list(cases).index(r.name))
    faults = [r for r in rows if cases[r.name].damages]
    refused = [r for r in rows if not cases[r.name].damages]
    mended = sum(not row.next for row in faults)
    lines = [
        "# Faults, and what `./dive repair` does about them",
        "",
        "Each row damages a real coalition of two countries and runs the command. Afterwards everything must be valid,",
        "no data volume may have been removed or recreated, and no other container may have been touched. Written by:",
        '`./dive test -- tests/integration -k "test_2 or test_3_repair" --whole --docs`.',
    ]
    if faults:
        lines += [
            "",
            f"{len(faults)} faults; {mended} ({100 * mended // len(faults)} %) were repaired without a person.",
            "The others ended with the exact next step; once that was done, `./dive repair` found everything valid.",
            "",
            *_table(faults, cases),
        ]
    if refused:
        lines += ["", "## What a person must resolve", "", *_table(refused, cases)]
    if unmeasured := [c for c in CASES if c.name not in {r.name for r in rows}]:
        told = (
            f"{len(unmeasured)} of {len(CASES)} rows, tests like the others, for which no run has been recorded here:"
        )
        lines += ["", "## Not measured yet", "", told, "", *(f"- {c.at}: {c.title}" for c in unmeasured)]
    return "\n".join(lines) + "\n"


def _table(rows: list[Repaired], cases: dict[str, Case]) -> list[str]:
    lines = ["| fault | before | command | after | seconds | repaired |", "|---|---|---|---|---|---|"]
    for row in rows:
        case_ = cases[row.name]
        end = f"no; {row.next}" if row.next else "yes"
        cells = [f"{case_.at}: {case_.title}", row.before, f"`{row.command}`", row.after, f"{row.seconds:.0f}", end]
        lines.append(_line(cells))
    return lines
