"""`./dive test`: checks the code and runs the tests, on real services."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer

from dive_infra.cli import images, lanes
from dive_infra.cli.environment import prepare
from dive_infra.cli.progress import console, step
from dive_infra.cli.stacks import chosen
from dive_infra.config.paths import ROOT
from dive_infra.toolchain import debian, toolchain

PYTHON = ["dive_infra", "policy", "tests", "services", ".github", "__main__.py"]

# program -> the Debian package that contains it
BROWSER = {"chromium": "chromium", "chromedriver": "chromium-driver", "certutil": "libnss3-tools"}

# These need no engine; the fastest comes first.
CHECKS = (
    ("format", ["ruff", "format", "--check", *PYTHON]),
    ("lint", ["ruff", "check", *PYTHON]),
    ("types", ["mypy"]),
)


def test(
    fast: Annotated[bool, typer.Option("--fast", help="Leave out what needs a Docker engine.")] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Measure which lines the tests without a coalition execute.")
    ] = False,
    pytest: Annotated[
        list[str] | None, typer.Argument(help="Arguments for pytest; with a path, only the tests there.")
    ] = None,
) -> None:
    """Check the code, then run the tests.

    These are the unit tests, the policies, the dynamic providers, and both countries on a real engine.
    """
    arguments = pytest or []
    failed = [name for name, command in CHECKS if not arguments and not run(name, command)]
    if not fast:
        prepare()
        images.ensure(chosen(images.DEFAULT))
        with step("programs of the tests") as progress:  # no test waits for a compiler
            for program in programs(toolchain.ensure(None, progress)):
                toolchain.binary(program, progress)
        with step("browser") as progress:
            if missing := tuple(package for program, package in BROWSER.items() if not shutil.which(program)):
                debian.install(missing, progress)
    passed = run("tests", alone(arguments)) if names_tests(arguments) else everything(fast, arguments, coverage)
    if not passed:
        failed.append("tests")
    if failed:
        console.print(f"[red]✗[/] failed: {', '.join(failed)}")
        raise typer.Exit(1)


def programs(tools: toolchain.Toolchain) -> list[str]:
    """Return the programs of the tests that are built from source; the plugins only where no release was to be had."""
    return ["actionlint", *(f"pulumi-resource-{name}" for name in toolchain.PLUGINS if tools.source == "built")]


def names_tests(arguments: Sequence[str]) -> bool:
    """Return True if an argument is a file or folder of tests, such as `tests/unit/config/test_naming.py`."""
    paths = [(ROOT / argument.partition("::")[0]).resolve() for argument in arguments if not argument.startswith("-")]
    return any(path.exists() and path.is_relative_to(ROOT / "tests") for path in paths)


def alone(arguments: Sequence[str]) -> list[str]:
    """Return the command for chosen tests, of any tier."""
    return [sys.executable, "-m", "pytest", "-v", f"--durations={lanes.SLOWEST}", "-m", "", *arguments]


def everything(fast: bool, arguments: Sequence[str], coverage: bool) -> bool:
    """Run all lanes and report their times; return True if they passed."""
    with tempfile.TemporaryDirectory(prefix="dive-test-") as place:
        folder = Path(place)
        started = time.monotonic()
        finished = lanes.run([lanes.UNIT] if fast else lanes.ALL, arguments, folder, coverage)
        tests = [test for lane in finished for test in lane.tests]
        print(report(finished, covered(folder) if coverage else ""), flush=True)
    passed = lanes.ok(finished)
    mark = "[green]✓[/]" if passed else "[red]✗[/]"
    console.print(f"{mark} tests [dim]({time.monotonic() - started:.1f} s)[/]")
    print(lanes.closing(tests), flush=True)
    return passed


def report(finished: Sequence[lanes.Finished], coverage: str) -> str:
    """Return the failed tests, the slowest, the time of tiers and lanes, the coverage if measured, and each cause."""
    tests = [test for lane in finished for test in lane.tests]
    lines = [f"{t.result.upper()} tests/{t.tier}/{t.name}" for t in tests if t.result in ("failed", "error")]
    lines += ["", f"the {lanes.SLOWEST} slowest tests:"]
    lines += [f"{t.seconds:8.1f} s  tests/{t.tier}/{t.name}" for t in lanes.slowest(tests)]
    lines += ["", "the tests of each tier, one after the other:"]
    lines += [
        f"{sum(t.seconds for t in of):8.1f} s  {tier}: {len(of)} tests" for tier, of in lanes.by_tier(tests).items()
    ]
    lines += ["", "lanes, which run side by side:"]
    lines += [f"{lane.seconds:8.1f} s  {lane.lane.name}: exit code {lane.code}" for lane in finished]
    lines += ["", coverage] if coverage else []
    for cause, of in lanes.by_cause(tests).items():
        others = f" and {len(of) - 1} more" if len(of) > 1 else ""
        lines += ["", f"{of[0].result} tests/{of[0].tier}/{of[0].name}{others}:", indent(cause, "    ")]
    return "\n".join([*lines, ""])


def covered(folder: Path) -> str:
    """Return how much of `dive_infra` the measured lanes executed, in all and by package."""
    measured = [lane for lane in lanes.ALL if lanes.data(folder, lane).exists()]
    files = [str(lanes.data(folder, lane)) for lane in measured]
    coverage, both = [sys.executable, "-m", "coverage"], f"--data-file={folder / 'coverage'}"
    for command in (["combine", "-q", "--keep", both, *files], ["json", "-q", "-o", "-", both]):
        done = subprocess.run([*coverage, *command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return f"coverage: not measured: {done.stderr.strip() or done.stdout.strip()}"
    found = json.loads(done.stdout)
    packages: dict[str, list[int]] = {}
    for file, of in found["files"].items():
        name = "/".join(Path(file).parts[1:-1][:1])
        counts = packages.setdefault(name, [0, 0])
        counts[0] += of["summary"]["covered_lines"]
        counts[1] += of["summary"]["num_statements"]
    by_package = ", ".join(f"{name} {100 * a // b}" for name, (a, b) in sorted(packages.items()) if name and b)
    return (
        f"coverage of dive_infra: {found['totals']['percent_covered']:.0f} % of its lines\n"
        f"  by package: {by_package}\n"
        f"  by {' and '.join(lane.name for lane in measured)}; not what tests start as processes of their own"
    )


def run(name: str, command: list[str]) -> bool:
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=os.environ)
    mark = "[red]✗[/]" if done.returncode else "[green]✓[/]"
    console.print(f"{mark} {name} [dim]({time.monotonic() - started:.1f} s)[/]")
    return done.returncode == 0
