"""Options of all tests, and what the processes that they start inherit."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import pulumi_folder

# The machine is shared with the other lane; how long an example takes says nothing here.
settings.register_profile("dive", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("dive")

# A shell that runs the tests in the background has its commands ignore Ctrl+C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

_COALITION = {"usa", "fra"}  # the fixtures that deploy


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dive")
    group.addoption("--whole", action="store_true", help="every fault and every crash point, not only a selection")
    group.addoption("--rounds", action="store_true", help="every fault that an update heals, several at a time")
    group.addoption("--sweep", action="store_true", help="the crash points, each step once; with --whole every one")
    group.addoption("--coalition", metavar="FOLDER", help="where the coalition under test is kept for the next run")
    group.addoption("--docs", action="store_true", help="write the results of faults and crash points into docs/")


def pytest_configure(config: pytest.Config) -> None:
    """Give Pulumi a folder of its own for this run: it shares the machine's plugins, but not its logs and logins."""
    folder = Path(tempfile.mkdtemp(prefix="dive-pulumi-"))
    config.add_cleanup(lambda: shutil.rmtree(folder))
    os.environ["PULUMI_HOME"] = str(pulumi_folder.without_logs(folder))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with what it needs, before pytest leaves out what the markers exclude."""
    for item in items:
        tier = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        if tier in ("providers", "integration"):
            item.add_marker("engine")
        deploys = _COALITION & {*getattr(item, "fixturenames", ())}
        if tier == "integration" and deploys:
            item.add_marker("coalition")
        if item.get_closest_marker("whole") and not item.config.getoption("--whole"):
            item.add_marker(
                pytest.mark.skip(reason="takes long, and each of its parts is in another test; runs with --whole")
            )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print a failure when it happens: the rest may take half an hour."""
    if report.failed:
        print(f"\n{report.longreprtext[-6000:]}", flush=True)
