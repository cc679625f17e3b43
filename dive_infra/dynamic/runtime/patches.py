"""Changes to code of others, each with its cause, the upstream issue and the condition for its removal.

`tests/unit/dynamic/runtime/test_patches.py` holds one contract test for each; it fails once an upgrade makes the patch
void.
"""

import asyncio
import sys
import traceback
from collections.abc import Callable, Container
from types import ModuleType

import dill
import pulumi

from dive_infra.config import environment

TURNS = 20  # of the event loop; the SDK needs several until a registration is with the engine


def answer_with_message(server: ModuleType, short: type[Exception]) -> None:
    """Let Pulumi's provider server answer an error of type `short` with its message alone.

    Cause: the server answers every exception with `traceback.format_exc()`, and Pulumi shows all of it: some forty
    lines of SDK frames around one line for the operator.
    Upstream: pulumi/pulumi#10416 (open); pulumi/pulumi#24465 touches the same code.
    Remove when: a provider can return an error without a traceback.
    """

    class Traceback:
        @staticmethod
        def format_exc() -> str:
            error = sys.exc_info()[1]
            return str(error) if isinstance(error, short) else traceback.format_exc()

    vars(server)["traceback"] = Traceback


def load_only(allowed: Container[bytes], refusal: Callable[[], Exception]) -> None:
    """Have Pulumi's provider server load the pickles in `allowed` alone, and raise `refusal()` for any other.

    Cause: the server loads what the state holds as the provider of a resource. A pickle may run any program, so who
    can write a state could run one as its deployer.
    Upstream: no issue is known.
    Remove when: a state names a dynamic provider without a pickle.
    """
    load = dill.loads

    def loads(pickled: bytes) -> object:
        if pickled not in allowed:
            raise refusal()
        return load(pickled)

    dill.loads = loads


def hear_cancellation(server: ModuleType, heard: Callable[[], None]) -> None:
    """Have Pulumi's provider server call `heard` when the engine cancels the run, as Ctrl+C does.

    Cause: the server answers the request and does nothing else, and our providers cannot see it. Without it, a run
    that someone stopped cannot be distinguished from one that failed.
    Upstream: no issue is known.
    Remove when: a dynamic provider can implement `cancel`.
    """

    def cancel(_self: object, _request: object, _context: object) -> object:
        is_cancelled()  # type: ignore[name-defined]  # noqa: F821 (both are names of the server's module)
        return empty_pb2.Empty()  # type: ignore[name-defined]  # noqa: F821

    vars(server)["is_cancelled"] = heard
    # The running server holds the method itself, so its body is exchanged.
    server.DynamicResourceProviderServicer.Cancel.__code__ = cancel.__code__


def silence_debug_log() -> None:
    """Keep the SDK's debug log from the engine, unless `DIVE_TRACEBACK` is set.

    Cause: the SDK sends four debug messages per resource, each in a blocking request: half a second of processor time
    for lines that only `pulumi up --debug` shows.
    Upstream: pulumi/pulumi#7292 (closed; these four remain).
    Remove when: the SDK asks whether the engine shows debug messages before it sends them.
    """
    if not environment.shows_traceback():
        setattr(pulumi.log, "debug", lambda *_, **__: None)  # noqa: B010 (mypy rejects the assignment)


async def send_registrations() -> None:
    """Let the SDK send what is declared so far, while the program declares the rest.

    Cause: a registration is a task that takes several turns of the event loop until its request leaves. A program that
    never awaits sends nothing before its end, and the SDK then awaits all outputs at once, in a time that grows with
    the square of their number.
    Upstream: pulumi/pulumi#16055 (closed; outputs are no longer kept, but are still awaited together).
    Remove when: the SDK sends a registration when the resource is constructed.
    """
    for _ in range(TURNS):
        await asyncio.sleep(0)
