"""The heal table: every fault, and what a run over them found."""

from dataclasses import dataclass

from tests.faults import engine, realm, record
from tests.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (*engine.FAULTS, *realm.FAULTS, *record.FAULTS)


@dataclass(frozen=True)
class Healed:
    """One row that passed; `before` and `after` are the validators' answers, `seconds` the command's time."""

    fault: Fault
    before: str
    changes: tuple[str, ...]
    seconds: float


def markdown(rows: list[Healed]) -> str:
    lines = ["| damage | the validator says | command | what it changes | seconds |", "|---|---|---|---|---|"]
    for row in rows:
        changes = ", ".join(c for c in row.changes if not c.endswith("-checkpoint"))
        cells = (f"{row.fault.country}: {row.fault.title}", row.before, f"`{row.fault.command}`", changes)
        lines.append("| " + " | ".join([*(c.replace("|", "\\|") for c in cells), f"{row.seconds:.0f}"]) + " |")
    return "\n".join(lines) + "\n"
