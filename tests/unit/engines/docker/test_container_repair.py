"""Limits of a container whose process is just ending, with the engine replaced; `providers` has a real one."""

from types import SimpleNamespace
from typing import Any

import pytest

from dive_infra.engines.docker import container_repair
from dive_infra.engines.engine import ContainerFailed

# What Docker answers, by how far the process has ended.
ENDING = ("task 5a23 not found: not found", "cannot update a stopped container: OCI runtime", "container is restarting")


class _Engine:
    """An engine that refuses with each of these texts once, then accepts."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = [*refusals]
        self.api = SimpleNamespace(base_url="", api_version="1.41", post=self._post)

    def _post(self, _url: str, json: dict[str, Any]) -> SimpleNamespace:
        assert json["PidsLimit"] == 50
        return SimpleNamespace(ok=not self.refusals, text=self.refusals.pop(0) if self.refusals else "")


DECLARED: Any = SimpleNamespace(name="opa", processes=50, memory=64, cpus=0.5)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_repair, "POLL", 0)


@pytest.mark.parametrize("refusal", ENDING)
def test_limits_are_set_again_whatever_the_refusal_of_an_ending_process(refusal: str) -> None:
    engine: Any = _Engine(refusal)
    container_repair._limit(engine, DECLARED)
    assert not engine.refusals


def test_a_refusal_that_stays_is_named() -> None:
    engine: Any = _Engine(*["no such memory"] * 9)
    with pytest.raises(ContainerFailed, match="opa: cannot set its limits: no such memory"):
        container_repair._limit(engine, DECLARED)
