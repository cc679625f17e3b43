"""A preview works with the live system, with its state alone, and with neither; and it never writes."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import jsonschema
import pytest
from psycopg import sql

from dive_infra.config.paths import ROOT
from dive_infra.engines.docker.containers import await_healthy
from dive_infra.orchestration import connection
from dive_infra.orchestration.states import Phase
from tests.coalition import checkout
from tests.coalition.country import NAMESPACE, Country
from tests.coalition.live import secrets, specification
from tests.integration.seen import shown

pytestmark = pytest.mark.timeout(1500)

# What makes Pulumi and the providers print the bodies of their requests.
LOUD = {
    "PULUMI_OPTION_LOGTOSTDERR": "true",
    "PULUMI_OPTION_VERBOSE": "9",
    "PULUMI_OPTION_SHOW_SECRETS": "true",
    "TF_LOG": "TRACE",
}


@pytest.fixture(scope="module")
def tree(usa: Country, fra: Country, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose stack files are those of the coalition under test."""
    place = checkout.copy(tmp_path_factory.mktemp("tree") / "dive")
    for country in (usa, fra):
        (place / f"Pulumi.{country.stack}.yaml").write_bytes(country.stack_file().read_bytes())
    shutil.copytree(usa.home / "members", place / "members")
    for report in ROOT.glob(f"verification-report-{NAMESPACE}-*.json"):
        shutil.copy(report, place)
    return place


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the stack files of a coalition that was never deployed."""
    place = checkout.copy(tmp_path_factory.mktemp("fork") / "dive")
    for code in ("USA", "FRA"):
        file = Country(code, tmp_path_factory.mktemp(code)).stack_file()
        (place / file.name).write_bytes(file.read_bytes())
    return place


@pytest.fixture
def untouched(tree: Path, usa: Country, docker_engine: docker.DockerClient) -> Iterator[None]:
    """Afterwards everything is as it was: state, record, engine, reports and checkout."""
    before = written(tree, usa, docker_engine)
    yield
    after = written(tree, usa, docker_engine)
    for what, was in before.items():
        assert after[what] == was, f"{what} changed"


def written(tree: Path, usa: Country, client: docker.DockerClient) -> dict[str, Any]:
    found: dict[str, Any] = {
        "state": checkout.contents(usa.home),
        "checkout": checkout.contents(tree),
        "reports": {p.name: p.read_bytes() for p in ROOT.glob(f"verification-report-{NAMESPACE}-*.json")},
        "containers": {c.id: c.attrs["State"] for c in _labelled(client.containers, all=True)},
        # `CreatedAt` is when something in its folder was last created.
        "volumes": {v.id: {**v.attrs, "CreatedAt": ""} for v in _labelled(client.volumes)},
        "networks": {n.id for n in _labelled(client.networks)},
    }
    for container in found["containers"].values():
        container.pop("Health", None)  # the engine's own looks
    with connection.connect(specification(usa, Phase.DEPLOYMENT).store) as record:
        tables = [t for (t,) in record.execute("SELECT relname FROM pg_stat_user_tables").fetchall()]
        assert "audit_log" in tables
        for table in tables:
            [(rows, latest)] = record.execute(
                sql.SQL("SELECT count(*), max(xmin::text::bigint) FROM {}").format(sql.Identifier(table))
            ).fetchall()
            found[f"table {table}"] = (rows, latest)
    return found


def _labelled(kind: Any, **more: Any) -> list[Any]:
    return list(kind.list(filters={"label": f"dive.namespace={NAMESPACE}"}, **more))


def planned(done: subprocess.CompletedProcess[str], file: Path) -> dict[str, dict[str, Any]]:
    """Return the plans by country, valid by the schema."""
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stdout + done.stderr
    found = json.loads(file.read_text())
    jsonschema.validate(found, json.loads((ROOT / "schemas" / "preview.json").read_text()))
    return {plan["country"]: plan for plan in found["plans"]}


def test_with_the_live_system_it_shows_what_heals_and_no_secret_at_any_log_level(
    tree: Path, usa: Country, fra: Country, docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    container = docker_engine.containers.get(fra.names.container("frontend"))
    container.stop()
    try:
        before = written(tree, usa, docker_engine)
        files = ["--json", str(tmp_path / "plan.json"), "--markdown", str(tmp_path / "plan.md")]
        environment = fra.environment | LOUD | {"DIVE_STACKS": str(tree)}
        done = checkout.dive(tree, "preview", "FRA", *files, environment=environment)
        plans = planned(done, tmp_path / "plan.json")
        after = written(tree, usa, docker_engine)
    finally:
        container.start()
        await_healthy(docker_engine, container.name or "", 120)
    assert {k for k in before if before[k] != after[k]} == set()
    spoke = plans["FRA"]
    assert spoke["situation"] == "live"
    verdicts = {p["phase"]: p for p in spoke["phases"]}
    assert verdicts["DEPLOYMENT"]["verdict"] == "again"
    others = [p for phase, p in verdicts.items() if phase not in ("DEPLOYMENT", "VERIFICATION")]
    assert [p["verdict"] for p in others] == ["skipped"] * 4
    assert all(p["evidence"] for p in others)
    changes = {c["name"]: c for c in verdicts["DEPLOYMENT"]["changes"]}
    assert changes.keys() == {"frontend-gate", "deployment-checkpoint"}
    assert "stopped" in changes["frontend-gate"]["why"][0]
    known = secrets(usa) | secrets(fra)
    printed = done.stdout + done.stderr + (tmp_path / "plan.json").read_text() + (tmp_path / "plan.md").read_text()
    assert shown(known, printed) == []
    (left_out,) = [line for line in done.stderr.splitlines() if line.startswith("dive: left out ")]
    assert all(name in left_out for name in LOUD), left_out


def test_with_the_state_alone_each_phase_says_in_one_line_what_it_could_not_look_at(
    tree: Path, fra: Country, tmp_path: Path, untouched: None
) -> None:
    """Nothing on this machine's ports can be reached, and no engine answers."""
    file = tmp_path / "plan.json"
    nowhere = fra.environment | {"DOCKER_HOST": "unix:///nowhere/docker.sock", "DIVE_STACKS": str(tree)}
    done = checkout.dive(tree, "preview", "FRA", "--json", str(file), environment=nowhere, alone=True)
    for plan in planned(done, file).values():
        assert plan["situation"] == "state"
        assert plan["changes"] == {"create": 0, "update": 0, "replace": 0, "delete": 0}, plan
        for phase in plan["phases"]:
            assert phase["verdict"] == "unknown", phase
            assert phase["evidence"].startswith("kept as proven "), phase
            assert "\n" not in phase["evidence"]
        assert len(plan["notes"]) == 1, "one line for the resources of the stack"
        assert len(plan["notes"][0]) < 300, "the same cause is told once"


def test_with_neither_it_plans_a_first_deployment_of_hub_and_spoke(fork: Path, tmp_path: Path) -> None:
    before, file = checkout.contents(fork), tmp_path / "plan.json"
    done = checkout.dive(
        fork, "preview", "USA", "FRA", "--json", str(file), environment=checkout.without_state(), alone=True
    )
    assert checkout.contents(fork) == before
    for country, plan in planned(done, file).items():
        assert plan["situation"] == "fresh"
        assert plan["changes"]["create"] > 100
        assert not any(plan["changes"][other] for other in ("update", "replace", "delete"))
        assert len(plan["phases"]) == len(Phase)
        assert plan["notes"][0] == "this machine has no state", country


def test_a_wrong_program_is_reported_without_a_state_too(fork: Path, tmp_path: Path) -> None:
    """A fork's configuration is checked."""
    place = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(fork), str(place)], check=True)
    file = place / "Pulumi.fra.yaml"
    file.write_text(f"{file.read_text()}\n".replace("dive:namespace:", "dive:namespaces:"))
    done = checkout.dive(place, "preview", "FRA", environment=checkout.without_state(), alone=True)
    assert done.returncode == 2
    assert "did you mean namespace?" in done.stderr
    assert {p.name for p in (place / ".dive").iterdir()} == {p.name for p in (fork / ".dive").iterdir()}
