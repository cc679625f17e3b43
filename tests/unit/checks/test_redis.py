"""What a Redis holds beside its declaration, from its answers."""

from hashlib import sha256

import pytest

from dive_infra.catalog.datastores import redis_settings
from dive_infra.catalog.redis_shipped import REDIS_SHIPPED
from dive_infra.checks import redis
from dive_infra.results.finding import Finding
from tests.unit.checks.specs import FRANCE, SECRET

HASHED = f"#{sha256(SECRET.encode()).hexdigest()}"
OTHER = f"#{sha256(b'other').hexdigest()}"
DEFAULT = f"user default on sanitize-payload {HASHED} ~* &* +@all"
DECLARED = redis_settings(6379, SECRET)
LIVE = {**REDIS_SHIPPED, **DECLARED, "tls-protocols": "TLSv1.2 TLSv1.3", "maxmemory": "134217728"}
RESTART = redis.restart(FRANCE)


def settings(**changed: str) -> list[Finding]:
    live = LIVE | {name.replace("_", "-"): value for name, value in changed.items()}
    return list(redis.differences_of_settings(live, DECLARED, RESTART))


def users(*lines: str) -> list[Finding]:
    return list(redis.differences_of_users(lines, SECRET, RESTART))


def test_every_declared_setting_is_one_that_redis_knows() -> None:
    assert DECLARED.keys() - REDIS_SHIPPED.keys() == {"dir"}  # it ships with the working directory of the process


def test_what_is_declared_and_what_redis_ships_is_valid() -> None:
    assert settings() == []
    assert users(DEFAULT) == []
    assert users(DEFAULT.replace("sanitize-payload ", "")) == []  # Redis 7.0


@pytest.mark.parametrize("name", sorted({*REDIS_SHIPPED, "dir"}))
def test_every_changed_setting_is_a_finding_that_a_restart_resolves(name: str) -> None:
    [found] = redis.differences_of_settings(LIVE | {name: "changed"}, DECLARED, RESTART)
    assert found.subject == f"setting {name} of Redis"
    assert str(found.remedy) == "./dive restart FRA redis"
    assert SECRET not in str(found)


def test_a_setting_that_is_missing_or_not_known_is_a_finding() -> None:
    assert [f.found for f in settings(appendonly="no", module_size="7")] == ["no", "7"]
    assert [f.found for f in settings(module_size="none")] == ["none"], "also with the word for what is not there"
    without = {name: value for name, value in LIVE.items() if name != "appendonly"}
    [missing] = redis.differences_of_settings(without, DECLARED, RESTART)
    assert (missing.expected, missing.found) == ("yes", "none")


def test_a_value_is_shown_and_a_password_is_not() -> None:
    [found] = settings(save="")
    assert (found.expected, found.found) == ("3600 1 300 100 60 10000", '""')
    [found] = settings(requirepass="")
    assert (found.expected, found.found) == ("the declared one", "none")
    [found] = settings(masterauth="secret")
    assert (found.expected, found.found) == ("none", "another one")


@pytest.mark.parametrize(
    ("lines", "subject", "found"),
    [
        ([DEFAULT, "user backdoor on nopass ~* &* +@all"], "user backdoor of Redis", "on nopass ~* &* +@all"),
        (
            [DEFAULT, f"user shadow off {OTHER} resetchannels -@all (~a +get)"],
            "user shadow of Redis",
            "off another one resetchannels -@all (~a +get)",
        ),
        ([DEFAULT.replace(HASHED, "nopass")], "user default of Redis", "on sanitize-payload nopass ~* &* +@all"),
        (
            [DEFAULT.replace(HASHED, f"{HASHED} {OTHER}")],
            "user default of Redis",
            "on sanitize-payload the declared one another one ~* &* +@all",
        ),
        (
            [DEFAULT + " -flushall"],
            "user default of Redis",
            "on sanitize-payload the declared one ~* &* +@all -flushall",
        ),
        ([], "user default of Redis", "none"),
    ],
)
def test_another_user_and_another_right_is_a_finding(lines: list[str], subject: str, found: str) -> None:
    [finding] = users(*lines)
    assert (finding.subject, finding.found) == (subject, found)
    assert str(finding.remedy) == "./dive restart FRA redis"
