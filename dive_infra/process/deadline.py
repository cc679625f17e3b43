"""Work that depends on someone who may never end it."""

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Return what `work` returns, or raise what it raises; raise `TimeoutError` after `seconds`, and leave it alone.

    A timeout of each read is no bound: who answers one byte before each ends keeps the caller for ever.
    """
    ended: list[Callable[[], Result]] = []

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 (raised in the caller's thread)
            raised = error

            def fail() -> Result:
                raise raised

            ended.append(fail)
        else:
            ended.append(lambda: result)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        raise TimeoutError(f"no end within {seconds:.0f} s")
    return ended[0]()
