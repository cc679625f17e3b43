"""Side effects are steps: each is reported before and after to a listener, and none is left out."""

import ast
import re
import socket
from pathlib import Path
from threading import Thread

import pytest

import dive_infra
from dive_infra.config.environment import STEPS
from dive_infra.process.crash_points import crash_point
from dive_infra.results.errors import DiveError

PACKAGE = Path(dive_infra.__file__).parent

# How something outside is changed, in the packages that providers act through.
WRITES = re.compile(
    r"""\.insert_many\(|\.bulk_write\(|\.replace_one\(|\.delete_many\(|\.update_one\(
    |\.volumes\.create\(|\.containers\.create\(|\.put_archive\(|\b(api\.post|network\.(dis)?connect|network\.remove)\(
    |\b(container|made)\.(start|restart|unpause|stop|remove|rename)\(
    |\bapi\.(create_network|remove_network|(dis)?connect_container_(to|from)_network)\(
    |engine\.remove_network\(|\._send\((?!"GET")|\.transaction\(\)|pg_advisory_unlock|pg_try_advisory_lock""",
    re.VERBOSE,
)
READS = {"keycloak_admin.export"}  # Keycloak exports by a POST
PLACES = (
    "seeds",
    "identity",
    "orchestration",
    "engines/docker/container_repair.py",
    "engines/docker/files.py",
    "engines/docker/links.py",
    "dynamic/network_probe.py",
)


def test_without_a_listener_a_step_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STEPS, raising=False)
    with crash_point("make tea"):
        pass


def test_both_boundaries_are_reported_and_wait_for_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "steps"
    told: list[str] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        monkeypatch.setenv(STEPS, str(path))

        def answer() -> None:
            for _ in range(2):
                line, _ = server.accept()
                with line:
                    told.append(line.recv(100).decode())
                    line.sendall(b".")

        listener = Thread(target=answer)
        listener.start()
        with crash_point("make tea"):
            assert told == ["before make tea\n"]
        listener.join(5)
    assert told == ["before make tea\n", "after make tea\n"]


def test_a_listener_that_closes_without_an_answer_ends_the_step_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "steps"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        monkeypatch.setenv(STEPS, str(path))

        def close() -> None:
            line, _ = server.accept()
            with line:
                line.recv(100)

        listener = Thread(target=close)
        listener.start()
        with pytest.raises(DiveError) as failed, crash_point("make tea"):
            pass
        listener.join(5)
    assert str(failed.value) == f"{path} was closed without an answer; next: unset {STEPS}"


def test_a_step_that_fails_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STEPS, "")
    with pytest.raises(ZeroDivisionError), crash_point("make tea"):
        _ = 1 / 0


def functions(path: Path) -> list[tuple[str, ast.FunctionDef]]:
    tree = ast.parse(path.read_text())
    return [(n.name, n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]


@pytest.mark.parametrize("place", PLACES)
def test_no_write_escapes_the_steps(place: str) -> None:
    seen = 0
    here = PACKAGE / place
    for path in sorted(here.rglob("*.py")) if here.is_dir() else [here]:
        for name, function in functions(path):
            text = ast.unparse(function)
            if WRITES.search(text.replace("'", '"')) and f"{path.stem}.{name}" not in READS:
                seen += 1
                assert "with crash_point(" in text, f"{path.name}: {name} changes something outside a step"
    assert seen, "else nothing was looked at"
