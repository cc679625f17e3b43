"""A state that was cut off while it was written is found, and made readable without losing what it holds."""

from pathlib import Path

import pytest

from dive_infra.automation import truncated_state

STATE = '{"version": 3, "checkpoint": {}}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / ".pulumi" / "stacks" / "dive"
    made.mkdir(parents=True)
    for name in ("fra.json", "fra.json.bak", "usa.json"):
        (made / name).write_text(STATE)
        (made / f"{name}.attrs").write_text('{"user.content_type": "application/json"}')
    return made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PULUMI_BACKEND_URL": tmp_path.as_uri()}


@pytest.mark.usefixtures("folder")
def test_a_whole_state_is_left_alone(environment: dict[str, str]) -> None:
    assert truncated_state.truncated_files("fra", environment) == []
    assert truncated_state.repair("fra", environment) == []


def test_empty_attributes_are_left_out(folder: Path, environment: dict[str, str]) -> None:
    """As `kill -9` leaves them, when Pulumi was writing its checkpoint."""
    (folder / "fra.json.attrs").write_text("")
    assert [path.name for path in truncated_state.truncated_files("fra", environment)] == ["fra.json.attrs"]
    assert truncated_state.repair("fra", environment) == ["fra.json.attrs was truncated: removed"]
    assert (folder / "fra.json").read_text() == STATE
    assert truncated_state.truncated_files("fra", environment) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_state_with_any_other_content_gives_way_too(
    folder: Path, environment: dict[str, str], content: bytes
) -> None:
    (folder / "fra.json").write_bytes(content)
    assert truncated_state.repair("fra", environment) == ["fra.json was truncated: replaced by the previous state"]


def test_half_a_state_gives_way_to_the_one_before_it(folder: Path, environment: dict[str, str]) -> None:
    (folder / "fra.json").write_text(STATE[:9])
    assert truncated_state.repair("fra", environment) == ["fra.json was truncated: replaced by the previous state"]
    assert (folder / "fra.json").read_text() == STATE


def test_without_a_whole_one_nothing_is_guessed(folder: Path, environment: dict[str, str]) -> None:
    for name in ("fra.json", "fra.json.bak"):
        (folder / name).write_text("")
    assert truncated_state.repair("fra", environment) == []
    assert [path.name for path in truncated_state.truncated_files("fra", environment)] == ["fra.json"]


@pytest.mark.usefixtures("folder")
def test_a_state_elsewhere_has_no_files_to_look_at() -> None:
    assert truncated_state.truncated_files("fra", {"PULUMI_BACKEND_URL": "s3://bucket"}) == []
