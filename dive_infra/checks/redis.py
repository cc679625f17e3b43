"""A country's Redis holds what is declared and what its version ships: users with their rights, and parameters.

Both are in memory only (the container cannot write its configuration file, and has no ACL file): a restart removes what
someone changed. One login, then one round trip.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256

import redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MaxConnectionsError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.utils import str_if_bytes

from dive_infra.catalog.datastores import redis_settings
from dive_infra.catalog.redis_shipped import REDIS_SHIPPED
from dive_infra.checks import objects
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.clients import redis as redis_client
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import first_line

SENTENCE = "Redis holds the declared user and settings, and no others"

_UP = Remedy.update()
_ABSENT = "none"
_USER = "default"
_RIGHTS = "~* &* +@all"
_SECRET = frozenset({"requirepass", "masterauth", "tls-key-file-pass", "tls-client-key-file-pass"})
_OTHER, _DECLARED = "another one", "the declared one"
_HASH = re.compile(r"#[0-9a-f]{64}")  # of a password, in a user's rules
_UNPROTECTED = "DENIED"  # what Redis answers from another address if no one needs a password
_MEGABYTES = re.compile(r"(\d+)mb")


def restart(names: Names) -> Remedy:
    """Return the remedy for what is in memory only: Redis reads its file again, and its data from the volume."""
    return Remedy.restart(names.country.code, "redis")


@contextmanager
def login(names: Names, password: str, ca: str) -> Iterator[redis.Redis]:
    """Yield a client; its errors, also those of the block, are raised as `CheckFailed` or `CheckUnknown`."""
    client = redis_client.client(names.published, names.port("redis"), password, ca, CHECK_REQUEST)
    try:
        yield client
    except AuthenticationError as error:
        raise CheckFailed(str(error), "a login", _UP, Code.DATABASE) from None
    except NoPermissionError as error:
        raise CheckFailed(str(error), "a login with every right", restart(names), Code.DATABASE) from None
    except ResponseError as error:
        if str(error).startswith(_UNPROTECTED):
            raise CheckFailed("no password", "one for the default user", restart(names), Code.DATABASE) from None
        raise CheckUnknown(f"Redis: {first_line(error)}") from None
    except (BusyLoadingError, MaxConnectionsError) as error:  # it answers, and cannot work at present
        raise CheckUnknown(f"Redis: {first_line(error)}") from None
    except RedisError as error:
        raise objects.unanswered(first_line(error), "an answer", _UP, Code.DATABASE) from None
    finally:
        client.close()


def holds(names: Names, password: str, ca: str) -> list[Finding]:
    """Return a finding for each user and parameter that differs, or one that none does."""
    with login(names, password, ca) as client, client.pipeline(transaction=False) as both:
        both.acl_list()
        both.config_get("*")
        listed, configuration = both.execute()
    users = [str_if_bytes(line) for line in listed]
    live = {str_if_bytes(name): str_if_bytes(value) for name, value in configuration.items()}
    off = [*differences_of_users(users, password, restart(names))]
    off += differences_of_settings(live, redis_settings(names.port("redis"), password), restart(names))
    return off or [Finding(SENTENCE, Verdict.VALID, found=f"{len(users)} user, {len(live)} settings", topic="redis")]


def differences_of_users(lines: Sequence[str], password: str, remedy: Remedy) -> Iterator[Finding]:
    """Yield a finding for each line of ACL LIST that is not the declared user's; hashes of passwords are not shown."""
    hashed = f"#{sha256(password.encode()).hexdigest()}"
    # Redis 7.0 does not state `sanitize-payload`, which is what it does.
    declared = {f"on {hashed} {_RIGHTS}", f"on sanitize-payload {hashed} {_RIGHTS}"}
    users = {_USER: _ABSENT}
    for line in lines:
        _, name, rules = line.split(" ", 2)
        users[name] = rules
    for name, rules in sorted(users.items()):
        if name != _USER:
            yield _finding(f"user {name}", _ABSENT, _shown(rules, hashed), remedy)
        elif rules not in declared:
            yield _finding(f"user {name}", f"on {_DECLARED} {_RIGHTS}", _shown(rules, hashed), remedy)


def differences_of_settings(live: Mapping[str, str], declared: Mapping[str, str], remedy: Remedy) -> Iterator[Finding]:
    """Yield a finding for each parameter that has neither the declared value nor, without one, the shipped value.

    A version that lacks a parameter does not answer it; an undeclared one that is not known here is a finding too.
    """
    wanted = {**{name: REDIS_SHIPPED.get(name) for name in live}, **declared}
    for name, value in sorted(wanted.items()):
        expected, found = _ABSENT if value is None else _canonical(value), live.get(name, _ABSENT)
        if value is not None and expected == found:
            continue
        if name in _SECRET:
            expected, found = (_DECLARED if expected else _ABSENT), (_OTHER if found else _ABSENT)
        yield _finding(f"setting {name}", expected or '""', found or '""', remedy)


def _shown(rules: str, hashed: str) -> str:
    """Return a user's rules with words for the hashes of passwords."""
    return _HASH.sub(_OTHER, rules.replace(hashed, _DECLARED))


def _canonical(value: str) -> str:
    """Return a value of redis.conf as CONFIG GET answers it."""
    if megabytes := _MEGABYTES.fullmatch(value):
        return str(int(megabytes[1]) * 1024 * 1024)
    return value.strip('"')


def _finding(subject: str, expected: str, found: str, remedy: Remedy) -> Finding:
    return Finding(
        f"{subject} of Redis is as declared", Verdict.INVALID, expected, found, remedy,
        code=Code.DATABASE, topic="redis", subject=f"{subject} of Redis",
    )  # fmt: skip
