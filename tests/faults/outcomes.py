"""The tables: every fault for `pulumi up` and for `./dive repair`, and what a run over them found."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from dive_infra.config.paths import ROOT
from tests.faults import case, databases, deployment, engine, realm, wording
from tests.faults.case import Case
from tests.faults.fault import Fault
from tests.faults.rounds import every_round

FAULTS: tuple[Fault, ...] = (*engine.FAULTS, *realm.FAULTS, *databases.FAULTS)
CASES: tuple[Case, ...] = (*deployment.CASES, *map(case.of, FAULTS))
_NAMED_FAULTS = {fault.name: fault for fault in FAULTS}
_NAMED_CASES = {case_.name: case_ for case_ in CASES}
ROUNDS: tuple[tuple[Case, ...], ...] = (
    *((case_,) for case_ in (*deployment.CASES, *(case.of(fault) for fault in FAULTS if fault.red is None))),
    *(tuple(map(case.of, of)) for of in every_round([fault for fault in FAULTS if fault.red])),
)
"""All cases, several at once where one call repairs them, and where a validator tells them apart."""


@dataclass(frozen=True)
class Healed:
    """What `command` made of the fault `name`; `before` is the validators' answer, `changes` the resources that it
    changed, `seconds` its time, `others` how many more faults it healed: `changes` are those for this one then.

    `texts` are those of the program that the row quotes; None in a row of a version that recorded none.
    """

    name: str
    before: str
    changes: Sequence[str]
    seconds: float
    command: str = ""
    texts: Sequence[str] | None = None
    others: int = 0

    @property
    def current(self) -> bool:
        """Return True if this version has the fault, heals it by that command and that resource, and says so still."""
        fault = _NAMED_FAULTS.get(self.name)
        fits = fault is not None and fault.command == self.command and fault.heals <= {*self.changes}
        return fits and wording.exist(self.texts)


@dataclass(frozen=True)
class Repaired:
    """What `./dive repair` made of a case: `before` is what it found, `after` its own last line, `next` what was left
    to a person, empty where nothing was. `seconds` are those of the command; `texts` and `others` as in `Healed`."""

    name: str
    before: str
    command: str
    after: str
    seconds: float
    next: str = ""
    texts: Sequence[str] | None = None
    others: int = 0

    @property
    def current(self) -> bool:
        """Return True if this version has the case, and still says what the row quotes."""
        return self.name in _NAMED_CASES and wording.exist(self.texts)


MEASURED = Path(__file__).parent  # by runs with --docs
_FILES: Mapping[type, str] = {Healed: "healed.json", Repaired: "repaired.json"}
_Row = TypeVar("_Row", Healed, Repaired)


def write_pages() -> None:
    """Write both pages, and drop recorded rows of what is in the tables no more."""
    for kind in _FILES:
        _write(MEASURED, kind, _read(MEASURED / _FILES[kind]))
    (ROOT / "docs" / "reference" / "healing-table.md").write_text(healing(kept(MEASURED, Healed)))
    (ROOT / "docs" / "reference" / "faults.md").write_text(published(kept(MEASURED, Repaired)))


def keep(folder: Path, row: Healed | Repaired, *sentences: str) -> None:
    """Add a row to those of earlier runs, with the texts of its own words and of `sentences`: those of the checks.

    The newest of a name counts.
    """
    quoted = [row.before, *([row.after, row.next] if isinstance(row, Repaired) else []), *sentences]
    marked = asdict(row) | {"texts": wording.quoted("\n".join(quoted))}
    rows = {r["name"]: r for r in _read(folder / _FILES[type(row)])} | {row.name: marked}
    _write(folder, type(row), rows.values())


def _write(folder: Path, kind: type, rows: Iterable[Mapping[str, Any]]) -> None:
    known = _NAMED_FAULTS if kind is Healed else _NAMED_CASES
    kept_ = [row for row in rows if row["name"] in known]
    (folder / _FILES[kind]).write_text(json.dumps(kept_, indent=1, ensure_ascii=False) + "\n")


def kept(folder: Path, kind: type[_Row]) -> list[_Row]:
    return [kind(**row) for row in _read(folder / _FILES[kind])]


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text()) if file.exists() else []


_UNMEASURED = "## Not measured with this version"
_DEPLOYED = """The coalition was deployed by `./dive test -- tests/integration -k test_2 --coalition FOLDER`. Rows may
be run in portions (`-k`)."""


def healing(rows: Iterable[Healed]) -> str:
    """Return docs/reference/healing-table.md."""
    found = {row.name: row for row in rows}
    lines = [
        "# What an update heals",
        "",
        "Each row damages a real coalition of two countries and runs the command that the messages name. Written by:",
        "`./dive test -- tests/integration/test_3_heal.py --coalition FOLDER --rounds --docs`. That heals several at",
        "once; `--whole` instead heals each alone, and then runs the command once more, which must change nothing.",
        _DEPLOYED,
    ]
    table = ["", "| damage | the validator says | command | what it changes | seconds |", "|---|---|---|---|---|"]
    for fault in FAULTS:
        if (row := found.get(fault.name)) and row.current:
            changes = ", ".join(c for c in row.changes if not c.endswith("-checkpoint"))
            cells = [f"{fault.country}: {fault.title}", row.before, f"`{row.command}`", changes, _seconds(row)]
            table.append(_line(cells))
    lines += table if len(table) > 3 else []
    lines += _unmeasured({fault.name: f"{fault.country}: {fault.title}" for fault in FAULTS}, found)
    return "\n".join(lines) + "\n"


def _unmeasured(titles: Mapping[str, str], found: Mapping[str, Healed | Repaired]) -> list[str]:
    """Return the section of what no run of this version has recorded, with what an earlier one took."""
    missing = {name: title for name, title in titles.items() if name not in found or not found[name].current}
    if not missing:
        return []
    earlier = {name: f" ({found[name].seconds:.0f} s in an earlier version)" for name in missing if name in found}
    told = f"{len(missing)} of {len(titles)} rows, tests like the others, for which no run of this version is recorded:"
    return ["", _UNMEASURED, "", told, "", *(f"- {title}{earlier.get(name, '')}" for name, title in missing.items())]


def _seconds(row: Healed | Repaired) -> str:
    return f"{row.seconds:.0f}" + (f", with {row.others} more" if row.others else "")


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def published(rows: Iterable[Repaired]) -> str:
    """Return docs/reference/faults.md."""
    found = {row.name: row for row in rows}
    current = [found[case_.name] for case_ in CASES if case_.name in found and found[case_.name].current]
    faults = [row for row in current if _NAMED_CASES[row.name].damages]
    refused = [row for row in current if not _NAMED_CASES[row.name].damages]
    mended = sum(not row.next for row in faults)
    lines = [
        "# Faults, and what `./dive repair` does about them",
        "",
        "Each row damages a real coalition of two countries and runs the command. Afterwards everything must be valid,",
        "no data volume may have been removed or recreated, and no other container may have been touched. Written by:",
        "`./dive test -- tests/integration/test_3_repair.py --coalition FOLDER --rounds --docs`. That repairs several",
        "at once; `--whole` instead repairs each alone.",
        _DEPLOYED,
    ]
    if faults:
        lines += [
            "",
            f"{len(faults)} faults; {mended} ({100 * mended // len(faults)} %) were repaired without a person.",
            "The others ended with the exact next step; once that was done, `./dive repair` found everything valid.",
            "",
            *_table(faults),
        ]
    if refused:
        lines += ["", "## What a person must resolve", "", *_table(refused)]
    lines += _unmeasured({case_.name: f"{case_.at}: {case_.title}" for case_ in CASES}, found)
    return "\n".join(lines) + "\n"


def _table(rows: list[Repaired]) -> list[str]:
    lines = ["| fault | before | command | after | seconds | repaired |", "|---|---|---|---|---|---|"]
    for row in rows:
        case_ = _NAMED_CASES[row.name]
        end = f"no; {row.next}" if row.next else "yes"
        cells = [f"{case_.at}: {case_.title}", row.before, f"`{row.command}`", row.after, _seconds(row), end]
        lines.append(_line(cells))
    return lines
