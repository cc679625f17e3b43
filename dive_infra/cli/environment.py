"""`./dive env`, and the preparation of the machine for the other verbs."""

import os
import shlex
from collections.abc import Mapping

from dive_infra import engines
from dive_infra.automation import workspace
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.stack_config import all_codes
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import REPORTER, console, ends_on_failure, fail, step
from dive_infra.config import paths
from dive_infra.engines.engine import EngineError
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy
from dive_infra.toolchain import toolchain


def prepare(without_engine: bool = False) -> dict[str, str]:
    """Install Pulumi and start an engine if needed; return the variables for Pulumi, also set in this process.

    `without_engine`: an engine that does not answer is reported, and does not end the command.
    """
    with step("Pulumi") as progress:
        tools = toolchain.ensure(None, progress)
        toolchain.ensure_plugins(tools, workspace.pulumi_home(), progress)
    with ends_on_failure():
        engine = _engine(without_engine)
    with step("state"):
        added = workspace.environment(tools, engine)
    os.environ.update(added)
    return added


def _engine(may_be_away: bool) -> Mapping[str, str]:
    try:
        with REPORTER.step("Docker engine") as progress:
            return engines.ensure(progress).variables
    except EngineError as error:
        if not may_be_away:
            raise
        console.print(f"  {error}; until then, pulumi can read the state alone", markup=False, soft_wrap=True)
        return engines.current().variables


def prepare_to_read() -> dict[str, str]:
    """Set and return the variables for reading; installs, builds and starts nothing."""
    tools = toolchain.find(None, lambda _: None)
    if tools is None:
        fail("Pulumi is not installed on this machine", Exit.UNKNOWN, Remedy.run("./dive env"))
    try:
        added = workspace.environment(tools, engines.current().variables)
    except DiveError as error:
        fail(str(error), Exit.UNKNOWN)
    os.environ.update(added)
    return added


def env() -> None:
    """Print the variables that plain `pulumi` needs."""
    for name, value in prepare(without_engine=True).items():
        print(f"export {name}={shlex.quote(value)}")
    if paths.STACKS != paths.ROOT:
        _name_stack_files()


def _name_stack_files() -> None:
    """Print the commands for stack files elsewhere: Pulumi looks for them in this checkout, and has no variable."""
    console.print(f"the stack files are in {paths.STACKS}, so plain pulumi needs --config-file:", soft_wrap=True)
    for code in all_codes():
        console.print(f"  {shlex.join(Runner.of(code.lower()).command('up'))}", markup=False, soft_wrap=True)
    folder = shlex.quote(str(paths.STACKS))
    console.print(f"commands without that option (config, stack) run in that folder: cd {folder}", soft_wrap=True)
