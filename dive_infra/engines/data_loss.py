"""Lost data is never recreated silently: the two choices that an operator has."""

from collections.abc import Mapping

from dive_infra.config.environment import ACCEPT_LOSS
from dive_infra.engines.engine import Engine
from dive_infra.results.remedy import UP


def choice(engine: Engine, volume: str, labels: Mapping[str, str]) -> tuple[str, str]:
    """Return how to restore a lost data volume and how to accept its loss, as lines of a remedy.

    `labels` are those that it had.
    """
    create = engine.volume_command(volume, labels)
    return (
        f"restore it: {create}, put the backup into it, then: {UP}",
        f"accept the loss, in this one run: {ACCEPT_LOSS}={volume} {UP}",
    )
