"""`./dive repair` itself, as an operator runs it: it repairs what is damaged, or ends with the exact next step."""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from dive_infra.config.naming import LOOPBACK
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker.containers import await_healthy
from dive_infra.results.finding import Finding
from tests.coalition.country import NAMESPACE, Country
from tests.coalition.live import running, wrong
from tests.faults.case import Case
from tests.faults.fault import Scene
from tests.faults.outcomes import CASES, ROUNDS, Repaired, keep
from tests.faults.rounds import title

pytestmark = pytest.mark.timeout(900)

_LONGEST = 800  # seconds


@dataclass(frozen=True)
class Ran:
    code: int
    told: str
    seconds: float

    @property
    def found(self) -> str:
        """The first thing that was wrong."""
        return next((line.strip() for line in self.told.splitlines() if line.startswith(("  ✗", "  ‼", "  ?"))), "")[
            :300
        ]

    def line_about(self, finding: Finding) -> str:
        """Return the line about the subject of a finding; what is told of a container changes while it runs."""
        lines = [line.strip() for line in self.told.splitlines() if line.startswith(("  ✗", "  ‼", "  ?"))]
        about = f"{finding.subject}: " if finding.subject else finding.headline
        (line, *_) = [line for line in lines if about in line] or [""]
        assert line, f"{about}: {self.told}"
        return line[:300]

    @property
    def proven(self) -> list[str]:
        """The sentences that hold again."""
        return re.findall(r"(?m)^  ✓ (.+) \(was: ", self.told)

    @property
    def restarts(self) -> set[str]:
        """The services that its plan restarts by name."""
        steps = re.findall(r"(?m)^  \d+\. restart (.+?) of [A-Z]{3}: ", self.told)
        return {service for services in steps for service in services.split(" and ")}

    @property
    def last(self) -> str:
        return self.told.strip().splitlines()[-1].strip()


def dive(country: Country, *arguments: str, **variables: str) -> Ran:
    """Run a verb of `./dive` on the coalition under test, on a machine whose proxy leads nowhere."""
    place = {"DIVE_STACKS": str(country.home), "COLUMNS": "400", "HTTPS_PROXY": f"http://{LOOPBACK}:9"}
    environment = {**country.environment, **place, **variables}
    started = time.monotonic()
    done = subprocess.run(
        [str(ROOT / "dive"), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST,
    )
    return Ran(done.returncode, done.stdout, time.monotonic() - started)


def data(client: docker.DockerClient) -> dict[str, str]:
    """Return every data volume of the coalition, with its creation time."""
    found = client.volumes.list(filters={"label": f"dive.namespace={NAMESPACE}"})
    return {v.name: v.attrs["CreatedAt"] for v in found if v.name.endswith("-data")}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repair each case alone with --whole, and every one in company with --rounds; else the selected ones."""
    if "cases" in metafunc.fixturenames:
        chosen = metafunc.config.getoption
        alone = [(case,) for case in CASES if case.selected or chosen("--whole")]
        found = ROUNDS if chosen("--rounds") and not chosen("--whole") else alone
        metafunc.parametrize("cases", found, ids=[title([case.name for case in of]) for of in found])


def test_repair_fixes_it_or_names_the_next_step(
    usa: Country,
    fra: Country,
    docker_engine: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    cases: Sequence[Case],
    results: Path,
    passed: Callable[[], None],
) -> None:
    countries = {"USA": usa, "FRA": fra}
    case, *more = cases
    scene = Scene(docker_engine, usa, fra, countries[case.at])
    caller = countries[case.call]
    before = running(docker_engine)
    seen = damaged(cases, scene)
    left = data(docker_engine)

    variables = case.environment(scene) if case.environment else {}
    ran = dive(caller, "repair", case.call, "--yes", **variables)
    assert "Traceback" not in ran.told, ran.told
    assert ran.found, ran.told
    touched = frozenset[str]().union(*(c.touched for c in cases))
    assert case.restarts <= ran.restarts <= touched, ran.told
    assert data(docker_engine).items() >= left.items(), "data is never removed or recreated"
    next_ = ""
    if case.by_hand:
        next_ = decided(case, scene, ran, monkeypatch)
    else:
        assert ran.code == 0, ran.told
        assert "nothing is wrong any more" in ran.last, ran.told
    after = running(docker_engine)
    spared = before.keys() - {c.names.container(service) for c in countries.values() for service in touched}
    assert {n: after.get(n) for n in spared} == {n: before[n] for n in spared}
    assert after.keys() == before.keys()
    command = f"./dive repair {case.call} --yes"
    found = [ran.line_about(finding) for finding in seen] or [ran.found]
    for one, line in zip(cases, found, strict=True):
        keep(results, Repaired(one.name, line, command, ran.last, ran.seconds, next_, others=len(more)), *ran.proven)
    passed()


def damaged(cases: Sequence[Case], scene: Scene) -> list[Finding]:
    """Damage all; of several, return the first of the findings that each adds."""
    if len(cases) == 1:
        cases[0].damage(scene)
        return []
    first: list[Finding] = []
    known: set[tuple[str, str]] = set()
    state = scene.hurt.state()
    for case in cases:
        assert case.red, case.name
        case.damage(scene)
        seen = [f for f in wrong(state, case.red, warnings=True) if (f.check, f.found) not in known]
        assert seen, case.name
        first.append(seen[0])
        known.update((f.check, f.found) for f in seen)
    return first


def decided(case: Case, scene: Scene, ran: Ran, monkeypatch: pytest.MonkeyPatch) -> str:
    """Do what the command has named; then all must be valid again. Return that next step."""
    words = case.by_hand.format(prefix=scene.fra.names.prefix)
    steps = [line.partition("next: ")[2] for line in ran.told.splitlines() if "next: " in line]
    (named, *_) = [step for step in steps if words.removeprefix("next: ") in step] or [""]
    assert named, ran.told
    caller = {"USA": scene.usa, "FRA": scene.fra}[case.call]
    if case.undo:
        assert ran.code == case.exit, ran.told
        case.undo(scene)
    elif not case.environment:
        assert ran.code in (1, 4), ran.told
        variable = re.search(r"(DIVE_[A-Z_]+)=(\S+) \./dive up", named)
        assert variable, named
        with monkeypatch.context() as once:
            once.setenv(*variable.groups())
            run = caller.up()
        assert run.ok, run.messages
    else:
        assert ran.code == case.exit, ran.told
    again = dive(caller, "repair", case.call, "--yes")
    assert again.code == 0, again.told
    assert "nothing is wrong" in again.told, again.told
    return named


def test_without_a_terminal_and_without_yes_nothing_is_done(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    docker_engine.containers.get(fra.names.container("kas")).stop()
    damaged = running(docker_engine)
    ran = dive(fra, "repair", "FRA")
    assert ran.code == 1, ran.told
    assert "1. pulumi up -s fra" in ran.told
    assert "no terminal to confirm on; nothing was changed; next: ./dive repair FRA --yes" in ran.told
    assert running(docker_engine) == damaged
    docker_engine.containers.get(fra.names.container("kas")).start()
    await_healthy(docker_engine, fra.names.container("kas"), 120)
