"""PREFLIGHT, without an engine."""

from unittest.mock import Mock

import pytest

from dive_infra.checks import objects, preflight, runner
from dive_infra.checks.runner import CheckFailed
from dive_infra.engines.engine import EngineObject
from tests.unit.checks.specs import FRANCE, SPECS


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:2375", "ssh://somebody@elsewhere", "npipe:////./pipe/docker"])
def test_an_engine_elsewhere_is_refused_by_its_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", endpoint)
    looked = [c for c in preflight.checks(SPECS[0]) if c.topic == "endpoint"]  # type: ignore[arg-type]
    (refused,) = runner.run(looked, 5).findings
    assert refused.verdict == "invalid"
    assert f"{endpoint} (DOCKER_HOST)" in refused.found
    assert "an engine on this machine" in refused.expected
    assert "127.0.0.1" in refused.expected
    assert str(refused.remedy) == "DOCKER_HOST=unix:///var/run/docker.sock pulumi up"


def test_an_engine_at_a_socket_of_this_machine_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert preflight.endpoint() == "unix:///run/user/1000/docker.sock"


def test_all_taken_ports_are_reported_and_the_remedy_names_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    opa, kas = FRANCE.port("opa"), FRANCE.port("kas")
    holder = EngineObject("container", "other", {}, (opa,))
    monkeypatch.setattr(objects, "connect", lambda: Mock(containers=lambda: [holder]))
    monkeypatch.setattr(preflight, "_listening", lambda: {kas: "1 python (pid 7)"})
    first, *_ = sorted([(opa, "opa"), (kas, "kas")])
    with pytest.raises(CheckFailed) as failed:
        preflight.ports(FRANCE, ("opa", "kas"))
    taken = {opa: f"{opa} (opa) by container other", kas: f"{kas} (kas) by 1 python (pid 7)"}
    assert failed.value.found == "taken: " + "; ".join(taken[port] for port in sorted(taken))
    assert f"pulumi config set --path dive:ports.{first[1]} <port>" in str(failed.value.remedy)


def _kas(name: str, **labels: str) -> EngineObject:
    owned = {**FRANCE.labels("kas", "core"), "dive.stack": "fra-1", **labels}
    return EngineObject("container", name, owned, (FRANCE.port("kas"),))


def test_a_renamed_container_is_known_by_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Mock(containers=lambda: [_kas("kas-old")], networks=list, volumes=list)
    monkeypatch.setattr(objects, "connect", lambda: engine)
    monkeypatch.setattr(preflight, "_listening", lambda: {FRANCE.port("kas"): "docker-proxy (pid 7)"})
    assert preflight.ports(FRANCE, ("kas",)) == "1 ports"
    assert preflight.orphaned(FRANCE, "fra-1", ("kas",)) == "none"


@pytest.mark.parametrize(
    "others",
    [
        [_kas("kas-old"), EngineObject("container", FRANCE.container("kas"), FRANCE.labels("kas", "core"))],
        [_kas("kas-old"), _kas("kas-older")],
        [_kas("kas-old", **{"dive.country": "DEU"})],
        [_kas("kas-old", **{"dive.carrier": "files"})],
    ],
    ids=["the declared one exists", "two of them", "another country's", "a carrier of files"],
)
def test_a_container_that_is_not_certainly_ours_takes_the_port(
    monkeypatch: pytest.MonkeyPatch, others: list[EngineObject]
) -> None:
    monkeypatch.setattr(objects, "connect", lambda: Mock(containers=lambda: others))
    monkeypatch.setattr(preflight, "_listening", dict)
    with pytest.raises(CheckFailed, match="by container kas-old"):
        preflight.ports(FRANCE, ("kas",))
