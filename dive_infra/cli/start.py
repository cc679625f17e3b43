"""Where the command begins: what takes Pulumi most of a second starts before the client libraries are loaded."""

import gc
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from dive_infra.automation import state_export, workspace
from dive_infra.config import environment as variables
from dive_infra.config import paths
from dive_infra.toolchain import toolchain

_LOOKING = ("status", "doctor")  # verbs that read the state of the countries that they are given, or of all


def begin(arguments: Sequence[str]) -> None:
    """Begins the exports that the verb will ask for. What is wrong here is told by the verb."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", ())
    if verb not in _LOOKING or "--help" in rest:
        return
    tools = toolchain.find(None, lambda _: None)
    if tools is None:
        return
    known = {path.name.split(".")[1] for path in paths.STACKS.glob("Pulumi.*.yaml")}
    named = {word.lower() for word in rest if re.fullmatch("[A-Za-z]{3}", word)}
    try:
        environment = os.environ | workspace.environment(tools, os.environ.get("DOCKER_HOST", ""))
    except workspace.StateError:
        return
    for stack in sorted(named & known or known):
        state_export.begin(stack, environment)


def called(arguments: Sequence[str]) -> str:
    """The name of the command: a shell completes by a variable that is made of it, which can't hold a path."""
    completing = variables.completes() or any(word.endswith("-completion") for word in arguments)
    return "dive" if completing else "./dive"


def heed_interrupts() -> None:
    """Takes SIGINT again where a shell has had it ignored, as it does for what is started in the background.

    What we start would inherit that; Pulumi ends its plugins by SIGINT, and waits five seconds where one ignores it.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    heed_interrupts()
    begin(sys.argv[1:])
    gc.disable()  # nothing that is loaded becomes garbage; looking for it takes a sixth of the loading
    from dive_infra.cli.__main__ import app

    gc.freeze()
    gc.enable()
    try:
        app(prog_name=called(sys.argv[1:]))
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise  # it has something to say
        end(ended.code)


def end(code: int) -> NoReturn:
    """Ends the process with the outcome of the verb, which has ended all that it began.

    Not by the interpreter's own way: there the driver of MongoDB waits up to half a second for its idle threads.
    """
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
