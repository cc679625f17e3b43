"""PREFLIGHT, without an engine."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from dive_infra.checks import objects, preflight, runner
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import PreflightSpec
from dive_infra.config.naming import STACK_LABEL
from dive_infra.engines.engine import EngineObject, Facts, PublishedPort
from dive_infra.membership.fields import moment_text
from dive_infra.results.codes import Code
from dive_infra.results.text import now
from tests.unit.checks.specs import FRANCE, SPECS, USA


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:2375", "ssh://somebody@elsewhere", "npipe:////./pipe/docker"])
def test_an_engine_elsewhere_that_publishes_on_its_own_loopback_is_refused(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", endpoint)
    looked = [c for c in preflight.checks(SPECS[0]) if c.topic == "endpoint"]  # type: ignore[arg-type]
    (refused,) = runner.run(looked, 5).findings
    assert refused.verdict == "invalid"
    assert refused.found == f"{endpoint} (DOCKER_HOST), which publishes on its own 127.0.0.1"
    assert "an address of the engine's machine" in refused.expected
    assert str(refused.remedy) == "pulumi config set dive:address <ip>, then: pulumi up"


def test_an_engine_elsewhere_that_publishes_where_others_reach_it_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://somebody@elsewhere")
    assert preflight.endpoint("10.0.0.5") == "ssh://somebody@elsewhere"
    with pytest.raises(CheckFailed):
        preflight.endpoint("127.0.0.2")


def test_the_disk_of_another_machine_is_not_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(objects, "connect", lambda: Mock(facts=lambda: Facts("28", 1 << 35, str(tmp_path))))
    monkeypatch.setenv("DOCKER_HOST", "ssh://somebody@elsewhere")
    assert preflight.disk(1e9) == "on another machine, not checked"


def test_an_engine_at_a_socket_of_this_machine_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert preflight.endpoint() == "unix:///run/user/1000/docker.sock"


def test_all_taken_ports_are_reported_and_the_remedy_names_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    opa, kas = FRANCE.port("opa"), FRANCE.port("kas")
    holder = EngineObject("container", "other", {}, (PublishedPort("127.0.0.1", opa),))
    monkeypatch.setattr(objects, "connect", lambda: Mock(containers=lambda: [holder]))
    monkeypatch.setattr(preflight, "_listening", lambda _: {kas: "1 python (pid 7)"})
    first, *_ = sorted([(opa, "opa"), (kas, "kas")])
    with pytest.raises(CheckFailed) as failed:
        preflight.ports(FRANCE, ("opa", "kas"))
    taken = {opa: f"{opa} (opa) by container other", kas: f"{kas} (kas) by 1 python (pid 7)"}
    assert failed.value.found == "taken: " + "; ".join(taken[port] for port in sorted(taken))
    assert f"pulumi config set --path dive:ports.{first[1]} <port>" in str(failed.value.remedy)


def test_the_disk_of_an_engine_whose_folder_only_root_may_look_into_is_that_of_the_folder_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "docker" / "100000.100000"
    data.mkdir(parents=True)
    looks_at = Path.stat

    def stat(place: Path, **how: bool) -> os.stat_result:
        if place == data:
            raise PermissionError(place)
        return looks_at(place, **how)

    facts = Facts("20.10", 1 << 33, str(data))
    monkeypatch.setattr(objects, "connect", lambda: Mock(facts=lambda: facts))
    monkeypatch.setattr(Path, "stat", stat)
    assert preflight.disk(0).endswith("GiB free")
    monkeypatch.setattr(Path, "stat", looks_at)
    data.rmdir()
    assert preflight.disk(0) == "inside a virtual machine, not checked"


@pytest.mark.parametrize(
    ("volumes", "advisory"),
    [
        pytest.param([], False, id="a first deployment is refused"),
        pytest.param([(FRANCE.data_volume("opa"), "fra")], True, id="a country with data heals"),
        pytest.param([(FRANCE.data_volume("opa"), "other")], False, id="the data of another stack does not count"),
        pytest.param([(FRANCE.files_volume("opa"), "fra")], False, id="files are no data"),
    ],
)
def test_too_little_disk_space_refuses_only_a_first_deployment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, volumes: list[tuple[str, str]], advisory: bool
) -> None:
    kept = [EngineObject("volume", name, {STACK_LABEL: stack}) for name, stack in volumes]
    engine = Mock(facts=lambda: Facts("28", 1 << 35, str(tmp_path)), volumes=lambda: kept)
    monkeypatch.setattr(objects, "connect", lambda: engine)
    spec = PreflightSpec(FRANCE, "fra", ("opa",), disk=1e9)
    (finding,) = runner.run([c for c in preflight.checks(spec) if c.topic == "disk"], 5).findings
    assert (finding.verdict, finding.advisory) == ("invalid", advisory)
    assert "GiB free below" in finding.found
    assert "free space on" in str(finding.remedy)


@pytest.mark.parametrize(
    ("existing", "free", "verdict", "advisory"),
    [
        pytest.param([], 1, "valid", False, id="enough"),
        pytest.param([], 0, "invalid", False, id="used up"),
        pytest.param([], None, "unknown", True, id="not known, which stops nothing"),
        pytest.param([FRANCE.network], 0, "valid", False, id="a deployed country needs none"),
    ],
)
def test_address_ranges_that_are_used_up_are_named_before_anything_is_created(
    monkeypatch: pytest.MonkeyPatch, existing: list[str], free: int | None, verdict: str, advisory: bool
) -> None:
    there = [EngineObject("network", name, {}) for name in existing]
    prune = "docker network prune"
    engine = Mock(networks=lambda: there, free_address_ranges=lambda _most: free, pruning_command=lambda: prune)
    monkeypatch.setattr(objects, "connect", lambda: engine)
    asked = [c for c in preflight.checks(SPECS[0]) if c.topic == "address ranges"]  # type: ignore[arg-type]
    (finding,) = runner.run(asked, 5).findings
    assert (finding.verdict, finding.advisory) == (verdict, advisory)
    if verdict == "invalid":
        assert finding.found == f"0 of 1 free for: {FRANCE.network}"
        assert prune in str(finding.remedy)


@pytest.mark.parametrize(
    ("address", "published_at", "taken"),
    [
        ("", "127.0.0.1", True),
        ("", "::1", True),
        ("", "0.0.0.0", True),
        ("", "192.0.2.7", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "::", True),
        ("192.0.2.7", "127.0.0.1", False),
        ("192.0.2.7", "::1", False),
    ],
)
def test_a_port_is_taken_at_the_countrys_address_alone(
    monkeypatch: pytest.MonkeyPatch, address: str, published_at: str, taken: bool
) -> None:
    there = replace(FRANCE, address=address)
    port = there.port("kas")
    holder = EngineObject("container", "other", {}, (PublishedPort(published_at, port),))
    line = Mock(status="LISTEN", laddr=Mock(ip=published_at, port=port), pid=None)
    for containers, lines in (([holder], []), ([], [line])):
        monkeypatch.setattr(objects, "connect", lambda containers=containers: Mock(containers=lambda: containers))
        monkeypatch.setattr(preflight.psutil, "net_connections", lambda _, lines=lines: lines)
        if taken:
            with pytest.raises(CheckFailed) as failed:
                preflight.ports(there, ("kas",))
            assert failed.value.expected.startswith(f"1 ports free on {there.published} or held")
        else:
            assert preflight.ports(there, ("kas",)) == "1 ports"


def test_of_an_engine_elsewhere_only_the_containers_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://engine.example")
    port = FRANCE.port("kas")
    monkeypatch.setattr(preflight, "_listening", lambda _: {port: "a program of this machine"})
    monkeypatch.setattr(objects, "connect", lambda: Mock(containers=list))
    known = "1 ports, known of containers alone: the engine is on another machine"
    assert preflight.ports(FRANCE, ("kas",)) == known
    holder = EngineObject("container", "other", {}, (PublishedPort("127.0.0.1", port),))
    monkeypatch.setattr(objects, "connect", lambda: Mock(containers=lambda: [holder]))
    with pytest.raises(CheckFailed, match="by container other"):
        preflight.ports(FRANCE, ("kas",))


def test_a_network_of_a_link_that_is_not_there_needs_a_range_too(monkeypatch: pytest.MonkeyPatch) -> None:
    to_usa, to_deu = FRANCE.link_network(USA), f"{FRANCE.namespace}-link-deu-fra"
    there = [EngineObject("network", name, {}) for name in (FRANCE.network, to_deu)]
    monkeypatch.setattr(objects, "connect", lambda: Mock(networks=lambda: there, free_address_ranges=lambda _most: 0))
    with pytest.raises(CheckFailed) as failed:
        preflight.address_ranges(FRANCE, (to_usa, to_deu))
    assert failed.value.found == f"0 of 1 free for: {to_usa}"


def _kas(name: str, **labels: str) -> EngineObject:
    owned = {**FRANCE.labels("kas", "core"), "dive.stack": "fra-1", **labels}
    return EngineObject("container", name, owned, (PublishedPort("127.0.0.1", FRANCE.port("kas")),))


def test_a_renamed_container_is_known_by_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Mock(containers=lambda: [_kas("kas-old")], networks=list, volumes=list)
    monkeypatch.setattr(objects, "connect", lambda: engine)
    monkeypatch.setattr(preflight, "_listening", lambda _: {FRANCE.port("kas"): "docker-proxy (pid 7)"})
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
    monkeypatch.setattr(preflight, "_listening", lambda _: {})
    with pytest.raises(CheckFailed, match="by container kas-old"):
        preflight.ports(FRANCE, ("kas",))


@pytest.mark.parametrize(
    ("days", "verdict", "found"),
    [(-1, "invalid", "ended at "), (29.5, "invalid", "29 days left"), (31.5, "valid", "31 days left")],
    ids=["ended", "ends soon", "in force"],
)
def test_an_agreement_that_ends_is_reported_in_time_and_stops_no_deployment(
    days: float, verdict: str, found: str
) -> None:
    end = moment_text(now() + timedelta(days=days))
    spec = PreflightSpec(FRANCE, "mark", (), ends={"FRA": end})
    looked = [check for check in preflight.checks(spec) if check.topic == "agreements"]
    (answer,) = runner.run(looked, 5).findings
    assert (answer.verdict, answer.advisory) == (verdict, True)
    assert found in answer.found
    if verdict == "invalid":
        assert answer.code == Code.AGREEMENT
        assert "set dive:agreements.FRA.expires of USA, then: ./dive up USA" in answer.remedy.command("FRA")
