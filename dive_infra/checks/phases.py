"""Which checks prove which phase: one validator for the skip, for the proof and for `status`."""

from importlib import import_module
from threading import Lock
from types import ModuleType

from dive_infra.checks.runner import Check
from dive_infra.checks.spec import Spec, phase_of

_LOADING = Lock()  # countries are looked at side by side, and modules that import each other must not meet half loaded


def checks(spec: Spec) -> list[Check]:
    """The checks that prove the phase of `spec`: those of the module with that phase's name.

    It is loaded when it is asked: together they load every client library, of which a program that declares needs none.
    """
    found: list[Check] = _module(spec).checks(spec)
    return found


def shallow_checks(spec: Spec) -> list[Check]:
    """What is asked at every preview: the same, or where that takes too long what the module says instead."""
    module = _module(spec)
    found: list[Check] = getattr(module, "shallow_checks", module.checks)(spec)
    return found


def _module(spec: Spec) -> ModuleType:
    with _LOADING:
        return import_module(f"dive_infra.checks.{phase_of(spec).lower()}")
