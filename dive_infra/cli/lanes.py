"""Lanes of tests: pytest processes that run side by side, and what they report together.

Most of a coalition's tests wait for containers, and so do many of single servers. What needs no coalition runs beside
them, with less claim to the cores.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from dive_infra.config.paths import ROOT

NOTHING_COLLECTED = 5  # pytest's exit code
SLOWEST = 15

# A tenth and a seventieth of the claim to the cores: a coalition takes longest, and its services have time limits.
_NICE = 10
_NICER = 19


@dataclass(frozen=True)
class Lane:
    """One pytest process: which tests by path and marker, and whether its coverage of `dive_infra` can be measured."""

    name: str
    paths: tuple[str, ...]
    markers: str
    measured: bool = False
    nice: int = 0


COALITION = Lane("coalition", ("tests/integration",), "coalition")
SERVERS = Lane("servers", ("tests/providers", "tests/integration"), "engine and not coalition", True, _NICE)
UNIT = Lane("unit", ("tests/unit",), "not engine", True, _NICER)
ALL = (COALITION, SERVERS, UNIT)


# How much of a cause the report shows; the whole of it is where the test ran.
_LINES, _WIDTH, _PLACES = 6, 160, 3
_UNCOLLECTED = "collection failure"  # pytest's message


@dataclass(frozen=True)
class Case:
    """One test that ran: `seconds` with its fixtures; `result` is passed, failed, error or skipped.

    `cause`: of one that failed, what was raised and the innermost places of its traceback; otherwise empty.
    """

    tier: str
    name: str
    result: str
    seconds: float
    cause: str = ""


@dataclass(frozen=True)
class Finished:
    """A lane that has ended."""

    lane: Lane
    code: int
    seconds: float
    tests: tuple[Case, ...]


def run(lanes: Sequence[Lane], arguments: Sequence[str], folder: Path, coverage: bool = False) -> list[Finished]:
    """Run the lanes side by side; each line of their output starts with the lane's name. `folder` keeps the results."""
    finished: list[Finished] = []
    threads = [
        threading.Thread(target=lambda lane=lane: finished.append(_run(lane, arguments, folder, coverage)))
        for lane in lanes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        _join(thread)
    return sorted(finished, key=lambda f: lanes.index(f.lane))


def _join(thread: threading.Thread) -> None:
    """Wait for the lane's end. Ctrl+C reaches pytest, too, which removes its coalition before it ends."""
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt:
            continue


def _run(lane: Lane, arguments: Sequence[str], folder: Path, coverage: bool) -> Finished:
    results = folder / f"{lane.name}.xml"
    measured = ["-m", "coverage", "run", f"--data-file={data(folder, lane)}"] if coverage and lane.measured else []
    command = ["nice", "-n", str(lane.nice), sys.executable, *measured, "-m", "pytest", "-v", "-m", lane.markers]
    command += [f"--junit-xml={results}", *lane.paths, *arguments]
    started = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as running:
        assert running.stdout
        for line in running.stdout:
            sys.stdout.write(f"{lane.name:<9} │ {line}")
            sys.stdout.flush()
    tests = read(results.read_text()) if results.exists() else ()
    return Finished(lane, running.returncode, time.monotonic() - started, tests)


def data(folder: Path, lane: Lane) -> Path:
    """Return where a measured lane writes what it covered."""
    return folder / f"coverage.{lane.name}"


def read(text: str) -> tuple[Case, ...]:
    """Read pytest's JUnit file."""
    cases = ElementTree.fromstring(text).iter("testcase")  # noqa: S314 – written by our own pytest
    return tuple(_test(case) for case in cases)


def _test(case: ElementTree.Element) -> Case:
    # A file that was not collected has no class, and its own path as its name.
    module, name = case.get("classname", ""), case.get("name", "")
    kinds = {"failure": "failed", "error": "error", "skipped": "skipped"}
    found = next((child for child in case if child.tag in kinds), None)
    result = "passed" if found is None else kinds[found.tag]
    cause = _cause(found) if found is not None and result != "skipped" else ""
    tier, _, rest = (module or name).removeprefix("tests.").partition(".")
    where = f"{rest.replace('.', '/')}.py" + (f"::{name}" if module else "")
    return Case(tier, where, result, float(case.get("time", 0)), cause)


def _cause(found: ElementTree.Element) -> str:
    # Of a file that could not be collected, the message says only that.
    raised = re.findall(r"^E +(.*)", found.text or "", re.MULTILINE) if found.get("message") == _UNCOLLECTED else []
    lines = [line[:_WIDTH] for line in (raised or (found.get("message") or "").splitlines())[:_LINES]]
    places = re.findall(r"^([^\s:]+\.py:\d+):", found.text or "", re.MULTILINE)[-_PLACES:]
    return "\n".join([*lines, *(["at " + ", ".join(places)] if places else [])])


def by_cause(tests: Iterable[Case]) -> dict[str, list[Case]]:
    """Return the tests that failed by what they failed of: one fixture may fail all that need it."""
    found: dict[str, list[Case]] = {}
    for test in tests:
        if test.cause:
            found.setdefault(test.cause, []).append(test)
    return found


def slowest(tests: Iterable[Case]) -> list[Case]:
    return sorted(tests, key=lambda t: t.seconds, reverse=True)[:SLOWEST]


def by_tier(tests: Iterable[Case]) -> dict[str, list[Case]]:
    """Return the tests of each tier, in the order of their first test."""
    found: dict[str, list[Case]] = {}
    for test in tests:
        found.setdefault(test.tier, []).append(test)
    return found


def closing(tests: Sequence[Case]) -> str:
    """Return the last line: `1490 passed, 0 failed, 230 skipped`."""
    count = {result: sum(t.result == result for t in tests) for result in ("passed", "failed", "error", "skipped")}
    return f"{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped"


def ok(finished: Sequence[Finished]) -> bool:
    """Whether all lanes passed; one whose tests were all left out by the arguments does not count, unless none ran."""
    codes = {f.code for f in finished}
    return codes <= {0, NOTHING_COLLECTED} and 0 in codes
