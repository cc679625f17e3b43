"""Preparation of the process in which Pulumi runs all our providers (`python -m pulumi.dynamic <engine address>`).

Pulumi starts that process and imports a provider's module when it first needs it. Pulumi has no hook before that, so
the import of `dynamic.base` is where we prepare it. One thing must come first: which pickles may be loaded at all. For
that, the launcher leaves a line in `.venv` that Python runs when the process starts; without that line, as in an
environment that someone else has made, it holds from our first provider on.
"""

import atexit
import sys
from collections.abc import Callable
from threading import Event

from dive_infra.config import environment, providers
from dive_infra.dynamic.runtime import engine_watchdog, patches
from dive_infra.process import gc_tuning
from dive_infra.process.probe_cache import PROBES
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

_SERVER = "pulumi.dynamic.__main__"
_FOREIGN = "the state names a provider that is not in dive_infra/config/providers.py; it was not loaded"
_RESTORE = Remedy.decide("./dive preview says which resource has it")
_PROBE_TTL = 10.0  # seconds for which other resources of the run use what one has found


def prepare_provider_process(short: type[DiveError], ended: Callable[[], None]) -> None:
    """Prepare this process if it is the one that runs providers; errors of type `short` are answered by their message.

    It then collects garbage rarely, loads no provider that is not ours, shares probes until the first change, and ends
    with its engine. When the engine ends it in good order, it calls `ended`, unless the run was cancelled or `./dive`
    records how it ended.
    """
    server = sys.modules["__main__"]
    spec = getattr(server, "__spec__", None)
    if spec is None or spec.name != _SERVER:
        return
    patches.answer_with_message(server, short)
    gc_tuning.tune()
    load_only_ours(short)
    PROBES.enable(_PROBE_TTL)
    cancelled = Event()
    patches.hear_cancellation(server, cancelled.set)
    if not environment.run_id():
        atexit.register(lambda: None if cancelled.is_set() else ended())
    if len(sys.argv) > 1:
        engine_watchdog.watch(sys.argv[1])


def load_only_ours(refusal: type[DiveError] = DiveError) -> None:
    """Load no provider from now on that is not ours; raise `refusal` for any other. The launcher's line calls it."""
    patches.load_only(providers.all_pickles(), lambda: refusal(_FOREIGN, _RESTORE))
