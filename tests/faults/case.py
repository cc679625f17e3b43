"""One fault, and what `./dive repair` must make of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dive_infra.orchestration.states import Phase
from tests.faults.fault import Fault, Scene, named


@dataclass(frozen=True)
class Case:
    """`damage` harms the live system of the country `at`; `./dive repair` is called for the country `call`.

    It must end with everything valid; where a person must decide, with `exit` and the words `by_hand` among its next
    steps (`{prefix}` is that of the names of France), and with everything valid once the person has done so
    (`undo`; without it, once the named variable is set) and it is called again. `environment` are variables of the
    first call. `touched` are services of the coalition whose containers may be restarted or recreated; `restarts` are
    those that the plan restarts by name, as nothing else mends them. Without `damages` nothing is broken: the call is
    refused. `red` is the phase whose validator sees it, of a row of the heal table.
    """

    title: str
    damage: Callable[[Scene], object]
    at: str = "FRA"
    call: str = "FRA"
    by_hand: str = ""
    exit: int = 1
    undo: Callable[[Scene], object] | None = None
    environment: Callable[[Scene], Mapping[str, str]] | None = None
    restarts: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    selected: bool = False
    damages: bool = True
    red: Phase | None = None

    @property
    def name(self) -> str:
        return named(self.at, self.title)


def of(fault: Fault) -> Case:
    """Return the case of a row of the heal table."""
    return Case(
        fault.title,
        fault.damage,
        at=fault.country,
        call=fault.country,
        by_hand="DIVE_" if fault.refused else "",
        touched=fault.touched,
        red=fault.red,
    )
