"""Enrolment, with a stack file that a stand-in for Pulumi's configuration commands writes in plain text."""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dive_infra.automation import enrolment
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.credentials import enrolled
from dive_infra.config.naming import Names
from dive_infra.membership import files, keys, request
from dive_infra.membership.refusals import NotEnrolled
from tests.support import members
from tests.support.plain_stack import Plain, write

Stack = Callable[..., Plain]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return partial(write, tmp_path)


def test_a_country_gets_its_keys_once_and_a_request_of_them(stack: Stack, tmp_path: Path) -> None:
    fra = stack("fra")
    assert enrolment.missing(fra, tmp_path)
    first = enrolment.enrol(fra, tmp_path)
    assert first.made == (*(c.name for c in enrolled(is_hub=False)), "members/fra.json")
    assert not enrolment.missing(fra, tmp_path)
    path = tmp_path / "members" / "fra.json"
    assert request.read(path.read_bytes(), path.name) == first.request
    before = path.read_bytes()
    again = enrolment.enrol(fra, tmp_path)
    assert (again.made, again.request, path.read_bytes()) == ((), first.request, before)
    assert "PRIVATE KEY" not in before.decode()


def test_a_changed_address_renews_the_request_and_keeps_the_keys(stack: Stack, tmp_path: Path) -> None:
    fra = stack("fra")
    first = enrolment.enrol(fra, tmp_path)
    fra.ask("config", "set", "dive:ports", json.dumps({"keycloak": 4711}))
    moved = enrolment.enrol(fra, tmp_path)
    assert moved.made == ("members/fra.json",)
    assert moved.request.endpoints["keycloak"].endswith(":4711")
    assert request.fingerprint(moved.request) == request.fingerprint(first.request), "people compare it once"


def test_a_request_that_someone_has_altered_is_replaced(stack: Stack, tmp_path: Path) -> None:
    fra = stack("fra")
    first = enrolment.enrol(fra, tmp_path)
    path = files.request_file("FRA", tmp_path)
    path.write_bytes(path.read_bytes().replace(b"idp.fra", b"idp.fro"))
    assert enrolment.enrol(fra, tmp_path).made == ("members/fra.json",)
    assert request.fingerprint(request.read(path.read_bytes(), path.name)) == request.fingerprint(first.request)


def test_where_the_hubs_stack_file_lies_the_coalition_key_is_pinned(stack: Stack, tmp_path: Path) -> None:
    usa, fra = stack("usa", spokes=["FRA"]), stack("fra")
    enrolment.enrol(usa, tmp_path)
    assert "coalitionKey" in enrolment.enrol(fra, tmp_path).made
    secret = usa.settings.secrets["coalition-key"].get_secret_value()
    assert fra.settings.coalition_key == keys.public_text(secret)


def test_elsewhere_nothing_is_pinned_that_no_one_has_compared(stack: Stack, tmp_path: Path) -> None:
    enrolment.enrol(fra := stack("fra"), tmp_path)
    assert fra.settings.coalition_key == ""


def test_a_stack_that_cannot_be_created_ends_it(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess((), 255, "", "error: incorrect passphrase")
    monkeypatch.setattr(Plain, "run", lambda *_, **__: failed)
    with pytest.raises(PulumiFailed, match="incorrect passphrase"):
        enrolment.enrol(stack("fra"), tmp_path)
    assert not (tmp_path / "members").exists()


def test_a_request_that_was_received_is_not_replaced(stack: Stack, tmp_path: Path) -> None:
    """At the hub, which has a stack file of France but not its keys."""
    members.write_request(tmp_path, Names(COUNTRIES["FRA"]))
    before = files.request_file("FRA", tmp_path).read_bytes()
    fra = stack("fra")
    assert not enrolment.missing(fra, tmp_path), "a deployment of the hub enrols no one else"
    with pytest.raises(NotEnrolled, match=r"(?s)the request of FRA, whose keys are not here.*rm members/fra.json"):
        enrolment.enrol(fra, tmp_path)
    assert files.request_file("FRA", tmp_path).read_bytes() == before
    assert not fra.settings.secrets


def test_a_request_of_other_keys_than_those_here_is_not_replaced(stack: Stack, tmp_path: Path) -> None:
    """An operator of the hub who once created keys of France has received the request of its own operator."""
    fra = stack("fra")
    enrolment.enrol(fra, tmp_path)
    members.write_request(tmp_path, Names(COUNTRIES["FRA"]))
    before = files.request_file("FRA", tmp_path).read_bytes()
    with pytest.raises(NotEnrolled, match="the request of FRA, whose keys are not here"):
        enrolment.enrol(fra, tmp_path)
    assert files.request_file("FRA", tmp_path).read_bytes() == before
