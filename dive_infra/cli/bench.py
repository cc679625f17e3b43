"""`./dive bench`: measures a coalition of its own, beside the least that the engine itself needs."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from dive_infra.cli import images
from dive_infra.cli.environment import prepare
from dive_infra.cli.stacks import chosen
from dive_infra.config import environment
from dive_infra.config.paths import ROOT

NAMESPACE = "divebench"


def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often each run is measured.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print every round as JSON.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Write the table into docs/explanation/performance.md.")] = False,
    members: Annotated[
        str, typer.Option(metavar="1,8,16,31", help="Measure what members cost the hub instead, at these numbers.")
    ] = "",
) -> None:
    """Measure how long deployments take.

    Measures runs without changes, healing and a first deployment. Takes 10 to 15 minutes; run it on an idle
    machine. With `--members`, it measures the hub instead, on an engine of its own, which takes root.
    """
    prepare()
    images.ensure(chosen(images.DEFAULT))
    flags = [flag for flag, wanted in (("--json", as_json), ("--docs", docs)) if wanted]
    flags += ["--members", members] if members else []
    given = os.environ | {environment.TEST_NAMESPACE: environment.test_namespace(NAMESPACE)}
    command = [sys.executable, "-m", "tests.bench", "--rounds", str(rounds), *flags]
    raise typer.Exit(min(1, subprocess.run(command, cwd=ROOT, env=given).returncode))
