"""What each member costs the hub: runs with nothing to do, while it approves more and more of them.

The hub has an engine of its own, with an address range for the network of each link. The members have sent their
requests and are not deployed: at the hub their links are declared, checked and pending.
"""

import tempfile
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

from dive_infra.config.countries import COUNTRIES, HUB_CODE, parse
from dive_infra.toolchain.go_build import Progress
from tests.bench.figures import Figure
from tests.coalition import hosts
from tests.coalition.country import Country
from tests.coalition.live import told
from tests.support.members import write_request

_DOMAIN = "dive.test"  # reserved for tests: RFC 6761
_CODES = tuple(code for code in COUNTRIES if code != HUB_CODE)


@dataclass(frozen=True)
class Line:
    """The straight line nearest to measured points, in seconds: at no member, for each member, and the largest
    distance of a point from it."""

    start: float
    each: float
    residual: float

    def __str__(self) -> str:
        return f"{1000 * self.each:.0f} ms a member, {self.start:.2f} s without any; at most {self.residual:.2f} s off"


def counts(text: str) -> tuple[int, ...]:
    """Parse numbers of members such as `1,8,16,31`, from few to many; raises `ArgumentTypeError`."""
    try:
        found = tuple(map(int, text.split(",")))
    except ValueError:
        found = ()
    if len(found) < 2 or [*found] != sorted({*found}) or found[0] < 1 or found[-1] > len(_CODES):
        raise ArgumentTypeError(f"found {text!r}, expected ascending numbers from 1 to {len(_CODES)}, such as 1,8,16")
    return found


def line(points: Mapping[int, float]) -> Line:
    """Return the line through the seconds at each number of members, by least squares."""
    each, start = linear_regression([*points], [*points.values()])
    return Line(start, each, max(abs(seconds - start - each * members) for members, seconds in points.items()))


def summary(numbers: Sequence[int], figures: Sequence[Figure]) -> dict[str, Line]:
    """Return the lines through the medians of the processor time, and of the wall time."""

    def through(rounds: Sequence[Sequence[float]]) -> Line:
        return line(dict(zip(numbers, map(median, rounds), strict=True)))

    return {"processor": through([f.cpu for f in figures]), "wall": through([f.wall for f in figures])}


def measure(numbers: Sequence[int], rounds: int, progress: Progress) -> list[Figure]:
    """Return a figure for each number of members; needs root, as engines of their own do."""
    if not hosts.possible():
        raise SystemExit(f"--members needs an engine of its own: root, and {', '.join(hosts.NEEDED)} on PATH")
    with tempfile.TemporaryDirectory(prefix="dive-bench-") as place, hosts.hosts([HUB_CODE.lower()]) as made:
        host = made[HUB_CODE.lower()]
        given = {"dive:engine": host.engine, "dive:address": host.address, "dive:domain": _DOMAIN, "dive:spokes": []}
        usa = Country(HUB_CODE, Path(place), given)
        usa.init()
        return [_at(usa, number, rounds, progress) for number in numbers]


def _at(usa: Country, number: int, rounds: int, progress: Progress) -> Figure:
    """Have the hub approve so many members, and measure its runs with nothing to do."""
    progress(f"{number} members")
    codes = [*_CODES[:number]]
    for code in codes:
        write_request(usa.home, usa.names.of(parse(code)))
    approved = usa.up(spokes=codes)
    assert approved.ok, told(approved)
    title = f"`pulumi up -s {usa.stack}` with nothing to do, {number} members"
    figure = Figure(title, f"{len(usa.resources())} resources")
    for _ in range(rounds):
        with figure.round():
            run = usa.up()
        assert run.ok, told(run)
        assert not run.changes, told(run)
    return figure
