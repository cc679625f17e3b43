"""The benchmark's arithmetic: chains of measured times, ratios to the floor, and what a member costs the hub."""

import io
from argparse import ArgumentTypeError
from typing import Any

import pytest
from rich.console import Console

from dive_infra.catalog.spec import HealthCheck, ServiceSpec
from tests.bench import chain, members
from tests.bench.figures import Figure, cells, markdown, rows, show


def event(kind: str, name: str, op: str = "create") -> dict[str, Any]:
    return {kind: {"metadata": {"op": op, "urn": f"urn:pulumi:fra::dive::kind::{name}"}}}


def took(**spans: tuple[float, float]) -> dict[str, tuple[float, float]]:
    events: list[tuple[float, dict[str, Any]]] = []
    for name, (begun, ended) in spans.items():
        name = name.replace("_", "-")
        events += [(begun, event("resourcePreEvent", name)), (ended, event("resOutputsEvent", name))]
    return chain.spans(sorted(events, key=lambda pair: pair[0]))


def row(name: str, *needs: str, custom: bool = True) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:fra::dive::kind::{name}",
        "custom": custom,
        "dependencies": [f"urn:pulumi:fra::dive::kind::{n}" for n in needs],
    }


def test_the_longest_chain_is_of_what_waits_for_each_other() -> None:
    state = {"deployment": {"resources": [row("phase", custom=False), row("a"), row("b", "a"), row("c")]}}
    found = chain.of_resources(state, took(phase=(0, 9), a=(1, 3), b=(3.5, 5), c=(1, 4)))
    assert found.seconds == pytest.approx(3.5)
    assert str(found) == "a 2.0 → b 1.5"


def test_what_was_not_changed_takes_no_time() -> None:
    events = [(1.0, event("resourcePreEvent", "a", "same")), (2.0, event("resOutputsEvent", "a", "same"))]
    assert chain.spans(events) == {}


def test_a_service_starts_from_its_container_to_its_gate() -> None:
    def service(name: str, *needs: str) -> ServiceSpec:
        return ServiceSpec(name, "image", 1000, HealthCheck(("true",)), needs=needs)

    spans = took(
        postgres_container=(1, 2), postgres_gate=(2, 4), redis_container=(1, 2), redis_gate=(2, 8),
        keycloak_container=(5, 6), keycloak_gate=(6, 15),
    )  # fmt: skip
    found = chain.of_services([service("postgres"), service("redis"), service("keycloak", "postgres")], spans)
    assert str(found) == "postgres 3.0 → keycloak 10.0"


def test_a_ratio_is_that_of_the_medians() -> None:
    floor, figure = Figure("floor", wall=[4.0, 2.0, 9.0]), Figure("ours", "a | b", wall=[6.0, 5.0, 30.0], cpu=[1.0])
    assert cells(figure, floor) == ("ours", "5.00", "6.00", "30.00", "1.0", "1.50", "a | b")
    assert "a \\| b" in markdown([figure], floor)


FIGURES = [
    Figure("floor: the providers of docker, keycloak and postgresql", "178 resources, unchanged", [3.0, 3.2], [4.0]),
    Figure("validation of FRA, all six phases, of a run with nothing to do", "", [1.1, 1.2]),
    Figure("its longest chain of resources", "network 2.1 → postgres-container 1.7 → postgres-gate 1.7", [135.9]),
]


def printed(terminal: bool, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)
    show(FIGURES, FIGURES[0], console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_on_a_terminal_of_80_columns_no_word_is_broken() -> None:
    lines = printed(terminal=True)
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for word in [w for f in FIGURES for w in f"{f.title} {f.note}".split()]:
        assert word in text
    assert len(lines) <= 3 * len(FIGURES), "the words take the lines that they need, no more"


def test_without_a_terminal_each_figure_is_one_plain_row() -> None:
    lines = printed(terminal=False)
    assert lines == rows(FIGURES, FIGURES[0])
    assert len(lines) == 1 + len(FIGURES)
    assert lines[0].split() == ["min", "median", "max", "CPU", "×", "floor", "what"]
    assert lines[2].split()[:5] == ["1.10", "1.15", "1.20", "–", "0.37"]


def test_points_on_a_line_are_no_distance_from_it() -> None:
    found = members.line({1: 7.2, 8: 8.6, 16: 10.2, 31: 13.2})
    assert (found.start, found.each, found.residual) == pytest.approx((7.0, 0.2, 0.0))


def test_growth_that_is_not_linear_shows_as_a_residual() -> None:
    found = members.line({number: 7 + number**2 / 100 for number in (1, 8, 16, 31)})
    assert found.residual > 0.5


def test_the_residual_is_that_of_the_farthest_point() -> None:
    found = members.line({1: 1.0, 2: 2.0, 3: 0.0})
    assert (found.each, found.start) == pytest.approx((-0.5, 2.0))
    assert found.residual == pytest.approx(1.0)
    assert str(found) == "-500 ms a member, 2.00 s without any; at most 1.00 s off"


def test_a_disturbed_round_does_not_change_what_a_member_costs() -> None:
    few, many = Figure("1", wall=[5.0, 5.0, 50.0], cpu=[7.0, 7.0, 9.0]), Figure("11", wall=[6.0] * 3, cpu=[9.0] * 3)
    found = members.summary((1, 11), [few, many])
    assert (found["processor"].each, found["wall"].each) == pytest.approx((0.2, 0.1))


def test_numbers_of_members_are_read() -> None:
    assert members.counts("1,8,16,31") == (1, 8, 16, 31)


@pytest.mark.parametrize("text", ["", "x", "8", "8,1", "1,1", "0,8", "1,1000"])
def test_numbers_that_make_no_line_are_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"found '{text}', expected ascending numbers from 1 to 52"):
        members.counts(text)
