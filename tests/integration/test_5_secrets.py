"""Nothing that this coalition has printed, shown or written contains a secret."""

from pathlib import Path
from zlib import decompressobj

import docker
import pytest

from dive_infra.config.countries import parse
from dive_infra.config.credentials import Credential, own
from dive_infra.config.paths import ROOT
from dive_infra.crypto import pki
from dive_infra.membership.enrolment import new_keys
from dive_infra.orchestration.states import Phase
from dive_infra.seeds.store import connect
from tests.coalition import checkout
from tests.coalition.country import NAMESPACE, Country
from tests.coalition.live import documents, runs, secrets, skipped, told
from tests.integration.edits import ROTATED
from tests.integration.seen import command_lines, on_the_engine, shown
from tests.support import members, pulumi_folder

pytestmark = pytest.mark.timeout(1500)

ALONE = {"dive:namespace": "testsecrets"}  # previews that meet no coalition, whoever deploys beside them
ENCRYPTED = b"PLOG"  # the start of such a log


@pytest.fixture(scope="module")
def known(usa: Country, fra: Country) -> set[str]:
    """Every secret of the coalition so far: generated, granted, or given."""
    return secrets(usa) | secrets(fra) | usa.secrets | fra.secrets | {*ROTATED.values()}


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Pulumi keeps logs of its runs; the others of this session keep none."""
    return pulumi_folder.with_logs(tmp_path_factory.mktemp("logging"))


def test_one_invalid_phase_runs_again_among_valid_ones_and_the_list_of_processes_shows_no_secret(
    usa: Country, fra: Country, known: set[str], logging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(logging))
    proven = runs(fra)
    with connect(documents(fra)) as database:
        database["resources"].delete_one({"_id": min(d["_id"] for d in database["resources"].find({}, {"_id": True}))})
    with command_lines() as lines:
        run = fra.up()
    assert run.ok, told(run)
    again = {Phase.SEEDING, Phase.VERIFICATION}  # the latter depends on all others
    assert skipped(run) == [phase for phase in Phase if phase not in again], told(run)
    after = runs(fra)
    assert {phase for phase in Phase if after[phase] != proven[phase]} == again
    assert any("pulumi up" in line for line in lines), "else nothing was seen"
    assert shown(known, "\n".join(lines)) == []


def test_no_secret_was_printed_by_any_run_before(usa: Country, fra: Country, known: set[str]) -> None:
    """Previews, updates, refused and failed ones, refreshes and a destroy."""
    for country in (usa, fra):
        assert country.printed, "else nothing would be searched"
        assert shown(known, "\n".join(country.printed)) == []


def test_no_secret_is_shown_by_the_engine(docker_engine: docker.DockerClient, known: set[str]) -> None:
    for what, text in on_the_engine(docker_engine):
        assert shown(known, text) == [], what


def test_no_secret_is_in_a_file_that_a_run_leaves(usa: Country, fra: Country, known: set[str]) -> None:
    """Reports, what is kept beside the program, and the state, which is encrypted."""
    reports = {p.name: p.read_bytes() for p in ROOT.glob(f"verification-report-{NAMESPACE}-*.json")}
    assert len(reports) == 2
    for name, content in {**reports, **checkout.contents(usa.home), **checkout.contents(ROOT / ".dive")}.items():
        if name != "passphrase":
            assert shown(known, content.decode(errors="replace")) == [], name


def test_no_secret_is_in_the_logs_that_pulumi_keeps_of_its_runs(
    fra: Country, known: set[str], logging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of runs with a stack are encrypted with the stack's key, the others compressed."""
    monkeypatch.setenv("PULUMI_HOME", str(logging))
    fra.pulumi("stack", "export", "--show-secrets")
    logs = {path.name: path.read_bytes() for path in (logging / "logs").glob("*.log")}
    assert {content.startswith(ENCRYPTED) for content in logs.values()} == {True, False}, "else it keeps none any more"
    for name, content in logs.items():
        if not content.startswith(ENCRYPTED):
            text = decompressobj(wbits=31).decompress(content)  # it may be cut off
            assert shown(known, text.decode(errors="replace")) == [], name


def canary(credential: Credential) -> str:
    if credential.kind in pki.KEYS:
        return new_keys([credential])[credential.name]
    return f"Canary-{credential.name}-0123456789-0123456789!"


@pytest.mark.parametrize(("code", "form"), [("USA", "--diff"), ("FRA", "--json")])
def test_every_secret_that_can_be_given_is_hidden_in_a_preview(
    code: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    country = Country(code, tmp_path, {**ALONE})
    country.create()
    planted = {c.name: canary(c) for c in own(country.settings.is_hub)}
    country.give(planted)
    country.configuration |= {} if code == "USA" else {"dive:coalitionKey": members.coalition_key()}
    countries = [country.names.of(parse(c)) for c in ("USA", "FRA")]
    members.write(tmp_path, *countries, given={code: planted})
    done = country.pulumi("preview", form, "--color", "never")
    assert "redis-files" in done.stdout
    assert not [name for name in planted if f"::secret-{name}" in done.stdout], "given ones are not generated"
    written = "".join(content.decode(errors="replace") for content in checkout.contents(tmp_path).values())
    assert shown({*planted.values()}, done.stdout + done.stderr + written) == []


@pytest.mark.parametrize("flaw", ["a-short-canary", "a canary ' with a quote", "password-canary-0123456789"])
def test_a_refused_secret_is_not_shown(flaw: str, tmp_path: Path) -> None:
    country = Country("USA", tmp_path, {**ALONE})
    country.init()
    country.give({"redis": flaw})
    run = country.preview()
    assert not run.ok
    assert "dive:secrets.redis" in run.messages
    assert shown({flaw}, run.shown) == []


def test_a_secret_in_plain_text_is_refused(tmp_path: Path) -> None:
    """Pulumi itself would keep it so in the state, and show it."""
    country = Country("USA", tmp_path, {**ALONE, "dive:secrets": {"redis": "plain-canary-0123456789"}})
    country.init()
    run = country.preview()
    assert not run.ok
    assert "dive:secrets is stored in plain text" in run.messages
    assert "plain-canary-0123456789" not in run.messages
