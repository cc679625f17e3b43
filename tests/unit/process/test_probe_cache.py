"""Results of probes that a process shares for a while."""

import pytest

from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.dynamic.runtime.context import RunContext
from dive_infra.process.probe_cache import ProbeCache


class Looked:
    """Counts the looks."""

    times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def test_every_probe_runs_each_time_unless_a_process_shares_them() -> None:
    cache, look = ProbeCache(), Looked()
    assert [cache.get("a", look), cache.get("a", look)] == [1, 2]
    cache.enable(60)
    assert [cache.get("a", look), cache.get("a", look), cache.get("b", look)] == [3, 3, 4]


def test_a_result_is_kept_for_a_while() -> None:
    now = [1000.0]
    cache, look = ProbeCache(10, lambda: now[0]), Looked()
    assert cache.get("a", look) == 1
    now[0] += 9
    assert cache.get("a", look) == 1
    now[0] += 2
    assert cache.get("a", look) == 2


def test_an_error_is_not_kept() -> None:
    cache = ProbeCache(60)

    def fails() -> int:
        raise OSError("no answer")

    with pytest.raises(OSError, match="no answer"):
        cache.get("a", fails)
    assert cache.get("a", Looked()) == 1


class Changing(Provider):
    deploys = False

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return "made", {}

    def delete_resource(self, before: Inputs) -> None:
        return None


@pytest.mark.parametrize("change", ["create", "update", "delete"])
def test_the_first_change_of_a_run_ends_it(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, look = ProbeCache(60), Looked()
    monkeypatch.setattr(Provider, "run", RunContext(probes=cache))
    assert cache.get("a", look) == 1
    arguments = {"create": ({},), "update": ("id", {}, {}), "delete": ("id", {})}[change]
    getattr(Changing(), change)(*arguments)
    assert [cache.get("a", look), cache.get("a", look)] == [2, 3]
