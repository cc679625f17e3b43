"""The cache of policy decisions: one question to OPA while an answer is cached, one each time without Redis."""

from typing import Any

import redis

from dive_backend.decision_cache import LIFETIME_SECONDS, DecisionCache
from dive_common.decisions import Decision

ANSWER = Decision(allow=False, reason="too low", check="clearance", obligations=[1], details={"checks": {}})


class Store:
    """Redis as far as the cache uses it."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, int]] = {}

    def get(self, key: str) -> str | None:
        return self.rows[key][0] if key in self.rows else None

    def set(self, key: str, text: str, ex: int) -> None:
        self.rows[key] = (text, ex)


class Broken:
    """Redis that does not answer."""

    def get(self, key: str) -> str | None:
        raise redis.ConnectionError("refused")

    def set(self, key: str, text: str, ex: int) -> None:
        raise redis.ConnectionError("refused")


class Opa:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Decision:
        self.asked += 1
        return ANSWER


def _cache(store: Any) -> DecisionCache:
    return DecisionCache(store)


def test_a_cached_decision_is_not_asked_for_again_and_keeps_reason_and_check() -> None:
    store, opa = Store(), Opa()
    first, second = (_cache(store).decide({"subject": "a", "resource": 1}, opa) for _ in range(2))
    assert (first, opa.asked) == (ANSWER, 1)
    assert (second.allow, second.reason, second.check) == (False, "too low", "clearance")
    assert [seconds for _, seconds in store.rows.values()] == [LIFETIME_SECONDS]


def test_another_question_is_asked_and_the_order_of_its_keys_does_not_matter() -> None:
    cache, opa = _cache(Store()), Opa()
    for question in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3}):
        cache.decide(question, opa)
    assert opa.asked == 2


def test_without_redis_each_question_is_asked() -> None:
    cache, opa = _cache(Broken()), Opa()
    assert [cache.decide({"a": 1}, opa) for _ in range(2)] == [ANSWER, ANSWER]
    assert opa.asked == 2
