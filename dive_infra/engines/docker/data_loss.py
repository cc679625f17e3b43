"""Lost data is never made anew in passing: the two ways on, which only a person can choose between."""

from collections.abc import Mapping

from dive_infra.config.environment import ACCEPT_LOSS
from dive_infra.results.remedy import UP


def choice(volume: str, labels: Mapping[str, str]) -> tuple[str, str]:
    """How to restore a lost data volume, and how to accept its loss; `labels` are those that it had.

    Both are lines of a remedy.
    """
    marks = " ".join(f"--label {key}={value}" for key, value in sorted(labels.items()))
    return (
        f"restore it: docker volume create {marks} {volume}, put the backup into it, then: {UP}",
        f"accept the loss, in this one run: {ACCEPT_LOSS}={volume} {UP}",
    )
