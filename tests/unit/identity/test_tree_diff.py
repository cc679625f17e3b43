"""Trees compared and overlaid."""

from dive_infra.identity.tree_diff import TreeDifference, covers, differences, overlaid


def test_what_is_missing_extra_or_different_is_named_by_its_path() -> None:
    expected = {"client": {"portal": {"enabled": True, "uris": ["a"]}, "gone": {"enabled": True}}}
    found = {"client": {"portal": {"enabled": False, "uris": ["a"]}, "more": {"enabled": True}}}
    assert differences(expected, found) == [
        TreeDifference(("client", "gone"), {"enabled": True}, None),
        TreeDifference(("client", "more"), None, {"enabled": True}),
        TreeDifference(("client", "portal", "enabled"), True, False),
    ]


def test_spellings_of_one_value_are_equal_and_false_is_not_unset() -> None:
    assert differences({"a": True, "b": 5, "c": ["2", "1"]}, {"a": "true", "b": "5", "c": ["1", "2"], "d": ""}) == []
    assert differences({"a": False}, {}) == [TreeDifference(("a",), False, None)]
    assert differences({"a": {}}, {"a": {"b": "1"}}) == [TreeDifference(("a", "b"), None, "1")]


def test_an_overlay_merges_replaces_and_removes() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}
    assert overlaid(base, {"a": {"b": None, "f": 4}, "d": [2]}) == {"a": {"c": 2, "f": 4}, "d": [2], "e": 3}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}


def test_a_declaration_covers_its_values_and_what_is_below_them() -> None:
    declared = {"client": {"portal": {"uris": ["a"], "composites": None}}}
    assert covers(declared, ("client", "portal"))
    assert covers(declared, ("client", "portal", "uris"))
    assert covers(declared, ("client", "portal", "composites", "client"))
    assert not covers(declared, ("client", "portal", "protocolMappers", "more"))
