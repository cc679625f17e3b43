"""What is damaged is healed by one command, nothing else is touched, and no data is lost."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from dive_infra.automation.drift import refresh_only_drift
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY, RemedyKind
from tests.coalition.country import Country, Run
from tests.coalition.live import VALIDATED, running, skipped, told, wrong
from tests.faults.fault import Fault, Scene
from tests.faults.outcomes import FAULTS, Healed, keep
from tests.faults.rounds import every_round, in_order, title

pytestmark = pytest.mark.timeout(1500)


def accept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variable that the message names, with which the same command goes on."""
    named = re.search(r"(DIVE_[A-Z_]+)=(\S+) pulumi up", run.messages)
    assert named, told(run)
    monkeypatch.setenv(*named.groups())


def unproven(run: Run) -> list[Phase]:
    """Return the phases that the run neither proved nor found valid."""
    proven = {name.removesuffix("-checkpoint").removesuffix("-proof").upper() for name in run.changes}
    return [p for p in Phase if p not in (*proven, *skipped(run))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Heal each fault alone with --whole, and every one in company with --rounds; else the selected ones."""
    if "faults" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption
    alone = {fault.name: [fault] for fault in FAULTS}
    every = {title([f.name for f in of]): of for of in every_round(FAULTS)}
    found = alone if chosen("--whole") else every if chosen("--rounds") else selected()
    metafunc.parametrize("faults", found.values(), ids=found.keys())


def selected() -> dict[str, list[Fault]]:
    """Return the selected faults by round: those that no validator sees first, then warnings."""
    found: dict[str, list[Fault]] = {}
    for fault in FAULTS:
        if fault.selected:
            found.setdefault(f"{fault.country}-{fault.selected.replace(' ', '-')}", []).append(fault)
    return {name: in_order(of) for name, of in found.items()}


def telling(fault: Fault) -> set[str]:
    """Return the resources that report on the fault's phase before and after it is healed."""
    found = {"report"} | ({f"{fault.red.lower()}-checkpoint", "verification-proof"} if fault.red else set())
    return found | ({"realm-probe"} if fault.red == Phase.CONFIGURATION else set())


def damaged(
    fault: Fault, scene: Scene, state: dict[str, Any], known: list[Finding], more: Collection[RemedyKind]
) -> list[Finding]:
    """Damage it; return what is found wrong then and is not `known` yet.

    Each finding names the row's remedy; `more`: what one may name that follows from this row or another of the round.
    What could not be checked names what makes a check possible, and counts for no row.
    """
    fault.damage(scene)
    looked_at = [fault.red] if fault.red else VALIDATED
    before = {(f.check, f.found) for f in known}
    seen = [f for f in wrong(state, *looked_at, warnings=fault.warns) if (f.check, f.found) not in before]
    assert all(f.advisory for f in seen) is (fault.warns or not seen), seen
    assert bool(seen) is (fault.red is not None), seen
    named = {f.remedy.kind for f in seen if f.verdict == Verdict.INVALID}
    assert named - ({*more} - {fault.remedy}) == ({fault.remedy} if fault.red else set()), seen
    return seen


def test_one_command_heals_it_and_touches_nothing_else(
    request: pytest.FixtureRequest,
    usa: Country,
    fra: Country,
    docker_engine: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    faults: list[Fault],
    results: Path,
    passed: Callable[[], None],
) -> None:
    countries = {"USA": usa, "FRA": fra}
    (code,), (command,) = {f.country for f in faults}, {f.command for f in faults}
    country = countries[code]
    scene = Scene(docker_engine, usa, fra, country)
    before, state = running(docker_engine), country.state()
    warnings = any(f.warns for f in faults)
    assert not wrong(state, *VALIDATED, warnings=warnings, again=[Verdict.UNKNOWN]), "valid before"
    seen: dict[str, list[Finding]] = {}
    more = frozenset[RemedyKind]().union(*(f.more for f in faults))
    for fault in faults:
        seen[fault.name] = damaged(fault, scene, state, [f for findings in seen.values() for f in findings], more)
    assert bool(refresh_only_drift(state)) is ("--refresh" in command)

    for fault in faults:
        if fault.refused:
            refusal = country.up()
            assert not refusal.ok
            assert fault.refused in refusal.messages, told(refusal)
            accept(refusal, monkeypatch)
    run = country.run(*command.split()[1:])
    assert run.ok, told(run)
    monkeypatch.undo()
    for fault in faults:
        assert fault.heals <= run.changes.keys(), f"{fault.name}: {told(run)}"
        assert all(words in run.messages for words in fault.says), f"{fault.name}: {told(run)}"
    if all(fault.also is not None for fault in faults):
        allowed = set[str]().union(*(fault.heals | telling(fault) | (fault.also or set()) for fault in faults))
        assert run.changes.keys() <= allowed, told(run)
    assert not unproven(run), told(run)
    after = running(docker_engine)
    spared = before.keys() - {country.names.container(service) for fault in faults for service in fault.touched}
    assert {n: after.get(n) for n in spared} == {n: before[n] for n in spared}
    assert after.keys() == before.keys()
    assert not wrong(country.state(), *VALIDATED), "valid again"
    for fault in faults:
        fault.check(scene)
    if request.config.getoption("--whole"):
        again = country.up()
        assert again.ok, told(again)
        assert not again.changes, told(again)
    if request.config.getoption("--whole") or request.config.getoption("--rounds"):
        for fault in faults:
            findings, own = seen[fault.name], fault.heals | telling(fault) | (fault.also or set())
            told_first = str(replace(findings[0], remedy=NO_REMEDY)) if findings else ", ".join(fault.says)
            changes = [name for name in run.changes if not faults[1:] or name in own]
            row = Healed(fault.name, told_first, changes, run.seconds, command, others=len(faults) - 1)
            keep(results, row, *(sentence for f in findings[:1] for sentence in (f.check, f.source)))
    passed()
