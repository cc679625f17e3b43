"""`./dive env`, and the prepared machine that every other verb starts from."""

import os
import shlex

from dive_infra.automation import workspace
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import EXPECTED, console, fail, step
from dive_infra.engines.docker import engine
from dive_infra.toolchain import toolchain


def prepare() -> dict[str, str]:
    """Pulumi and an engine, ready to use; returns the variables to run Pulumi with, added to this process's own."""
    hush()
    with step("Pulumi") as progress:
        tools = toolchain.ensure(None, progress)
        toolchain.ensure_plugins(tools, workspace.pulumi_home(), progress)
    with step("Docker engine") as progress:
        docker_host = engine.ensure(progress)
    with step("state"):
        added = workspace.environment(tools, docker_host)
    os.environ.update(added)
    return added


def hush() -> None:
    """Takes from this process what would make Pulumi print secrets, and says so."""
    kept, loud = workspace.quiet(os.environ)
    if loud:
        os.environ.clear()
        os.environ.update(kept)
        console.print(f"left out, as secrets would be printed: {', '.join(loud)}", style="yellow", soft_wrap=True)


def ready() -> dict[str, str]:
    """What is there already, ready to look with: nothing is installed, built or started; returns what was added."""
    tools = toolchain.find(None, lambda _: None)
    if tools is None:
        fail("Pulumi is not on this machine; next: ./dive env installs or builds it", Exit.UNKNOWN)
    try:
        added = workspace.environment(tools, engine.host()[0])
    except EXPECTED as error:
        fail(str(error), Exit.UNKNOWN)
    os.environ.update(added)
    return added


def env() -> None:
    """Print what makes a shell in which plain `pulumi` works: eval "$(./dive env)"."""
    for name, value in prepare().items():
        print(f"export {name}={shlex.quote(value)}")
