"""How the deployments of several countries ended: the table at the end of `./dive up`, with the next commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape

from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.stack_state import read_stack
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console
from dive_infra.config.countries import HUB_CODE
from dive_infra.orchestration.states import Phase

_MARKS: Mapping[int | None, str] = {
    None: "[dim]–[/]",
    Exit.OK: "[green]✓[/]",
    Exit.PARTIAL: "[yellow]‼[/]",
}


def mark(code: int | None) -> str:
    """Return the mark of a country's exit code; None if it was not started."""
    return _MARKS.get(code, "[red]✗[/]")


@dataclass(frozen=True)
class Outcome:
    """`code` is that of the country alone, None if it was not started; `next` is what to do, empty for nothing."""

    country: str
    code: int | None
    what: str
    next: str = ""


def not_started(code: str, why: str) -> Outcome:
    """Return the outcome of a country that was left out."""
    return Outcome(code, None, f"not started: {why}", f"./dive up {code}")


def needs_hub(code: str) -> Outcome:
    """Return the outcome of a spoke that cannot be deployed because the hub was not."""
    return Outcome(code, None, f"not started: its first deployment needs {HUB_CODE}", f"./dive up {HUB_CODE} {code}")


def stands_alone(code: str) -> bool:
    """Return True for a country that was deployed before: it has a document and policies, even while its hub is away.

    Also if its state cannot be read, which its own update reports.
    """
    try:
        return Phase.DEPLOYMENT in read_stack(code.lower(), export_state(code.lower())).checkpoints
    except NotDeployed:
        return False
    except PulumiFailed:
        return True


def show(found: Sequence[Outcome]) -> None:
    """Print one line for each country: what happened, and what comes next."""
    width = max(len(one.what) for one in found)
    for one in found:
        line = f"{one.what:{width}}  next: {one.next}" if one.next else one.what
        console.print(f"{mark(one.code)} {one.country}  {escape(line)}", soft_wrap=True)
