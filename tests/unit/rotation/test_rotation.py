"""Where new secrets come from, what is refused, and what a failure half-way leaves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest

from dive_infra.checks import objects
from dive_infra.checks.runner import CheckUnknown
from dive_infra.config.countries import HUB, Country, parse
from dive_infra.config.credentials import PROBES, own
from dive_infra.config.naming import Names
from dive_infra.config.settings import load
from dive_infra.identity import https
from dive_infra.identity.browser import LoginFailed
from dive_infra.rotation import rotation, sources
from dive_infra.rotation.rotation import PartlyRotated, RolledBack, Rotation, SecretChange
from dive_infra.rotation.targets import CountryServers, RotationFailed, Target, targets
from tests.support.google import secret_manager

FRA = parse("FRA")
SPOKE, OF_HUB = own(is_hub=False), own(is_hub=True)
AT_FRA, AT_HUB = load("fra", {"dive:partners": ["DEU"]}), load("usa", {"dive:spokes": ["FRA"], "dive:testUsers": True})


@pytest.mark.parametrize(
    ("name", "variable", "spoke", "hub"),
    [
        ("postgres-superuser", "POSTGRES_PASSWORD_FRA", "dive-v3-postgres-password-fra", "dive-v3-postgres-usa"),
        ("mongodb", "MONGO_PASSWORD_FRA", "dive-v3-mongo-password-fra", "dive-v3-mongodb-usa"),
        ("redis", "REDIS_PASSWORD_FRA", "dive-v3-redis-password-fra", "dive-v3-redis-password-usa"),
        (
            "keycloak-admin",
            "KEYCLOAK_ADMIN_PASSWORD_FRA",
            "dive-v3-keycloak-admin-password-fra",
            "dive-v3-keycloak-usa",
        ),
        (
            "portal-client",
            "KEYCLOAK_CLIENT_SECRET_FRA",
            "dive-v3-keycloak-client-secret-fra",
            "dive-v3-keycloak-client-secret",
        ),
        ("portal-session", "AUTH_SECRET_FRA", "dive-v3-auth-secret-fra", "dive-v3-auth-secret-usa"),
        ("test-users", "TEST_USER_PASSWORD_FRA", "dive-v3-test-user-password", "dive-v3-test-user-password"),
        ("keycloak-db", "KEYCLOAK_DB_FRA", "dive-v3-keycloak-db-fra", "dive-v3-keycloak-db-usa"),
    ],
)
def test_a_secret_is_called_outside_as_in_dive_v3(name: str, variable: str, spoke: str, hub: str) -> None:
    assert sources.variable_name(name, FRA) == variable
    assert sources.google_name(name, FRA) == spoke
    assert sources.google_name(name, HUB) == hub


@pytest.mark.parametrize("country", [FRA, HUB])
def test_no_two_secrets_of_a_country_are_called_the_same_outside(country: object) -> None:
    place = parse(getattr(country, "code"))  # noqa: B009
    names = [c.name for c in (*own(place.is_hub), *PROBES.values())]
    assert len({sources.variable_name(n, place) for n in names}) == len(names)
    assert len({sources.google_name(n, place) for n in names}) == len(names)


def test_generated_secrets_are_accepted_and_never_twice_the_same() -> None:
    rotatable = rotation.rotatable(AT_HUB)
    one, other = (sources.generated(rotatable) for _ in range(2))
    assert one.keys() == {c.name for c in rotatable}
    assert not rotation.flaws(one, AT_HUB)
    assert not set(one.values()) & set(other.values())


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("REDIS_PASSWORD_FRA=plain-value-0123456789", "plain-value-0123456789"),
        ("export REDIS_PASSWORD_FRA='si$gle ${HOME} quoted'", "si$gle ${HOME} quoted"),
        ('REDIS_PASSWORD_FRA="with \\"quotes\\" and $DOLLAR"', 'with "quotes" and $DOLLAR'),
        ('REDIS_PASSWORD_FRA="two\nlines"', "two\nlines"),
        ("REDIS_PASSWORD_FRA=a/b&c|d  # said aside", "a/b&c|d"),
        ("REDIS_PASSWORD_FRA=$HOME${PATH}", "$HOME${PATH}"),
    ],
)
def test_an_environment_file_is_read_as_it_is_written(tmp_path: Path, line: str, value: str) -> None:
    file = tmp_path / "fra.env"
    file.write_text(f"# FRA\nAPP_URL=https://x\n{line}\nREDIS_PASSWORD_USA=of-another-country\n")
    assert sources.from_file(file, SPOKE, FRA) == {"redis": value}


def test_a_missing_file_is_reported_with_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(sources.SourceError, match="expected lines such as REDIS_PASSWORD_FRA="):
        sources.from_file(tmp_path / "none.env", SPOKE, FRA)


def test_googles_secret_manager_is_asked_for_the_latest_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {
        "dive-v3-redis-password-fra": b"from-google-redis-0123456789\n",
        "dive-v3-mongo-password-fra": b"from-google-mongo-0123456789",
        "dive-v3-redis-password-deu": b"of-another-country",
    }
    with secret_manager("dive25", held) as address:
        monkeypatch.setenv(sources.EMULATOR, address)
        found = sources.from_google("dive25", SPOKE, FRA)
        assert found == {"redis": "from-google-redis-0123456789", "mongodb": "from-google-mongo-0123456789"}
        with pytest.raises(sources.SourceError, match=r"Permission denied on project other.*next: gcloud"):
            sources.from_google("other", SPOKE, FRA)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("short", "has 5 characters, expected at least 16"),
        ("changeme-0123456789", "starts with a well-known word"),
        ("with space 0123456789", "has a character that is not accepted"),
        ("", "has 0 characters"),
    ],
)
def test_a_weak_secret_is_refused_without_being_shown(value: str, why: str) -> None:
    [told] = rotation.flaws({"redis": value}, AT_FRA)
    assert told.startswith(f"redis {why}")
    assert not value or value not in told


def test_what_cannot_be_changed_is_refused_with_the_reason() -> None:
    assert "keys of existing documents" in rotation.refusal("kas-key", AT_FRA)
    assert "./dive rotate-keys replaces it in steps, with --begin" in rotation.refusal("sealing-key", AT_FRA)
    assert "is not a secret of this country; expected one of" in rotation.refusal("opal-master", AT_FRA)
    assert rotation.refusal("opal-master", AT_HUB) == ""


def test_a_country_rotates_the_passwords_of_the_people_whom_it_has() -> None:
    people = [{c.name for c in rotation.rotatable(s) if c.kind == "login"} for s in (AT_FRA, AT_HUB)]
    assert people == [{"probe-fra", "probe-usa", "probe-deu"}, {"test-users", "probe-usa", "probe-fra"}]
    for settings in (AT_FRA, AT_HUB):
        assert {c.name for c in rotation.rotatable(settings)} <= {*rotation.NAMES}


@pytest.mark.parametrize(
    ("name", "username"),
    [("probe-fra", "probe-fra-fra"), ("probe-usa", "probe-fra-usa"), ("test-users", "testuser-fra-1")],
)
def test_the_password_of_a_person_is_verified_at_the_own_portal(
    monkeypatch: pytest.MonkeyPatch, name: str, username: str
) -> None:
    tried: list[tuple[str, str]] = []

    @contextmanager
    def login(_here: Names, _home: Names, who: str, password: str, _ca: str) -> Iterator[None]:
        tried.append((who, password))
        if password == "old":
            raise LoginFailed("login", "idp", "a session", "Invalid username or password")
        if who.startswith("probe"):
            raise LoginFailed("session", "portal", "200", "403: proves another link", check="federation")
        yield

    monkeypatch.setattr("dive_infra.rotation.targets.login", login)
    target, at = targets(is_hub=False)[name], CountryServers(Names(FRA), "", {})
    assert target.verify(at, "new")
    assert not target.verify(at, "old")
    assert not target.rotates, "the update sets it"
    assert tried == [(username, "new"), (username, "old")]


def test_secrets_in_force_are_read_from_the_state_however_they_are_wrapped() -> None:
    def state(values: object) -> dict[str, object]:
        of_grant = {"type": "dive:components:Secrets", "urn": "urn::approval-fra", "outputs": {"values": {"x": "y"}}}
        own_ = {"type": "dive:components:Secrets", "urn": "urn::secret", "outputs": {"values": values}}
        given = {"plaintext": '{"USA":"p"}'}
        people = {"type": "pulumi-python:dynamic/dive:ProbePersons", "urn": "urn::p", "outputs": {"given": given}}
        return {"deployment": {"resources": [of_grant, own_, people]}}

    assert rotation.secrets_in_force(state({"plaintext": '{"redis":"r"}'})) == {"redis": "r", "probe-usa": "p"}
    assert rotation.secrets_in_force(state({"redis": {"plaintext": '"r"'}})) == {"redis": "r", "probe-usa": "p"}
    assert rotation.secrets_in_force({"deployment": None}) == {}


@pytest.mark.parametrize("country", [FRA, HUB])
def test_each_token_of_opa_is_verified_by_what_its_holder_may_do(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.headers['authorization']}: {request.method} {request.url.path}")
        return httpx.Response(401 if request.headers["authorization"] == "Bearer old" else 200)

    monkeypatch.setattr(https, "client", lambda *_: httpx.Client(transport=httpx.MockTransport(answer)))
    at = CountryServers(Names(country), "", {})
    of_opa = {name: target for name, target in targets(country.is_hub).items() if name.startswith("opa-")}
    assert of_opa.keys() == {c.name for c in own(country.is_hub) if c.name.startswith("opa-")}
    for name, target in of_opa.items():
        assert target.verify(at, name)
        assert not target.verify(at, "old")
        assert str(target.mend(at)) == f"./dive restart {country.code} opa"
        assert not target.rotates, "its containers are replaced"
    assert asked[::2] == [
        "Bearer opa-token: POST /v1/data/national/answer",
        "Bearer opa-read: GET /v1/data/dive/none",
    ]


class Server(Target):
    """Accepts one value; a `stubborn` one cannot be changed, and with `only_once` it can be changed only once."""

    def __init__(self, value: str, stubborn: bool = False, only_once: bool = False) -> None:
        self.value, self.stubborn, self.only_once = value, stubborn, only_once

    def verify(self, at: CountryServers, value: str) -> bool:
        return value == self.value

    def rotate(self, at: CountryServers, old: str, new: str) -> None:
        if self.stubborn or old != self.value:
            raise RotationFailed("read-only")
        self.value, self.stubborn = new, self.only_once


def rotating(monkeypatch: pytest.MonkeyPatch, **servers: Server) -> Rotation:
    monkeypatch.setattr(rotation, "targets", lambda is_hub: servers)
    changes = [SecretChange(name, "old", "new") for name in servers]
    return Rotation(CountryServers(Names(FRA), "", dict.fromkeys(servers, "old")), changes, is_hub=False)


def test_every_server_is_changed_and_one_changed_before_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {"a": Server("old"), "b": Server("new", stubborn=True)}
    run = rotating(monkeypatch, **servers)
    assert run.check().verdict == "valid"
    run.rotate(lambda _: None)
    assert {s.value for s in servers.values()} == {"new"}
    assert run.at.secrets == {"a": "new", "b": "new"}


def test_a_server_that_cannot_be_changed_reverts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {"a": Server("old"), "b": Server("old"), "c": Server("old", stubborn=True)}
    run = rotating(monkeypatch, **servers)
    with pytest.raises(RolledBack, match="c: read-only"):
        run.rotate(lambda _: None)
    assert {s.value for s in servers.values()} == {"old"}
    assert set(run.at.secrets.values()) == {"old"}


def test_a_server_that_cannot_be_reverted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {"a": Server("old", only_once=True), "b": Server("old"), "c": Server("old", stubborn=True)}
    run = rotating(monkeypatch, **servers)
    with pytest.raises(PartlyRotated, match=r"could not be reverted: a \(read-only\)"):
        run.rotate(lambda _: None)
    assert [s.value for s in servers.values()] == ["new", "old", "old"]


def test_a_server_that_accepts_neither_value_is_found_before_any_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = rotating(monkeypatch, a=Server("third"))
    [found] = run.check().findings
    assert (found.verdict, str(found.remedy)) == ("invalid", "./dive up FRA")
    assert "was restored from before a change" in found.found


def test_every_server_that_keeps_its_secret_with_its_data_has_a_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no login leads in, around the login; elsewhere by the account that is above it."""
    engine = Mock()
    engine.offline_command.side_effect = lambda name, script: f"offline {name}"
    engine.command_in.return_value = "in"
    monkeypatch.setattr(objects, "connect", lambda: engine)
    at = CountryServers(Names(FRA), "", {})
    way = {name: target.mend(at).command("FRA") for name, target in targets(is_hub=False).items()}
    assert way["postgres-superuser"] == "offline dive-fra-postgres, then: ./dive up FRA"
    assert way["mongodb"] == "offline dive-fra-mongodb, then: ./dive up FRA"
    assert way["keycloak-admin"].endswith("./dive restart FRA keycloak, then: ./dive up FRA")
    assert way["keycloak-db"].startswith("./dive up FRA (the superuser gives it")
    assert way["portal-client"] == "./dive up FRA"
    assert way["redis"] == "./dive restart FRA redis"


def test_a_server_that_does_not_answer_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(Server):
        def verify(self, at: CountryServers, value: str) -> bool:
            raise CheckUnknown("no answer")

    assert rotating(monkeypatch, a=Mute("old")).check().verdict == "unknown"


def test_an_old_secret_that_is_still_accepted_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    class Open(Server):
        def verify(self, at: CountryServers, value: str) -> bool:
            return True

    assert rotating(monkeypatch, a=Open("old")).verify().verdict == "invalid"
    assert rotating(monkeypatch, a=Server("new")).verify().verdict == "valid"
    assert rotating(monkeypatch, a=Server("old")).verify().verdict == "invalid"


def test_accounts_that_change_others_are_changed_last() -> None:
    at = CountryServers(Names(FRA), "", dict.fromkeys(("postgres-superuser", "redis", "keycloak-db"), "old"))
    values = dict.fromkeys(("postgres-superuser", "redis", "keycloak-db"), "new")
    assert [c.name for c in Rotation.of(at, values, is_hub=False).changes][-1] == "postgres-superuser"
