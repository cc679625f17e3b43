"""How a status looks on a screen: each country with its details, or one line for each."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dive_infra.cli.output import grid, kind, lines, mark, signs
from dive_infra.diagnosis.status_report import CountryStatus, PhaseStatus, Problem, RotationStatus, StatusReport
from dive_infra.results.finding import Verdict
from dive_infra.results.text import ago

_STATES = {"COMPLETE": "green", "RUNNING": "cyan", "NOT_DEPLOYED": "dim"}  # all others are red
_RECORDED = {"FAILED": "error"}  # all others are neither well nor wrong
_HEALTH = {"healthy": "green", "degraded": "yellow", "unhealthy": "red", "unknown": "magenta", "none": "dim"}


def table(report: StatusReport, console: Console) -> RenderableType:
    """Return all countries, each with its problems at the end."""
    parts = [part for country in report.countries for part in (*_country(country, console), Text())]
    return Group(*parts[:-1])


def short_table(report: StatusReport, console: Console) -> RenderableType:
    """Return one line for each country, and how many of them have problems."""
    off = [country.code for country in report.countries if _worst(country) not in ("valid", "none")]
    last = f"{len(report.countries)} countries, {len(off)} with problems"
    last += f"; details: ./dive status {off[0]}" if off else ""
    return Group(lines((_line(c, console) for c in report.countries), 6, console), Text(last))


def _line(country: CountryStatus, console: Console) -> list[Text | str]:
    state, health = country.deployment.state, country.health
    age = ago(country.deployment.age) if country.deployment.age is not None else ""
    return [
        mark(_worst(country), console),
        Text(country.code, style="bold"),
        Text(state.replace("_", " "), style=_STATES.get(state, "red")),
        age,
        Text("" if health == "none" else health.upper(), style=_HEALTH[health]),
        Text(signs(_first_problem(country), console)),
    ]


def _worst(country: CountryStatus) -> str:
    """Return the kind of mark of a country: that of its most severe problem."""
    found = [p.severity for p in country.problems] + ["unknown" for _ in country.collecting]
    well = "none" if country.deployment.state == "RUNNING" else "valid"
    return next((kind for kind in ("error", "warning", "unknown") if kind in found), well)


def _first_problem(country: CountryStatus) -> str:
    found = [p.title for kind in ("error", "warning", "unknown") for p in country.problems if p.severity == kind]
    found += [f"{error.source}: {error.cause}" for error in country.collecting]
    if country.deployment.state == "RUNNING":
        found = [f"deployed by {country.deployment.holder}", *found]
    more = f"({len(found)}) " if found[1:] else ""
    return f"{more}{found[0]}" if found else ""


def _country(country: CountryStatus, console: Console) -> Iterator[RenderableType]:
    yield _title(country, console)
    if country.deployment.holder:
        word = "deployed by" if country.deployment.state == "RUNNING" else "was deployed by"
        since = f", {ago(country.deployment.age)}" if country.deployment.age is not None else ""
        yield Padding(Text(f"{word} {country.deployment.holder}{since}"), (0, 0, 0, 2))
    if country.phases:
        rows = [_phase(phase, console) for phase in country.phases]
        yield Padding(grid(rows, None, None, None, None, None, 1), (0, 0, 0, 2))
    if country.containers:
        yield from _containers(country, console)
    if country.links:
        yield Padding(
            grid((_link(country, i, console) for i in range(len(country.links))), None, None, 1), (0, 0, 0, 2)
        )
    for member in country.members:
        said = signs(f"{member.code} says of itself: {member.state.replace('_', ' ')}, {ago(member.age)}", console)
        yield Text(f"    {said}", style="dim")
    for code in country.cut:
        undo = f"./dive cut {code} --at {country.code} --undo"
        yield Text(f"    {code} is cut off; to restore it: {undo}", style="yellow")
    yield from _rotation("the coalition's CA is being replaced: ./dive rotate-ca", country.rotation, console)
    keys = f"the keys of {country.code} are being replaced: ./dive rotate-keys {country.code}"
    yield from _rotation(keys, country.keys, console)
    yield from _problems(country, console)
    if country.collecting:
        yield Text("  without an answer")
        for error in country.collecting:
            cause = f"{error.source}: {error.cause}"
            yield Padding(grid([[mark("unknown", console), signs(cause, console)]], None, 1), (0, 0, 0, 4))
            yield Text(f"       next: {error.next}")


def _rotation(what: str, found: RotationStatus | None, console: Console) -> Iterator[RenderableType]:
    """Yield what is being replaced, with the command of the next step, and for whom that waits."""
    if found is None:
        return
    yield Text(f"    {what} --{found.next}", style="yellow")
    for code, cause in found.waiting.items():
        yield Text(f"    {signs(f'it waits for {code}, which {cause}', console)}", style="yellow")


def _title(country: CountryStatus, console: Console) -> Text:
    state, health = country.deployment.state, country.health
    title = Text(f"{country.code} {country.name}", style="bold")
    title.append(signs(" · deployment ", console), style="not bold")
    title.append(state.replace("_", " "), style=_STATES.get(state, "red"))
    if country.deployment.age is not None and not country.deployment.holder:
        title.append(f" {ago(country.deployment.age)}", style="not bold")
    if health != "none":
        title.append(signs(" · services ", console), style="not bold")
        title.append(health.upper(), style=_HEALTH[health])
    title.append(signs(f" · {country.seconds:.1f} s", console), style="not bold dim")
    return title


def _phase(phase: PhaseStatus, console: Console) -> list[Text | str]:
    """Return a row with one verdict: what the validator finds wrong, else the record's, else the validator's."""
    checkpoint = ago(phase.age) if phase.age is not None else ""
    recorded = phase.recorded not in ("", "COMPLETED") and phase.now != Verdict.INVALID
    if recorded:
        sign, now = _RECORDED.get(phase.recorded, "none"), phase.recorded.replace("_", " ").lower()
    else:
        sign, now = kind(phase.now), f"{phase.valid} of {phase.checks} valid" if phase.now else ""
    took = f"{phase.seconds:.1f} s" if phase.now else ""
    note = "" if recorded else signs(phase.note, console)
    return [mark(sign, console), str(phase.phase), checkpoint, now, Text(took, style="dim"), note]


def _containers(country: CountryStatus, console: Console) -> Iterator[RenderableType]:
    healthy = [c for c in country.containers if c.healthy]
    names = ", ".join(f"{c.service}{f' (restarted {c.restarts} times)' if c.restarts else ''}" for c in healthy)
    whole = len(healthy) == len(country.containers)
    head = f"{len(healthy)} of {len(country.containers)} containers healthy"
    rows: list[list[Text | str]] = [[mark("valid" if whole else "error", console), f"{head}: {names}"]]
    rows += [
        [mark("error" if c.service_class == "core" else "warning", console), f"{c.service}: {c.state}"]
        for c in country.containers
        if not c.healthy
    ]
    rows += [
        [mark("warning", console), f"{c.name} is not declared ({c.state})"]
        for c in country.containers
        if not c.declared
    ]
    yield Padding(grid(rows, None, 1), (0, 0, 0, 2))


def _link(country: CountryStatus, place: int, console: Console) -> list[Text | str]:
    link = country.links[place]
    good = link.status == "ACTIVE" and link.age is not None
    took = f" in {link.seconds:.1f} s" if link.seconds is not None else ""
    status = f"login proven {ago(link.age)}{took}" if good else f"{link.status} {link.error}".strip()
    return [mark("valid" if good else "warning", console), signs(f"{link.source} → {link.target}", console), status]


def _problems(country: CountryStatus, console: Console) -> Iterator[RenderableType]:
    """Group the problems by the command that fixes them, which is printed once after them."""
    groups: dict[str, list[Problem]] = {}
    for problem in country.problems:
        groups.setdefault(problem.next, []).append(problem)
    for command, problems in groups.items():
        yield Padding(grid((_problem(p, console) for p in problems), None, None, None, 1), (0, 0, 0, 2))
        yield Text(f"    next: {command}", style="bold")


def _problem(problem: Problem, console: Console) -> list[Text | str]:
    title = signs(problem.title, console)
    return [mark(problem.severity, console), str(problem.code or ""), Text(problem.where, style="dim"), title]
