"""DEPLOYMENT, without an engine."""

from unittest.mock import Mock

import pytest

from dive_infra.catalog.spec import FILES
from dive_infra.checks import deployment, objects
from dive_infra.engines.engine import Condition, Difference
from dive_infra.results.codes import Code
from dive_infra.results.finding import Verdict
from tests.unit.checks.specs import DEPLOYMENT


@pytest.mark.parametrize(
    ("difference", "files", "code"),
    [
        (Difference("mounts", f"{FILES} ours", f"{FILES} other", in_place=False), "f1", Code.CONTAINER),
        (None, "f2", Code.SERVICE_FILES),
    ],
)
def test_the_code_of_a_container_follows_from_what_differs_and_not_from_its_words(
    monkeypatch: pytest.MonkeyPatch, difference: Difference | None, files: str, code: Code
) -> None:
    engine = Mock()
    engine.find.return_value = Condition(True, running=True, health="healthy")
    engine.differences.return_value = [difference] if difference else []
    engine.files_digest.return_value = files
    monkeypatch.setattr(objects, "connect", lambda: engine)
    [found] = deployment.containers(DEPLOYMENT.containers)
    assert (found.verdict, found.code, found.state) == (Verdict.INVALID, code, "healthy")


def test_each_difference_of_a_container_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One must not hide another: limits are changed in place, and files need another container."""
    engine = Mock()
    engine.find.return_value = Condition(True, running=True, health="unhealthy", name="t-unit-fra-opa")
    engine.differences.return_value = [Difference("memory", "64", "32", in_place=True)]
    engine.files_digest.return_value = "f2"
    monkeypatch.setattr(objects, "connect", lambda: engine)
    [found] = deployment.containers(DEPLOYMENT.containers)
    assert found.found == f"memory: 32; other files in {FILES}; running, unhealthy"
    assert found.expected == "memory: 64; those that were written; running, healthy"
    assert (found.code, found.advisory) == (Code.CONTAINER, False)


def test_a_renamed_container_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Mock()
    engine.find.return_value = Condition(True, running=True, health="healthy", name="opa-old")
    engine.differences.return_value = [Difference("name", "t-unit-fra-opa", "opa-old", in_place=True)]
    engine.files_digest.side_effect = {"opa-old": "f1"}.__getitem__
    monkeypatch.setattr(objects, "connect", lambda: engine)
    [found] = deployment.containers(DEPLOYMENT.containers)
    assert (found.found, found.expected) == ("name: opa-old", "name: t-unit-fra-opa")
