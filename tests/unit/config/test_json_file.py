"""JSON of other programs: a file is read, or the message names what is broken."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dive_infra.config import json_file
from dive_infra.config.json_file import BrokenFile, unreadable
from dive_infra.results.remedy import Remedy

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def outcome(content: bytes) -> tuple[dict[str, Any], str]:
    """Return what is read, or else the message."""
    try:
        return json_file.parse(content, "x.json"), ""
    except BrokenFile as broken:
        return {}, str(broken)


@given(st.binary(max_size=64) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b"9" * 10_000)
@example(b"")
@example(b"\xff\xfe")
def test_a_content_is_an_object_or_broken(content: bytes) -> None:
    found, told = outcome(content)
    if told:
        assert told.startswith("x.json ")
        assert told.endswith("; expected a JSON object")
    else:
        assert found == json.loads(content)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "is empty"),
        (" \n", "holds only blanks"),
        ('{"a": 1', "is not JSON (line 1, column 8)"),
        ("[]", "holds a list"),
        ("null", "holds null"),
        ("5", "holds a number"),
    ],
)
def test_it_says_what_is_broken_and_what_is_next(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(BrokenFile) as broken:
        json_file.read(path, Remedy.run("fix it"))
    assert str(broken.value) == f"{path} {found}; expected a JSON object; next: fix it"


def test_the_content_is_never_quoted(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile) as broken:
        json_file.parse('{"password": "canary" oops', "x")
    assert "canary" not in str(broken.value)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(json_file.UnreadableFile, match=f"{tmp_path}: Is a directory"):
        json_file.read(tmp_path)


def test_another_users_file_is_named_with_its_owner_and_the_command(tmp_path: Path) -> None:
    path = tmp_path / "a b"
    path.touch(mode=0o600)
    told = str(unreadable(path, PermissionError(13, "Permission denied", str(path))))
    mine = f"{os.geteuid()}:{os.getegid()}"
    assert told.startswith(f"{path} belongs to ")
    assert "(mode 0600)" in told
    assert f"sudo chown -R {mine} '{path}'" in told
