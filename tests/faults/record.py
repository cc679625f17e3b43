"""Faults of the orchestration database, of seed data and of reports."""

from tests.faults.fault import Fault

FAULTS: tuple[Fault, ...] = ()
