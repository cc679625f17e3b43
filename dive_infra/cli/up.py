"""`./dive up`: from a bare machine to a verified coalition."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dive_infra.cli import images
from dive_infra.cli.environment import prepare
from dive_infra.cli.steps import console, fail
from dive_infra.countries import HUB_CODE, UnknownCountry, parse
from dive_infra.machine.state import ROOT

DEFAULT = [HUB_CODE, "FRA"]


def up(
    countries: Annotated[
        list[str] | None, typer.Argument(help="codes such as FRA; by default the hub, then France")
    ] = None,
) -> None:
    """Deploy the hub and the given countries, verify them by real logins, and show where to log in."""
    try:
        codes = [parse(code.upper()).code for code in countries or DEFAULT]
    except UnknownCountry as error:
        fail(str(error), 2)
    for code in codes:
        stack_file(code)
    prepare()
    images.ensure()
    seconds: dict[str, float] = {}
    for code in sorted(codes, key=lambda c: c != HUB_CODE):
        started = time.monotonic()
        deploy(code.lower())
        seconds[code] = time.monotonic() - started
    summary(seconds)


def stack_file(code: str) -> Path:
    path = ROOT / f"Pulumi.{code.lower()}.yaml"
    if not path.exists():
        present = ", ".join(sorted(p.name for p in ROOT.glob("Pulumi.*.yaml")))
        fail(f"{path.name} is not there, so {code} is not a country of this coalition; found {present}", 2)
    return path


def deploy(stack: str) -> None:
    """One `pulumi up`, in full view; ends the command when it fails."""
    stacks = {s["name"] for s in json.loads(pulumi("stack", "ls", "--json"))}
    if stack not in stacks:
        pulumi("stack", "init", stack, "--no-select")
    console.rule(f"pulumi up -s {stack}")
    done = subprocess.run(["pulumi", "up", "-s", stack, "--yes", "--skip-preview"], cwd=ROOT)
    if done.returncode:
        fail(f"`pulumi up -s {stack}` failed; its message above names the cause; next: ./dive up {stack.upper()}", 1)


def pulumi(*arguments: str) -> str:
    """The standard output of a pulumi command; a failing one ends this command with its message."""
    done = subprocess.run(["pulumi", *arguments, "--non-interactive"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        fail(f"`pulumi {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def outputs(stack: str, secrets: bool = False) -> dict[str, object]:
    shown = ["--show-secrets"] if secrets else []
    found = json.loads(pulumi("stack", "output", "-s", stack, "--json", *shown))
    assert isinstance(found, dict)
    return found


def summary(seconds: dict[str, float]) -> None:
    """Where to go, as whom, and what was proven."""
    for code, took in seconds.items():
        found = outputs(code.lower())
        table = Table(title=f"{code} · deployed and verified in {took:.0f} s", title_justify="left", show_header=False)
        urls = found["urls"]
        assert isinstance(urls, dict)
        for name, url in urls.items():
            table.add_row(name, str(url))
        containers = found["containers"]
        assert isinstance(containers, dict)
        table.add_row("containers", f"{len(containers)} healthy")
        verification = found.get("verification")
        assert isinstance(verification, dict)
        table.add_row("verified", f"{verification['proven']}, at {verification['at']}")
        users = found["test_users"]
        assert isinstance(users, list)
        table.add_row("log in as", ", ".join(map(str, users)))
        table.add_row("password", f"pulumi stack output test_user_password --show-secrets -s {code.lower()}")
        console.print(table)
    if "PULUMI_BACKEND_URL" in os.environ:
        console.print('a shell in which plain pulumi works: eval "$(./dive env)"')
