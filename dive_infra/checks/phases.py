"""Which checks prove which phase: one validator for the skip, for the proof and for `status`."""

from importlib import import_module

from dive_infra.checks.runner import Check
from dive_infra.checks.spec import Spec, phase_of


def checks(spec: Spec) -> list[Check]:
    """The checks that prove the phase of `spec`: those of the module with that phase's name.

    It is loaded when it is asked: together they load every client library, of which a program that declares needs none.
    """
    found: list[Check] = import_module(f"dive_infra.checks.{phase_of(spec).lower()}").checks(spec)
    return found
