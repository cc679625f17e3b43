"""`./dive test`: everything tested, on real services."""

import os
import shutil
import subprocess
import sys
import time
from typing import Annotated

import typer

from dive_infra.automation.workspace import ROOT
from dive_infra.cli import images
from dive_infra.cli.environment import prepare
from dive_infra.cli.progress import console, step
from dive_infra.cli.stacks import chosen
from dive_infra.toolchain import debian

PYTHON = ["dive_infra", "policy", "tests", "services", ".github", "__main__.py"]

# program -> the Debian package that has it
BROWSER = {"chromium": "chromium", "chromedriver": "chromium-driver", "certutil": "libnss3-tools"}

# What needs no engine, in the order in which it fails fastest.
CHECKS = (
    ("format", ["ruff", "format", "--check", *PYTHON]),
    ("lint", ["ruff", "check", *PYTHON]),
    ("types", ["mypy"]),
)


def test(
    fast: Annotated[bool, typer.Option(help="leave out what needs a Docker engine")] = False,
    pytest: Annotated[list[str] | None, typer.Argument(help="arguments for pytest, instead of all tests")] = None,
) -> None:
    """Check the code, then run the tests: unit, policies, dynamic providers, and both countries on a real engine."""
    failed: list[str] = []
    for name, command in CHECKS if not pytest else ():
        if not run(name, command):
            failed.append(name)
    if not fast:
        prepare()
        images.ensure(chosen(images.DEFAULT))
        with step("browser") as progress:
            if missing := tuple(package for program, package in BROWSER.items() if not shutil.which(program)):
                debian.install(missing, progress)
    wanted = pytest or (["tests/unit"] if fast else ["tests/unit", "tests/providers", "tests/integration"])
    if not run("tests", [sys.executable, "-m", "pytest", "-v", "--durations=15", *wanted]):
        failed.append("tests")
    if failed:
        console.print(f"[red]✗[/] failed: {', '.join(failed)}")
        raise typer.Exit(1)


def run(name: str, command: list[str]) -> bool:
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=os.environ)
    mark = "[red]✗[/]" if done.returncode else "[green]✓[/]"
    console.print(f"{mark} {name} [dim]({time.monotonic() - started:.1f} s)[/]")
    return done.returncode == 0
