"""Remedies and errors: one value, rendered for Pulumi and for `./dive`."""

import pytest

from dive_infra.results.codes import Code
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy


@pytest.mark.parametrize(
    ("remedy", "pulumi", "dive"),
    [
        (Remedy.update(), "pulumi up", "./dive up FRA"),
        (Remedy.refresh(), "pulumi up --refresh", "./dive up FRA"),
        (Remedy.refresh("USA"), "pulumi up --refresh -s usa", "./dive up USA"),
        (Remedy.update("USA", "starts it"), "pulumi up -s usa (starts it)", "./dive up USA (starts it)"),
        (
            Remedy.update("USA", f"{UP}, then this stack"),
            "pulumi up -s usa, then this stack",
            "./dive up USA, then this stack",
        ),
        (Remedy.deploy(detail="builds them"), "./dive up (builds them)", "./dive up FRA (builds them)"),
        (Remedy.decide(f"remove it, or: X=1 {UP}"), "remove it, or: X=1 pulumi up", "remove it, or: X=1 ./dive up FRA"),
        (Remedy.decide("restore it", f"A=v {UP}"), "restore it, or A=v pulumi up", "restore it, or A=v ./dive up FRA"),
        (Remedy.wait(f"wait, then: {UP}"), "wait, then: pulumi up", "wait, then: ./dive up FRA"),
        (Remedy.run("docker volume rm x"), "docker volume rm x", "docker volume rm x"),
        (Remedy.restart("FRA", "opa", "x"), "./dive restart FRA opa x", "./dive restart FRA opa x"),
        (NO_REMEDY, "", ""),
    ],
)
def test_a_remedy_is_rendered_for_pulumi_and_for_dive(remedy: Remedy, pulumi: str, dive: str) -> None:
    assert str(remedy) == pulumi
    assert remedy.command("FRA") == dive
    assert bool(remedy) is bool(pulumi)


def test_an_error_renders_cause_expectation_and_next_step_and_keeps_each_as_a_field() -> None:
    error = DiveError("refused", Remedy.update(), Code.NOT_APPROVED, expected="a role that is declared")
    assert str(error) == "refused; expected a role that is declared; next: pulumi up"
    assert (error.cause, error.remedy, error.code) == ("refused", Remedy.update(), Code.NOT_APPROVED)
    assert str(DiveError("gone")) == "gone"


def test_alternatives_are_lines_of_their_own_in_a_message() -> None:
    error = DiveError("it is lost", Remedy.decide("restore it", f"ACCEPT=v {UP}", country="FRA"))
    assert str(error) == "it is lost. Next, one of:\n  restore it\n  ACCEPT=v pulumi up -s fra"
