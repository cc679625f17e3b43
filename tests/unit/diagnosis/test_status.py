"""Status: both axes, the problems, and their commands."""

import pytest

from dive_infra.cli import status as status_verb
from dive_infra.diagnosis.status import judge
from tests.unit.diagnosis.situations import CASES


@pytest.mark.parametrize("name", CASES)
def test_both_axes_and_the_exit_code(name: str) -> None:
    seen, state, health, code = CASES[name]
    judged = judge(seen)
    assert (judged.deployment.state, judged.health, status_verb.outcome(judged)) == (state, health, code)


@pytest.mark.parametrize("name", CASES)
def test_every_problem_has_a_cause_and_an_exact_command(name: str) -> None:
    for problem in judge(CASES[name][0]).problems:
        assert problem.found
        assert problem.next.startswith(
            (
                "./dive up FRA",
                "./dive up USA",
                "./dive doctor FRA",
                "pulumi cancel -s fra --yes",
                "remove it by hand, or: ",
            )
        )


@pytest.mark.parametrize(("name", "phase"), [("failed", "SEEDING"), ("failed-still", "VERIFICATION"), ("well", "")])
def test_a_failed_deployment_names_the_phase_that_failed(name: str, phase: str) -> None:
    """That of the record, or that in which the failed run held the lock."""
    assert judge(CASES[name][0]).deployment.phase == phase
