"""What is damaged is healed by one command, nothing else is touched, and no data is lost."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from dive_infra.automation.drift import refresh_only_drift
from dive_infra.automation.stack_state import declared_specs
from dive_infra.checks import runner
from dive_infra.checks.phases import checks
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Finding
from dive_infra.results.remedy import NO_REMEDY, RemedyKind
from tests.coalition.country import Country, Run
from tests.coalition.live import running, told
from tests.faults.fault import Fault, Scene
from tests.faults.table import FAULTS, Healed, keep

pytestmark = pytest.mark.timeout(1500)


def wrong(state: dict[str, Any], *phases: Phase, warnings: bool = False) -> list[Finding]:
    """What the validators of these phases find off now; `warnings`: what is only told, too."""
    specs = declared_specs(state)
    looked = [runner.run(checks(specs[phase]), 20) for phase in phases]
    return [
        f for validation in looked for f in validation.findings if f.verdict != "valid" and (warnings or not f.advisory)
    ]


def accept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the variable with which the message says that the same command will do it."""
    named = re.search(r"(DIVE_[A-Z_]+)=(\S+) pulumi up", run.messages)
    assert named, told(run)
    monkeypatch.setenv(*named.groups())


def unproven(run: Run) -> list[Phase]:
    """The phases that the run neither proved anew nor found to be valid: what could not be told was not asked again."""
    proven = {name.removesuffix("-checkpoint").removesuffix("-proof").upper() for name in run.changes}
    seen = [p for p in Phase if f"✓ {p} phase complete and validated, skipping (" in run.messages]
    return [p for p in Phase if p not in (*proven, *seen)]


@pytest.mark.parametrize("fault", FAULTS, ids=[f.name for f in FAULTS])
def test_one_command_heals_it_and_touches_nothing_else(
    request: pytest.FixtureRequest,
    usa: Country,
    fra: Country,
    docker_engine: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    results: Path,
) -> None:
    whole = bool(request.config.getoption("--whole"))
    if not (whole or fault.selected):
        pytest.skip("runs with --whole")
    countries = {"USA": usa, "FRA": fra}
    country = countries[fault.country]
    scene = Scene(docker_engine, usa, fra, country)
    before, state = running(docker_engine), country.runner.state()
    looked_at = [fault.red] if fault.red else [p for p in Phase if p != Phase.VERIFICATION]
    assert not wrong(state, *looked_at, warnings=fault.warns), "valid before"
    fault.damage(scene)
    seen = wrong(state, *looked_at, warnings=fault.warns)
    assert all(f.advisory for f in seen) is (fault.warns or not seen), seen
    assert bool(seen) is (fault.red is not None), seen
    # The command that the messages name, and that `./dive up` chooses by itself.
    asks = "--refresh" in fault.command
    assert any(f.remedy.kind == RemedyKind.REFRESH for f in seen) is asks, seen
    assert bool(refresh_only_drift(state)) is asks

    if fault.refused:
        refusal = country.up()
        assert not refusal.ok
        assert fault.refused in refusal.messages, told(refusal)
        accept(refusal, monkeypatch)
    run = country.run(*fault.command.split()[1:])
    assert run.ok, told(run)
    monkeypatch.undo()
    for code, command in fault.then:
        following = countries[code].run(*command.split()[1:])
        assert following.ok, told(following)
    assert fault.heals <= run.changes.keys(), told(run)
    # What tells of the phase, before anything in it is mended and after.
    telling = {"report"} | ({f"{fault.red.lower()}-checkpoint", "verification-proof"} if fault.red else set())
    telling |= {"realm-probe"} if fault.red == Phase.CONFIGURATION else set()
    allowed = fault.heals | telling
    assert fault.also is None or run.changes.keys() <= allowed | fault.also, told(run)
    assert all(words in run.messages for words in fault.says), told(run)
    assert not unproven(run), told(run)
    after = running(docker_engine)
    spared = before.keys() - {country.names.container(service) for service in fault.touched}
    assert {n: after.get(n) for n in spared} == {n: before[n] for n in spared}
    assert after.keys() == before.keys()
    assert not wrong(country.runner.state(), *looked_at), "valid again"
    fault.check(scene)
    if whole:
        for one in {fault.country, *(code for code, _ in fault.then)}:
            again = countries[one].up()
            assert again.ok, told(again)
            assert not again.changes, told(again)
    told_first = str(replace(seen[0], remedy=NO_REMEDY)) if seen else ", ".join(fault.says)
    keep(results, Healed(fault.name, told_first, list(run.changes), run.seconds))
