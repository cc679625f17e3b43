"""A cache of policy decisions in Redis, for lists of documents. Without Redis, OPA is asked each time."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import redis

from dive_common.decisions import Decision
from dive_common.settings import ServiceFiles, variable

log = logging.getLogger("dive.decision_cache")

LIFETIME_SECONDS = 10
TIMEOUT_SECONDS = 3.0


def connect(files: ServiceFiles) -> redis.Redis:
    """Return a client of `REDIS_URL` (`rediss://host:port/0`, password in its file); it connects on first use."""
    return redis.Redis.from_url(
        variable("REDIS_URL"),
        password=files.secret("redis-password"),
        ssl_ca_certs=str(files.path("ca.pem")),
        ssl_check_hostname=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        decode_responses=True,
    )


class DecisionCache:
    """Keeps `allow`, `reason` and `check` of each decision for `LIFETIME_SECONDS`."""

    def __init__(self, store: redis.Redis) -> None:
        self._store = store

    def decide(self, question: Mapping[str, Any], ask: Callable[[], Decision]) -> Decision:
        """Return the cached decision on `question` (all that it depends on, as JSON), or ask for one and cache it."""
        key = f"decision:{hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()}"
        cached = self._read(key)
        if cached is not None:
            return Decision(**cached)
        decision = ask()
        answer = {"allow": decision.allow, "reason": decision.reason, "check": decision.check}
        self._write(key, json.dumps(answer))
        return decision

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            text = self._store.get(key)
        except redis.RedisError as error:  # the cache only saves time; the health endpoint reports its loss
            log.warning("cached decisions cannot be read: %s", error)
            return None
        return json.loads(text) if isinstance(text, str) else None

    def _write(self, key: str, text: str) -> None:
        try:
            self._store.set(key, text, ex=LIFETIME_SECONDS)
        except redis.RedisError as error:
            log.warning("a decision cannot be cached: %s", error)
