"""Deploy a coalition, measure it and its floors in one run, and remove it."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from signal import SIGINT
from statistics import median
from typing import Any

import docker
from rich.console import Console

from dive_infra.automation.stack_state import declared_specs
from dive_infra.catalog.services import services
from dive_infra.checks import runner, verification
from dive_infra.checks.spec import VerificationSpec
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker import engine
from dive_infra.orchestration.states import Phase
from tests.bench import chain, figures, floors, members
from tests.bench.compose import Compose
from tests.bench.faults import FAULTS
from tests.bench.figures import Figure
from tests.coalition.country import Country
from tests.coalition.live import clear, told, validations
from tests.faults.fault import Scene

DOCUMENT = ROOT / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- measured -->\n", "<!-- /measured -->\n"

_DECIDED = f"✓ {Phase.PREFLIGHT} phase complete and validated, skipping"

console = Console(stderr=True, highlight=False)


@contextmanager
def coalition(home: Path, client: docker.DockerClient) -> Iterator[tuple[Country, Country]]:
    clear(client)
    usa, fra = Country("USA", home), Country("FRA", home)
    try:
        for country in (usa, fra):
            country.init()
        yield usa, fra
    finally:
        clear(client)


def first_deployment(fra: Country) -> list[Figure]:
    whole = Figure("first deployment of FRA")
    with whole.round():
        events = list(fra.watch())
    took = chain.spans(events)
    settings = fra.settings
    specs = services(settings.names, settings.hub_names, settings.linked, settings.images)
    state = fra.runner.state()
    longest, started = chain.of_resources(state, took), chain.of_services(specs, took)
    whole.note = f"{whole.wall[0] / longest.seconds:.2f} times its longest chain"
    return [
        whole,
        Figure("its longest chain of resources", str(longest), [longest.seconds]),
        Figure("its longest chain of containers", f"{started}; created to healthy", [started.seconds]),
    ]


def nothing_to_do(fra: Country, home: Path, rounds: int) -> list[Figure]:
    """Measure the floors, the country and its validation, one after the other in each round."""
    lowest, floor = floors.components(fra, home / "components"), floors.providers(fra, home / "providers")
    least = Figure("floor: components alone", f"{lowest.resources} resources")
    base = Figure("floor: the providers of docker, keycloak and postgresql", f"{floor.resources} resources, unchanged")
    ours = Figure("`pulumi up -s fra` with nothing to do", "every phase validated live")
    decided = Figure("… until PREFLIGHT is decided", "the first decision of a resume, too")
    looked = Figure(
        "validation of FRA, all six phases, of a run with nothing to do", "in a process that has them loaded"
    )
    proven = Figure("… with the logins of VERIFICATION, both ways")
    base_seen = Figure("floor: `pulumi preview` of the providers of docker, keycloak and postgresql")
    seen = Figure("`pulumi preview -s fra` with everything valid")
    for _ in range(rounds):
        least.time(lowest.up)
        base.time(floor.up)
        with ours.round():
            told_at = [
                at for at, event in fra.watch() if _DECIDED in event.get("diagnosticEvent", {}).get("message", "")
            ]
        decided.add(told_at[0])
        quick, whole = validation(fra)
        looked.add(quick)
        proven.add(whole)
        base_seen.time(floor.preview)
        seen.time(lambda: nothing_seen(fra))
    seen.note = f"{median(seen.wall) / median(base_seen.wall):.2f} times its floor; every phase validated live"
    return [base, least, ours, decided, looked, proven, base_seen, seen]


def nothing_seen(country: Country) -> None:
    run = country.preview()
    assert run.ok, told(run)
    assert not run.steps, told(run)


def validation(country: Country) -> tuple[float, float]:
    """Return the seconds of all validators, phase by phase: in a run with nothing to do, and with real logins.

    A run with nothing to do checks the age of VERIFICATION's proof; real logins renew it.
    """
    specs = declared_specs(country.runner.state())
    proof = specs[Phase.VERIFICATION]
    assert isinstance(proof, VerificationSpec)
    looked = [*validations(specs).values(), runner.run(verification.logins(proof), 10)]
    assert all(v.verdict == "valid" for v in looked), [v.findings for v in looked if v.verdict != "valid"]
    *quick, logins = (v.seconds for v in looked)
    return sum(quick), sum(quick) + logins


def heals(scene: Scene, rounds: int) -> list[Figure]:
    found = [Figure(fault.title, f"`{fault.command}`") for fault in FAULTS]
    for _ in range(rounds):
        for fault, figure in zip(FAULTS, found, strict=True):
            fault.damage(scene)
            with figure.round():
                run = scene.hurt.run(*fault.command.split()[1:])
            assert run.ok, told(run)
            assert run.changes, f"{fault.title}: nothing was healed"
    return found


def resumes(fra: Country, rounds: int) -> list[Figure]:
    began = Figure("resume after Ctrl+C at the end of SEEDING, until VERIFICATION starts")
    whole = Figure("… until all is done", "VERIFICATION logs people in both ways")
    for _ in range(rounds):
        FAULTS[0].damage(Scene(engine.client(), fra, fra, fra))
        stopped = fra.up_until(lambda name: name == "seeding-checkpoint", [SIGINT])
        assert not stopped.ok, told(stopped)
        with whole.round():
            changes = [(at, e) for at, e in fra.watch() if _begins(e)]
        began.add(changes[0][0])
    return [began, whole]


def _begins(event: dict[str, Any]) -> bool:
    return event.get("resourcePreEvent", {}).get("metadata", {}).get("op", "same") != "same"


def composed(fra: Country, client: docker.DockerClient, home: Path, rounds: int) -> list[Figure]:
    compose = Compose(fra, client, home, console.print)
    start = Figure("`docker compose up -d` of the same containers, none there", "their data is; not until healthy")
    start.time(compose.up)
    nothing = Figure("the same with nothing to do", "containers alone: no realm, no data, no validation")
    for _ in range(rounds):
        nothing.time(compose.up)
    return [start, nothing]


def measure(rounds: int) -> list[Figure]:
    """Return all figures; the first is the floor."""
    client = engine.client()
    with tempfile.TemporaryDirectory(prefix="dive-bench-") as place, coalition(Path(place), client) as (usa, fra):
        home = Path(place)
        console.print("▸ first deployments")
        run = usa.up()
        assert run.ok, told(run)
        first = first_deployment(fra)
        console.print(f"▸ nothing to do, {rounds} rounds")
        idle = nothing_to_do(fra, home, rounds)
        console.print("▸ healing")
        healed = heals(Scene(client, usa, fra, fra), max(1, rounds // 2))
        console.print("▸ resuming")
        resumed = resumes(fra, max(1, rounds // 2))
        console.print("▸ Docker Compose")
        return [*idle, *resumed, *healed, *first, *composed(fra, client, home, rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--members", type=members.counts, default=())
    wanted = parser.parse_args()
    if wanted.members and wanted.docs:
        parser.error("--docs writes the table of the other measurement; leave out --docs or --members")
    before = os.getloadavg()[0]
    asked = wanted.members
    found = members.measure(asked, wanted.rounds, console.print) if asked else measure(wanted.rounds)
    lines = members.summary(asked, found) if asked else {}
    after = os.getloadavg()[0]
    load = f"{os.cpu_count()} processors, load {before:.1f} before and {after:.1f} after, {wanted.rounds} rounds"
    # The answer goes to standard output, unless that is to be JSON alone.
    shown = console if wanted.json else Console(highlight=False)
    figures.show(found, found[0], shown)
    for of, line in lines.items():
        shown.print(f"{of}: {line}", soft_wrap=True)
    shown.print(load)
    if wanted.json:
        plain = {"load": [before, after], "figures": figures.plain(found)}
        json.dump(plain | {of: asdict(line) for of, line in lines.items()}, sys.stdout, indent=2)
    if wanted.docs:
        head, _, rest = DOCUMENT.read_text().partition(BEGIN)
        _, _, tail = rest.partition(END)
        DOCUMENT.write_text(f"{head}{BEGIN}\n{figures.markdown(found, found[0])}\n{load}\n\n{END}{tail}")


if __name__ == "__main__":
    main()
