"""The lanes of `./dive test`: what of pytest's results they report, and when they count as passed."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from dive_infra.cli import lanes
from dive_infra.cli.lanes import COALITION, Case, Finished, Lane
from dive_infra.cli.test import covered, names_tests, programs, report
from dive_infra.toolchain import toolchain

RESULTS = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="tests.unit.config.test_naming" name="test_ports" time="0.25" />
<testcase classname="tests.unit.config.test_naming" name="test_hosts" time="0.5"><failure message="x" /></testcase>
<testcase classname="tests.integration.test_2_up" name="test_up" time="75.0" />
<testcase classname="tests.integration.test_2_up" name="test_down" time="0"><skipped message="x">x</skipped></testcase>
<testcase classname="tests.integration.test_2_up" name="test_end" time="1.0"><error message="x">x</error></testcase>
</testsuite></testsuites>
"""
FAILING = """import pytest

@pytest.fixture(scope="module")
def server():
    start()
def start():
    raise ValueError("no answer\\nin time")
def test_a(server): pass
def test_b(server): pass
def test_c():
    assert 1 == 2
"""
SLOW, FAST = Case("unit", "a", "passed", 9.0), Case("unit", "b", "passed", 0.1)


def finished(code: int, *tests: Case) -> Finished:
    return Finished(COALITION, code, 1.0, tests)


def test_the_results_of_pytest_are_read_by_tier() -> None:
    tests = lanes.read(RESULTS)
    assert tests[0] == Case("unit", "config/test_naming.py::test_ports", "passed", 0.25)
    assert [t.result for t in tests] == ["passed", "failed", "passed", "skipped", "error"]
    assert {tier: len(of) for tier, of in lanes.by_tier(tests).items()} == {"unit": 2, "integration": 3}
    assert lanes.closing(tests) == "2 passed, 2 failed, 1 skipped"


def test_the_slowest_come_first_and_only_some() -> None:
    found = lanes.slowest([*[FAST] * 20, SLOW])
    assert found[0] == SLOW
    assert len(found) == lanes.SLOWEST


@pytest.mark.parametrize(
    ("codes", "passed"),
    [((0, 0), True), ((0, 5), True), ((0, 1), False), ((5, 5), False), ((0, 2), False), ((0, -9), False)],
)
def test_lanes_pass_when_each_does_and_one_ran_a_test(codes: tuple[int, ...], passed: bool) -> None:
    assert lanes.ok([finished(code) for code in codes]) is passed


def test_every_test_is_of_exactly_one_lane() -> None:
    """With any markers; and each folder of tests is in one lane at least."""
    for needs in ((), ("engine",), ("engine", "coalition")):
        markers = {marker: marker in needs for marker in ("engine", "coalition")}
        chosen = [lane.name for lane in lanes.ALL if eval(lane.markers, {}, markers)]
        assert len(chosen) == 1, markers
    root = lanes.ROOT
    folders = {f"tests/{path.relative_to(root).parts[1]}" for path in (root / "tests").rglob("test_*.py")}
    assert folders == {path for lane in lanes.ALL for path in lane.paths}


def test_lanes_run_side_by_side_and_show_whose_line_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of these two tests waits for the file that the other one writes."""
    for own, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"test_{own}.py").write_text(
            "import time\nfrom pathlib import Path\n"
            "def test_both():\n"
            f"    Path(__file__).with_name('{own}').touch()\n"
            "    ends = time.monotonic() + 60\n"
            f"    while not Path(__file__).with_name('{other}').exists():\n"
            "        assert time.monotonic() < ends\n"
            "        time.sleep(0.05)\n"
        )
    both = [Lane(name, (str(tmp_path / f"test_{name}.py"),), "") for name in ("a", "b")]
    done = lanes.run(both, ["-p", "no:cacheprovider", f"--rootdir={tmp_path}"], tmp_path)
    told = capsys.readouterr().out
    assert [(f.lane.name, f.code, len(f.tests)) for f in done] == [("a", 0, 1), ("b", 0, 1)], told
    assert lanes.ok(done)
    assert all(f"{name:<9} │ " in told for name in ("a", "b"))
    assert "1 passed" in told


def test_without_options_pytest_runs_what_needs_no_engine() -> None:
    """Markers are given before pytest leaves out what the default expression excludes."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    places = ["tests/providers/test_engine.py", "tests/integration/test_1_policy.py", "tests/unit/test_import_order.py"]
    done = subprocess.run([*command, *places], cwd=lanes.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split("::")[0] for line in done.stdout.splitlines() if "::" in line} == {places[-1]}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), False),
        (("--durations=0",), False),
        (("-k", "naming"), False),
        (("--coalition", "docs"), False),
        (("tests/unit/cli/test_lanes.py",), True),
        (("--whole", "tests/unit/cli/test_lanes.py::test_x"), True),
    ],
)
def test_only_a_path_chooses_tests(arguments: tuple[str, ...], named: bool) -> None:
    assert names_tests(arguments) is named


def test_the_report_names_what_failed_what_was_slow_and_the_time_of_tiers_and_lanes() -> None:
    tests = lanes.read(RESULTS)
    told = report([Finished(COALITION, 1, 80.0, tests)], "coverage of dive_infra: 90 %")
    assert told.startswith(
        "FAILED tests/unit/config/test_naming.py::test_hosts\nERROR tests/integration/test_2_up.py::test_end"
    )
    assert "    75.0 s  tests/integration/test_2_up.py::test_up\n" in told
    assert "     0.8 s  unit: 2 tests\n" in told
    assert "    76.0 s  integration: 3 tests\n" in told
    assert "    80.0 s  coalition: exit code 1\n" in told
    assert "coverage of dive_infra: 90 %" in told


def test_the_report_ends_with_each_cause_and_how_many_tests_failed_of_it(tmp_path: Path) -> None:
    """Of pytest's own file: a fixture that fails its tests, a test, and a file that cannot be imported."""
    (tmp_path / "test_of_this.py").write_text(FAILING)
    (tmp_path / "test_broken.py").write_text("from os import nothing")
    results = tmp_path / "results.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={results}"]
    command += ["--continue-on-collection-errors", "test_of_this.py", "test_broken.py"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    told = report([Finished(COALITION, 1, 80.0, lanes.read(results.read_text()))], "")
    assert "error tests/test_broken/.py:\n    ImportError: cannot import name 'nothing' from 'os' (" in told
    assert told.endswith(
        """
error tests/test_of_this/.py::test_a and 1 more:
    failed on setup with "ValueError: no answer
    in time"
    at test_of_this.py:5, test_of_this.py:7

failed tests/test_of_this/.py::test_c:
    assert 1 == 2
    at test_of_this.py:11
"""
    )


def test_coverage_is_measured_in_all_and_by_package(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    assert covered(tmp_path).startswith("coverage: not measured: ")
    command = [sys.executable, "-m", "coverage", "run", f"--data-file={lanes.data(tmp_path, lanes.UNIT)}"]
    done = subprocess.run([*command, "-m", "dive_infra.config.naming"], cwd=lanes.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = covered(tmp_path)
    assert re.match(r"coverage of dive_infra: \d+ % of its lines\n", told), told
    assert re.search(r"by package: automation \d+, .*config [1-9]\d*, ", told), told


@pytest.mark.parametrize(("source", "plugins"), [("built", set(toolchain.PLUGINS)), ("downloaded", set[str]())])
def test_what_is_built_from_source_is_built_before_the_tests(
    source: Literal["built", "downloaded"], plugins: set[str]
) -> None:
    wanted = programs(toolchain.Toolchain(Path("pulumi"), [], source))
    assert {*wanted} == {"actionlint", *(f"pulumi-resource-{name}" for name in plugins)}
    assert all(toolchain.key(program) for program in wanted), "each is in a bundle"
