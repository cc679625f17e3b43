"""Connections to a country's Redis."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def client(host: str, port: int, password: str, ca: str, timeout: float) -> redis.Redis:
    """Return a client that gives up after `timeout` seconds and does not retry; `ca` is PEM text."""
    return redis.Redis(
        host,
        port,
        password=password,
        ssl=True,
        ssl_ca_data=ca,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
