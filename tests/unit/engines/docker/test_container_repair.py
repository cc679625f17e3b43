"""Name and limits of a container that is repaired in place, with the engine replaced; `providers` has a real one."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from docker.errors import APIError

from dive_infra.catalog.spec import HealthCheck
from dive_infra.config.naming import NAMESPACE_LABEL
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker import container_repair
from dive_infra.engines.docker.differences import _networks
from dive_infra.engines.engine import Condition, ContainerFailed

# What Docker answers, by how far the process has ended.
ENDING = ("task 5a23 not found: not found", "cannot update a stopped container: OCI runtime", "container is restarting")


class _Engine:
    """An engine that refuses with each of these texts once, then accepts."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = [*refusals]
        self.api = SimpleNamespace(base_url="", api_version="1.41", post=self._post)

    def _post(self, _url: str, json: dict[str, Any]) -> SimpleNamespace:
        assert json["PidsLimit"] == 50
        return SimpleNamespace(ok=not self.refusals, text=self.refusals.pop(0) if self.refusals else "")


DECLARED: Any = SimpleNamespace(name="opa", processes=50, memory=64, cpus=0.5)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_repair, "POLL", 0)


@pytest.mark.parametrize("refusal", ENDING)
def test_limits_are_set_again_after_any_refusal_of_an_ending_process(refusal: str) -> None:
    engine: Any = _Engine(refusal)
    container_repair._limit(engine, DECLARED)
    assert not engine.refusals


def test_a_refusal_that_stays_is_named() -> None:
    engine: Any = _Engine(*["no such memory"] * 9)
    with pytest.raises(ContainerFailed, match="opa: cannot set its limits: no such memory"):
        container_repair._limit(engine, DECLARED)


@pytest.mark.parametrize(("present", "calls"), [("opa-old", [("opa",)]), ("opa", [])])
def test_a_renamed_container_gets_its_name_back(present: str, calls: list[tuple[str]]) -> None:
    engine = Mock()
    container_repair._rename(engine, DECLARED, Condition(True, id="1", name=present))
    assert [call.args for call in engine.containers.get.return_value.rename.call_args_list] == calls


def test_a_refused_name_is_reported_with_both_names() -> None:
    engine = Mock()
    engine.containers.get.return_value.rename.side_effect = APIError("", explanation="the name is in use")
    with pytest.raises(ContainerFailed, match="opa: cannot rename opa-old: the name is in use"):
        container_repair._rename(engine, DECLARED, Condition(True, id="1", name="opa-old"))


def test_networks_of_links_are_left_alone_and_any_other_that_is_not_declared_is_left() -> None:
    """They come and go with partners, while the container and its gate stay as they are."""
    labels = {NAMESPACE_LABEL: "t"}
    declared = Declared("opa", "1:1", HealthCheck(("true",)), networks={"t-fra": ("opa",)}, labels=labels)
    ends = {name: {"NetworkID": name, "Aliases": ["opa"]} for name in ("t-fra", "t-link-fra-usa", "t-shared", "other")}
    attributes = {"NetworkSettings": {"Networks": ends}}
    assert _networks(attributes, declared) == ["other/?", "t-fra/opa"]
    engine = Mock()
    engine.networks.get.side_effect = lambda name: left.setdefault(name, Mock(id=name))
    left: dict[str, Mock] = {}
    assert container_repair._connect(engine, declared, Condition(True, attributes=attributes))
    assert left.keys() == {"other", "t-fra"}
    left["other"].disconnect.assert_called_once()
    left["t-fra"].disconnect.assert_not_called()
