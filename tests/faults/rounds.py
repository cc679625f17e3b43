"""Rounds: faults that harm different things, and that one command heals together."""

from collections.abc import Iterable

from dive_infra.orchestration.states import Phase
from tests.faults.fault import Fault

_TOGETHER = 8  # faults in a round, at most
_RESTORES_ALL = {"undeclared", "databases-kept", "databases-logins", "test-users", "orchestration"}


def every_round(faults: Iterable[Fault]) -> list[list[Fault]]:
    """Return all faults in rounds of those that one command heals, and that harm different things."""
    made: list[list[Fault]] = []
    for fault in faults:
        fitting = next((of for of in made if len(of) < _TOGETHER and all(_apart(fault, other) for other in of)), None)
        if fitting is None:
            made.append([fault])
        else:
            fitting.append(fault)
    return [in_order(of) for of in made]


def in_order(faults: list[Fault]) -> list[Fault]:
    """Return first those that no validator sees, then warnings, then the others."""
    return sorted(faults, key=lambda f: (f.red is not None, not f.warns))


def title(names: list[str]) -> str:
    """Return the id of a round."""
    return f"{names[0]}-and-{len(names) - 1}-more" if names[1:] else names[0]


def _apart(one: Fault, other: Fault) -> bool:
    """Return whether a round may have both; what is inside a server is harmed while all containers run."""
    harmed, too = _harmed(one), _harmed(other)
    same = (one.country, one.command, bool(one.touched)) == (other.country, other.command, bool(other.touched))
    return same and not _alone(one) and not _alone(other) and not (harmed & too) - _RESTORES_ALL


def _harmed(fault: Fault) -> set[str]:
    """Return resources and services; of a container, the validator reports one difference at a time."""
    services = {name.rpartition("-")[0] for name in fault.heals if fault.red == Phase.DEPLOYMENT} - {"databases"}
    return {*fault.heals, *fault.touched, *services}


def _alone(fault: Fault) -> bool:
    wide = len(fault.touched) > 3 or (fault.also is None and "--refresh" in fault.command)
    return bool(fault.refused or fault.says) or wide
