"""Decisions remembered for some seconds in Redis, for lists. Without Redis, each one is asked for again."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import redis

from dive_common.decisions import Decision
from dive_common.settings import Files, variable

log = logging.getLogger("dive.memory")

SECONDS = 10
PATIENCE = 3.0  # seconds


def connect(files: Files) -> redis.Redis:
    """Redis at `REDIS_URL` (`rediss://host:port/0`, the password in its file); connects when first used."""
    return redis.Redis.from_url(
        variable("REDIS_URL"),
        password=files.secret("redis-password"),
        ssl_ca_certs=str(files.path("ca.pem")),
        ssl_check_hostname=True,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        decode_responses=True,
    )


class Memory:
    """Answers a question from Redis, or asks and remembers; its `allow`, `reason` and `check` are kept."""

    def __init__(self, store: redis.Redis) -> None:
        self._store = store

    def decide(self, question: Mapping[str, Any], ask: Callable[[], Decision]) -> Decision:
        """The decision on `question` (all that it may depend on, as JSON), at most `SECONDS` old."""
        key = f"decision:{hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()}"
        known = self._recall(key)
        if known is not None:
            return Decision(**known)
        decision = ask()
        answer = {"allow": decision.allow, "reason": decision.reason, "check": decision.check}
        self._keep(key, json.dumps(answer))
        return decision

    def _recall(self, key: str) -> dict[str, Any] | None:
        try:
            text = self._store.get(key)
        except redis.RedisError as error:  # memory saves time only; health tells that it is gone
            log.warning("decisions cannot be recalled: %s", error)
            return None
        return json.loads(text) if isinstance(text, str) else None

    def _keep(self, key: str, text: str) -> None:
        try:
            self._store.set(key, text, ex=SECONDS)
        except redis.RedisError as error:
            log.warning("decisions cannot be kept: %s", error)
