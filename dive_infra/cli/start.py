"""Entry point of the command: start Pulumi's slow exports before loading the client libraries."""

import gc
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from dive_infra.automation import state_export, workspace
from dive_infra.config import environment as variables
from dive_infra.config import paths
from dive_infra.config.json_file import unreadable
from dive_infra.toolchain import toolchain

_READING = ("status", "doctor")  # verbs that read the state of the given countries, or of all


def prefetch(arguments: Sequence[str]) -> None:
    """Start the exports that the verb will need. The verb reports what is wrong here."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", ())
    if verb not in _READING or "--help" in rest:
        return
    tools = toolchain.find(None, lambda _: None)
    if tools is None:
        return
    known = {path.name.split(".")[1] for path in paths.STACKS.glob("Pulumi.*.yaml")}
    named = {word.lower() for word in rest if re.fullmatch("[A-Za-z]{3}", word)}
    try:
        environment = os.environ | workspace.environment(tools, {})
    except workspace.StateError:
        return
    for stack in sorted(named & known or known):
        state_export.prefetch(stack, environment)


def program_name(arguments: Sequence[str]) -> str:
    """Return the name of the command: shell completion uses a variable named after it, without a path."""
    completing = variables.completes() or any(word.endswith("-completion") for word in arguments)
    return "dive" if completing else "./dive"


def handle_interrupts() -> None:
    """Handle SIGINT again if it is ignored, as shells set it for background processes.

    Subprocesses would inherit that; Pulumi ends its plugins by SIGINT and waits five seconds if one ignores it.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    handle_interrupts()
    variables.leave_out()  # before any subprocess starts
    if flaw := variables.missing_home():
        sys.exit(f"dive: {flaw}")
    try:
        _run()
    except PermissionError as error:
        if error.filename is None:
            raise  # not of a file
        sys.exit(f"dive: {unreadable(Path(os.fsdecode(error.filename)), error)}")


def _run() -> None:
    prefetch(sys.argv[1:])
    gc.disable()  # imports create no garbage; collecting takes a sixth of their time
    from dive_infra.cli.__main__ import app

    gc.freeze()
    gc.enable()
    try:
        app(prog_name=program_name(sys.argv[1:]))
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise  # with a message
        end(ended.code)


def end(code: int) -> NoReturn:
    """End the process with the exit code of the verb, which has ended its own threads and subprocesses.

    The interpreter's own exit would take up to half a second: MongoDB's driver joins its idle threads.
    """
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
