"""Preparation of the process in which Pulumi runs all our providers (`python -m pulumi.dynamic <engine address>`).

Pulumi starts that process and imports a provider's module when it first needs it. There is no hook before that, so the
import of `dynamic.base` is where we can act.
"""

import atexit
import sys
from collections.abc import Callable
from threading import Event

from dive_infra.config import environment
from dive_infra.dynamic.runtime import engine_watchdog, patches
from dive_infra.process import gc_tuning
from dive_infra.process.probe_cache import PROBES

_SERVER = "pulumi.dynamic.__main__"
_PROBE_TTL = 10.0  # seconds for which other resources of the run use what one has found


def prepare_provider_process(short: type[Exception], ended: Callable[[], None]) -> None:
    """Prepare this process if it is the one that runs providers; errors of type `short` are answered by their message.

    It then collects garbage rarely, shares probes until the first change, and ends with its engine. When the engine
    ends it in good order, it calls `ended`, unless the run was cancelled or `./dive` records how it ended.
    """
    server = sys.modules["__main__"]
    spec = getattr(server, "__spec__", None)
    if spec is None or spec.name != _SERVER:
        return
    patches.answer_with_message(server, short)
    gc_tuning.tune()
    PROBES.enable(_PROBE_TTL)
    cancelled = Event()
    patches.hear_cancellation(server, cancelled.set)
    if not environment.run_id():
        atexit.register(lambda: None if cancelled.is_set() else ended())
    if len(sys.argv) > 1:
        engine_watchdog.watch(sys.argv[1])
