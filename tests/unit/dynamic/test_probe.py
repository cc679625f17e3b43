"""The probe of a container, without an engine: the rest is in providers/test_container_resources.py."""

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from dive_infra import engines
from dive_infra.dynamic.base import ProviderError
from dive_infra.dynamic.probe import ProbeProvider
from dive_infra.engines.declaration import Declared
from dive_infra.engines.engine import Condition, ContainerFailed
from tests.unit.checks.specs import OPA

PGDATA = "/var/lib/postgresql/cluster"
POSTGRES = replace(OPA, name="t-unit-fra-postgres", image="sha256:old", environment={"PGDATA": PGDATA})


class Machine:
    """An engine with images (id -> PG_MAJOR) and the PG_VERSION of the data, None without a container."""

    def __init__(self, data: str | None, **majors: str) -> None:
        self.data, self.majors = data, majors
        self.removed: list[str] = []

    def image_environment(self, image: str) -> dict[str, str]:
        major = self.majors.get(image.removeprefix("sha256:"), "")
        return {"PG_MAJOR": major} if major else {}

    def read_file(self, name: str, path: str) -> str:
        assert (name, path) == (POSTGRES.name, f"{PGDATA}/PG_VERSION")
        if self.data is None:
            raise ContainerFailed(f"{name} does not exist")
        return f"{self.data}\n"

    def find(self, _declared: Declared) -> Condition:
        return Condition(self.data is not None)

    def differences(self, _live: Condition, _declared: Declared) -> list[Any]:
        return []

    def remove_container(self, declared: Declared) -> None:
        self.removed.append(declared.name)


def update(monkeypatch: pytest.MonkeyPatch, machine: Machine, image: str = "sha256:new") -> Any:
    monkeypatch.setattr(engines, "connect", lambda: machine)
    before = {"container": POSTGRES.name, "declared": POSTGRES.plain(), "generation": 0}
    return ProbeProvider().update_resource({**before, "declared": replace(POSTGRES, image=image).plain()}, before)


@pytest.mark.parametrize("data", [pytest.param("15", id="by its data"), pytest.param(None, id="by its last image")])
def test_an_image_that_cannot_read_the_data_is_refused_before_the_container_is_removed(
    monkeypatch: pytest.MonkeyPatch, data: str | None
) -> None:
    machine = Machine(data, old="15", new="18")
    with pytest.raises(ProviderError) as refused:
        update(monkeypatch, machine)
    assert "is of Postgres 15, its new image of Postgres 18; the container is kept" in refused.value.cause
    assert "dive:images.postgres <an image of 15>" in str(refused.value.remedy)
    assert machine.removed == []


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(Machine("15", old="15", new="15"), id="the same major version"),
        pytest.param(Machine("18", old="15", new="18"), id="the data was moved"),
        pytest.param(Machine("15", old="15"), id="an image that does not say its version"),
    ],
)
def test_any_other_image_is_taken(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    assert update(monkeypatch, machine) == {"generation": 0}


def test_the_data_is_looked_at_only_where_the_image_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine("15", old="18")
    machine.image_environment = Mock(side_effect=AssertionError)  # type: ignore[method-assign]
    assert update(monkeypatch, machine, POSTGRES.image) == {"generation": 0}
