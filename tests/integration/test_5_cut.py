"""A country cuts a partner off, and takes it back."""

import re

import docker
import pytest

from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.login import login
from dive_infra.seeds.documents import identifier
from tests.coalition.country import Country
from tests.coalition.live import running

pytestmark = pytest.mark.timeout(600)


def test_a_partner_is_cut_off_within_seconds_and_restored(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """Its person is refused with a session and a token from before; nothing restarts anywhere."""
    before = running(docker_engine)
    usa.stack_file()
    person = "testuser-fra-1", fra.outputs()["test_user_password"], usa.outputs()["ca_certificate"]
    document = identifier(usa.names, 1)
    with login(usa.names, fra.names, *person) as session:
        assert session.document(document).status_code == 200
        done = usa.dive("cut", "FRA", "--at", "USA")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "proven: probe-fra-usa is refused" in done.stderr
        [seconds] = re.findall(r"has ended, ([0-9.]+) s after the command began", done.stderr)
        assert float(seconds) < 15, "five where nothing else runs"
        assert session.document(document).status_code in (401, 403)
    assert "FRA is cut off; to restore it: ./dive cut FRA --at USA --undo" in usa.dive("status", "USA").stdout
    with pytest.raises(LoginFailed), login(usa.names, fra.names, *person):
        pass
    undone = usa.dive("cut", "FRA", "--at", "USA", "--undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    with login(usa.names, fra.names, *person) as session:
        assert session.document(document).status_code == 200
    assert "cut off" not in usa.dive("status", "USA").stdout
    assert running(docker_engine) == before
