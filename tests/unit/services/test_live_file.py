"""A file that is updated while a service runs: what is new counts at once, what is no use changes nothing."""

import json
import logging
import os
from pathlib import Path

import pytest

from dive_common.live_file import LiveFile
from dive_common.settings import MissingSetting

GOOD, BETTER = json.dumps({"partners": ["FRA"]}), json.dumps({"partners": ["DEU"]})


def write(path: Path, text: str) -> None:
    """As the engine does: another file in its place, with the time that the archive says."""
    path.unlink(missing_ok=True)
    path.write_text(text)
    os.utime(path, (0, 0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "live.json", GOOD)
    return tmp_path / "live.json"


def test_a_change_counts_at_once_though_neither_size_nor_time_shows_it(path: Path) -> None:
    live = LiveFile(path, json.loads)
    assert live.value() == json.loads(GOOD)
    write(path, BETTER)
    assert live.value() == json.loads(BETTER)


def test_a_file_that_did_not_change_is_read_once(path: Path) -> None:
    read: list[str] = []
    live = LiveFile(path, read.append)
    for _ in range(3):
        live.value()
    assert read == [GOOD]


@pytest.mark.parametrize("cut", range(len(BETTER)))
def test_of_a_half_written_file_the_last_good_one_is_kept(path: Path, cut: int) -> None:
    live = LiveFile(path, json.loads)
    write(path, BETTER[:cut])
    assert live.value() == json.loads(GOOD)
    with path.open("a") as writing:
        writing.write(BETTER[cut:])
    assert live.value() == json.loads(BETTER)


def test_a_file_that_is_no_use_is_logged_once_and_again_after_it_was_good(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    live = LiveFile(path, json.loads)
    path.unlink()
    for _ in range(3):
        assert live.value() == json.loads(GOOD)
    write(path, "{")
    live.value()
    write(path, GOOD)
    live.value()
    path.unlink()
    live.value()
    gone = f"{path} cannot be used: No such file or directory; the last good one is kept"
    assert [line for line in caplog.messages if "No such" in line] == [gone, gone]
    assert len(caplog.messages) == 3


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_service_does_not_start_without_it(path: Path, text: str | None) -> None:
    path.unlink()
    if text is not None:
        write(path, text)
    with pytest.raises(MissingSetting, match=f"file {path} cannot be used: "):
        LiveFile(path, json.loads)
