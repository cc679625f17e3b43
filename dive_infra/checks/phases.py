"""Which checks prove which phase: the same validator decides on a skip, gives the proof and feeds `status`."""

from importlib import import_module
from threading import Lock
from types import ModuleType

from dive_infra.checks.runner import Check
from dive_infra.checks.spec import Spec, phase_of

_LOADING = Lock()  # countries are checked in threads, which must not import the same modules at once


def checks(spec: Spec) -> list[Check]:
    """Return the checks that prove the phase of `spec`: those of the module with that phase's name.

    The module is imported here because the modules load every client library, and a program that only declares needs
    none of them.
    """
    found: list[Check] = _module(spec).checks(spec)
    return found


def shallow_checks(spec: Spec) -> list[Check]:
    """Return the checks for every preview: the same ones, or the module's cheaper ones if it has any."""
    module = _module(spec)
    found: list[Check] = getattr(module, "shallow_checks", module.checks)(spec)
    return found


def checks_beside_probe(spec: Spec) -> list[Check]:
    """Return the checks that a probe before the phase (`dynamic.realm_probe`) does not make, if the module has any."""
    beside = getattr(_module(spec), "checks_beside_probe", None)
    found: list[Check] = beside(spec) if beside else []
    return found


def _module(spec: Spec) -> ModuleType:
    with _LOADING:
        return import_module(f"dive_infra.checks.{phase_of(spec).lower()}")
