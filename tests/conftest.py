"""Options of all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dive")
    group.addoption("--whole", action="store_true", help="every fault and every crash point, not only a selection")
    group.addoption("--docs", action="store_true", help="write the results of faults and crash points into docs/")
