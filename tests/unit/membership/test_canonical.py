"""The one form of a signed file, and the reader that accepts no other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.membership import canonical
from dive_infra.membership.refusals import Malformed, Source
from dive_infra.results.remedy import Remedy

SOURCE = Source("members/fra.json", Remedy.decide("get it again"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('abcé"\\\n', max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", max_size=2), VALUES, max_size=4)


@given(OBJECTS)
def test_what_is_written_is_read(value: dict[str, object]) -> None:
    assert canonical.read(canonical.text(value).encode(), SOURCE) == value
    assert json.loads(canonical.canonical(value)) == value


@given(OBJECTS, OBJECTS)
def test_objects_have_the_same_bytes_only_if_they_are_equal(one: dict[str, object], other: dict[str, object]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # for Python, True equals 1
    assert (canonical.canonical(one) == canonical.canonical(other)) == same


def test_bytes_have_sorted_keys_no_spaces_and_are_utf_8() -> None:
    assert canonical.canonical({"b": [1, 2], "a": "é"}) == '{"a":"é","b":[1,2]}'.encode()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is not JSON (line 1, column 1)"),
        (b'{"a": 1,}', "is not JSON (line 1, column 9)"),
        (b'{\n  "a": 1,\n  "a": 1\n}\n', "has the key a twice"),
        (b'{"a": {"b": 1, "b\x5cu0000": 2, "b": 3}}', "has the key b twice"),
        (b'{\n  "a": 1.0\n}\n', "holds the number 1.0, and only whole numbers are accepted"),
        (b'{\n  "a": NaN\n}\n', "holds the number NaN, and only whole numbers are accepted"),
        (b'{\n  "a": "\xff"\n}\n', "is not UTF-8"),
        (b'{\n  "a": "\\ud800"\n}\n', "is not UTF-8"),
        (b"[" * 100_000, "is not usable JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not usable JSON"),
        (b"[]\n", "holds no JSON object"),
        (b'{"a": 1}', "has other spaces, line ends, escapes or order of keys than a signed file"),
        (b'{\r\n  "a": 1\r\n}\r\n', "has other spaces, line ends, escapes or order of keys than a signed file"),
        (b'{\n  "a": "\\u0041"\n}\n', "has other spaces, line ends, escapes or order of keys than a signed file"),
    ],
)
def test_a_file_of_another_form_is_refused(content: bytes, found: str) -> None:
    with pytest.raises(Malformed) as refused:
        canonical.read(content, SOURCE)
    expected = "expected a signed file, byte for byte"
    assert str(refused.value) == f"members/fra.json {found}; {expected}; next: get it again"


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(Malformed, match="has 1048577 bytes; expected at most 1048576"):
        canonical.read(b"[" * (canonical.LIMIT + 1), SOURCE)


def test_many_keys_cost_no_more_than_their_number() -> None:
    keys = ",".join(f'"{n}":0' for n in range(90_000))
    with pytest.raises(Malformed, match="has the key x twice"):
        canonical.read(f'{{{keys},"x":0,"x":0}}'.encode(), SOURCE)
