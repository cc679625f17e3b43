"""Checkpoints against a real engine and a real orchestration database: proven, recorded, skipped, kept, made again."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from docker.models.networks import Network
from pulumi.dynamic.dynamic import serialize_provider

from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import (
    DeploymentSpec,
    InitializationSpec,
    Party,
    Spec,
    VerificationSpec,
    dump,
    fingerprint,
    phase_of,
)
from dive_infra.config import timeouts
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.environment import ACCEPT_LOSS
from dive_infra.dynamic.base import ProviderError
from dive_infra.dynamic.checkpoint import CheckpointProvider
from dive_infra.dynamic.orchestration import OrchestrationSchemaProvider
from dive_infra.dynamic.verification import VerificationProvider, _age
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.records import Proof
from dive_infra.orchestration.states import Phase, State
from dive_infra.orchestration.store import Store, session
from tests.support.record import HUB_NAMES, Book, Record, book

FRANCE = HUB_NAMES.of(COUNTRIES["FRA"])
PROVIDER = CheckpointProvider()
Said = pytest.CaptureFixture[str]


@dataclass
class Place:
    """A network of France that a phase declares, and the specification that names it."""

    record: Record
    spec: InitializationSpec
    network: Network

    def vanish(self) -> None:
        self.network.remove()


def declared(record: Record) -> InitializationSpec:
    return InitializationSpec(FRANCE, "fra", (FRANCE.network,), (), (), record.lab.material.ca, days=0)


@pytest.fixture
def place(record: Record) -> Iterator[Place]:
    labels = FRANCE.labels("network", "core") | {"dive.stack": "fra"}
    network = record.lab.engine.networks.create(FRANCE.network, labels=labels)
    yield Place(record, declared(record), network)
    for left in record.lab.engine.networks.list(names=[FRANCE.network]):
        left.remove()


def inputs(spec: Spec, store: DatabaseAccess | None, **more: Any) -> dict[str, Any]:
    """As the engine hands them over: numbers are floats, and the provider is among them."""
    plain = {**asdict(store), "port": float(store.port)} if store else None
    found = {"phase": str(phase_of(spec)), "country": "FRA", "spec": dump(spec), "declaration": fingerprint(spec)}
    rest = {"earlier": [], "__provider": "by reference", **more}
    return {**found, **({"store": plain} if plain else {}), **rest}


def made(given: dict[str, Any]) -> dict[str, Any]:
    outs = PROVIDER.create(given).outs
    assert outs
    return outs


def changes(outs: dict[str, Any], now: dict[str, Any]) -> bool | None:
    started = time.monotonic()
    found = PROVIDER.diff("fra/INITIALIZATION", outs, now).changes
    assert time.monotonic() - started < timeouts.DIFF_PHASE + 0.5
    return found


def test_a_proven_phase_is_recorded_then_skipped_with_its_evidence(
    place: Place, orchestration: Book, capsys: Said
) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    assert outs["recorded"] is True
    written = orchestration.sql("SELECT count(*) FROM audit_log")
    capsys.readouterr()
    assert changes(outs, given) is False
    said = capsys.readouterr().out
    assert said.startswith("✓ INITIALIZATION phase complete and validated, skipping (networks, network users, ")
    assert "volumes, images, coalition CA, record;" in said
    assert orchestration.sql("SELECT count(*) FROM audit_log") == written  # a preview writes nothing
    assert orchestration.sql("SELECT status, fingerprint FROM deployment_steps") == [
        ("COMPLETED", fingerprint(place.spec))
    ]


def test_an_invalid_phase_is_refused_with_the_remedy_and_recorded_as_failed(place: Place, orchestration: Book) -> None:
    place.vanish()
    with pytest.raises(ProviderError) as caught:
        made(inputs(place.spec, orchestration.owner))
    told = str(caught.value)
    assert told.startswith("INITIALIZATION of FRA is not valid, so it is not completed:")
    assert "✗ networks: t-record-fra missing; expected 1 of stack fra; next: pulumi up" in told
    assert orchestration.sql("SELECT status, checkpoint_id FROM deployment_steps") == [("FAILED", None)]
    assert orchestration.sql("SELECT state FROM deployment_states") == [("FAILED",)]
    assert orchestration.sql("SELECT error_code FROM orchestration_errors") == [("1003",)]


def test_damage_makes_the_phase_run_again_and_says_why(place: Place, orchestration: Book, capsys: Said) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    place.vanish()
    capsys.readouterr()
    assert changes(outs, given) is True
    said = capsys.readouterr().out
    assert "INITIALIZATION phase runs again: not valid now" in said
    assert "t-record-fra missing" in said


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM deployment_steps", "no record of INITIALIZATION"),
        ("UPDATE deployment_steps SET fingerprint = 'other'", "declaration other"),
        (
            "UPDATE deployment_steps SET status = 'FAILED', checkpoint_id = NULL, completed_at = NULL",
            "INITIALIZATION is FAILED",
        ),
    ],
)
def test_a_record_that_does_not_say_completed_is_proven_again(
    place: Place, orchestration: Book, capsys: Said, damage: str, told: str
) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    orchestration.sql(damage)
    capsys.readouterr()
    assert changes(outs, given) is True
    assert told in capsys.readouterr().out
    again = PROVIDER.update("fra/INITIALIZATION", outs, given).outs
    assert again
    assert changes(again, given) is False


def test_another_declaration_runs_the_phase_again(place: Place, orchestration: Book, capsys: Said) -> None:
    outs = made(inputs(place.spec, orchestration.owner))
    capsys.readouterr()
    assert changes(outs, inputs(replace(place.spec, days=1), orchestration.owner)) is True
    assert "INITIALIZATION phase runs again: changed: declaration" in capsys.readouterr().out


def test_another_schema_stops_the_deployment_and_never_reads_as_a_missing_row(
    place: Place, orchestration: Book
) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    orchestration.sql("ALTER TABLE deployment_steps RENAME step_name TO phase")
    session(orchestration.owner).close()
    assert changes(outs, given) is True
    with pytest.raises(ProviderError, match=r"deployment_steps.step_name \(phase\): expected, found only phase"):
        PROVIDER.update("fra/INITIALIZATION", outs, given)


def test_a_failing_query_keeps_the_checkpoint_and_is_reported(place: Place, orchestration: Book, capsys: Said) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    orchestration.sql("ALTER TABLE deployment_steps RENAME step_name TO phase")  # under the open session
    capsys.readouterr()
    assert changes(outs, given) is False
    said = capsys.readouterr().out
    assert re.search(r"\? INITIALIZATION phase could not be checked now, kept as proven \d+ s ago:", said)
    assert "step_name" in said


def test_a_checkpoint_whose_proof_is_unknown_is_kept(
    place: Place, orchestration: Book, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    unreachable = {**outs, "store": {**outs["store"], "port": 1.0}}
    capsys.readouterr()
    assert changes(unreachable, {**given, "store": unreachable["store"]}) is False
    assert "does not answer" in capsys.readouterr().out
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert changes(outs, given) is False
    assert "no Docker engine answers" in capsys.readouterr().out


def test_a_specification_of_an_older_program_runs_the_phase_again_and_leaks_nothing(
    place: Place, orchestration: Book, capsys: Said
) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    capsys.readouterr()
    old = '{"names": {"country": "canary"}, "password": "canary"}'
    assert changes({**outs, "spec": old}, {**given, "spec": old}) is True
    said = capsys.readouterr().out
    assert "INITIALIZATION phase runs again: the program changed" in said
    assert "canary" not in said


def test_a_verification_of_an_older_program_is_removed_with_its_report(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.touch()
    before = {"phase": "VERIFICATION", "country": "FRA", "spec": '{"password": "canary"}', "recorded": False}
    provider = VerificationProvider()
    provider.delete("fra/VERIFICATION", {**before, "path": str(path)})
    assert not path.exists()
    provider.delete("fra/VERIFICATION", {**before, "path": str(path)})  # gone already
    provider.delete("fra/VERIFICATION", before)  # of a program that did not say where its report is


def test_what_cannot_be_recorded_does_not_continue(place: Place, orchestration: Book) -> None:
    with pytest.raises(ProviderError, match=r"can't be recorded, so not continuing: .*does not answer"):
        made(inputs(place.spec, replace(orchestration.owner, port=1)))


def test_the_hub_records_its_first_phases_once_its_database_is_there(
    place: Place, orchestration: Book, capsys: Said
) -> None:
    early = inputs(place.spec, None)
    first = made(early)
    assert first["recorded"] is False
    assert changes(first, early) is False
    preflight = {**first["proof"], "phase": "PREFLIGHT"}
    later = replace(place.spec, days=1)
    outs = made(inputs(later, orchestration.owner, earlier=[preflight]))
    assert orchestration.sql("SELECT step_name, status FROM deployment_steps ORDER BY step_name") == [
        ("INITIALIZATION", "COMPLETED"),
        ("PREFLIGHT", "COMPLETED"),
    ]
    again = {**preflight, "run_id": "another", "proven_at": "2026-01-02T00:00:00.000+00:00"}
    now = inputs(later, orchestration.owner, earlier=[again])
    capsys.readouterr()
    assert changes(outs, now) is True, "else the record would keep the proof before"
    assert "INITIALIZATION phase runs again: changed: earlier" in capsys.readouterr().out
    updated = PROVIDER.update("fra/INITIALIZATION", outs, now).outs
    assert updated
    assert orchestration.sql("SELECT run_id FROM deployment_steps WHERE step_name = 'PREFLIGHT'") == [("another",)]
    assert changes(updated, now) is False
    for damage, told in (
        (
            "UPDATE deployment_steps SET fingerprint = 'other' WHERE step_name = 'PREFLIGHT'",
            "PREFLIGHT: declaration other",
        ),
        ("DELETE FROM deployment_steps WHERE step_name = 'PREFLIGHT'", "no record of PREFLIGHT"),
    ):
        orchestration.sql(damage)
        capsys.readouterr()
        assert changes(updated, now) is True
        assert told in capsys.readouterr().out


def test_a_second_deployment_is_refused(place: Place, orchestration: Book) -> None:
    with Store(orchestration.owner) as other:
        other.hold("FRA", "SEEDING")
        with pytest.raises(ProviderError, match=r"FRA is being deployed by .*phase SEEDING"):
            made(inputs(place.spec, orchestration.owner))
    assert orchestration.sql("SELECT count(*) FROM deployment_steps") == [(0,)]


def test_a_destroyed_phase_is_to_be_done_again(place: Place, orchestration: Book) -> None:
    given = inputs(place.spec, orchestration.owner)
    outs = made(given)
    PROVIDER.delete("fra/INITIALIZATION", outs)
    assert orchestration.sql("SELECT status FROM deployment_steps") == [("PENDING",)]
    assert orchestration.sql("SELECT state FROM deployment_states") == [("CLEANUP",)]
    PROVIDER.delete("fra/INITIALIZATION", {**outs, "store": {**outs["store"], "port": 1.0}})  # a hub that is gone


def test_verification_is_too_old_by_the_database_clock(place: Place, orchestration: Book) -> None:
    party = Party(FRANCE, "")
    deployment = DeploymentSpec(FRANCE, (), (), "", "", "")
    spec = VerificationSpec(party, (), deployment, "", 10, max_age=60)
    before = inputs(spec, orchestration.owner)
    with pytest.raises(CheckFailed, match="no proof is recorded; a proof counts for 60 s"):
        _age(spec, before)
    store = session(orchestration.owner)
    store.hold("FRA", "VERIFICATION")
    store.complete("FRA", Proof(Phase.VERIFICATION, "f", "e", "2026-01-01T00:00:00+00:00", 1, "r"))
    assert _age(spec, before).endswith("s ago")
    with pytest.raises(CheckFailed, match=r"it was proven .* s ago; a proof counts for 0 s"):
        _age(replace(spec, max_age=0), before)
    current = store.current("FRA")
    assert current
    assert current.state == State.COMPLETE


def test_the_schema_is_migrated(record: Record) -> None:
    schema = OrchestrationSchemaProvider()
    with book(record, migrated=False) as blank:
        access = {**asdict(blank.owner), "port": float(blank.owner.port)}
        assert schema.drift_reason({"access": access})
        schema.create({"access": access, "version": 2.0, "__provider": ""})
        assert schema.drift_reason({"access": access}) is None


def test_a_schema_that_is_not_ours_is_given_up_only_if_the_loss_is_accepted(
    orchestration: Book, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    provider = OrchestrationSchemaProvider()
    given = {"access": {**asdict(orchestration.owner), "port": float(orchestration.owner.port)}, "__provider": ""}
    orchestration.sql("ALTER TABLE checkpoints RENAME evidence TO proof")
    told = r"checkpoints.evidence \(text\): expected, found only proof.*DIVE_ACCEPT_LOSS=orchestration pulumi up"
    assert re.search(told, str(provider.drift_reason(given)))
    with pytest.raises(ProviderError, match=told):
        provider.update("orchestration", given, given)
    monkeypatch.setenv(ACCEPT_LOSS, "orchestration")
    provider.update("orchestration", given, given)
    assert "the loss of the record is accepted" in capsys.readouterr().out
    assert provider.drift_reason(given) is None
    assert orchestration.sql("SELECT count(*) FROM countries") == [(0,)]


@pytest.mark.parametrize("provider", [CheckpointProvider, VerificationProvider, OrchestrationSchemaProvider])
def test_providers_travel_by_reference(provider: Callable[[], Any]) -> None:
    assert len(serialize_provider(provider())) < 140
