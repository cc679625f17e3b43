"""Stack files: how a country is entered in them."""

import pytest
import yaml

from dive_infra.automation import stack_config
from dive_infra.config.countries import COUNTRIES, HUB, parse
from dive_infra.config.settings import load


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("config:\n    dive:spokes:\n        - FRA # f\n    dive:documents: '50'\n", "        - GBR"),
        ("config:\n  dive:spokes:\n  - FRA\n  dive:secrets:\n    redis:\n      secure: v1:abc\n", "  - GBR"),
        ("encryptionsalt: v1:x\nconfig:\n  a: {b: c}  # kept\n  dive:spokes:\n    # ours\n    - FRA\n", "    - GBR"),
    ],
)
def test_a_country_is_entered_in_the_way_that_the_file_is_written(text: str, added: str) -> None:
    lines = stack_config.added(text, "spokes", "GBR").splitlines()
    assert added in lines
    lines.remove(added)
    assert lines == text.splitlines()


@pytest.mark.parametrize("text", ["", "config:\n", "config: {}\n", "config:\n  dive:spokes: '[]'\n"])
def test_the_first_country_is_entered_too(text: str) -> None:
    assert stack_config.approves(stack_config.added(text, "spokes", "GBR"), "GBR")
    assert load("usa", yaml.safe_load(stack_config.added(text, "spokes", "GBR"))["config"]).spokes == ("GBR",)


@pytest.mark.parametrize(
    "text",
    ["config:\n  a: {b: c}  # kept\n", "config:\n  dive:cut:\n  - GBR\n", "config:\n  dive:cut: '[\"GBR\"]'\n"],
    ids=["the first", "one more", "JSON"],
)
def test_a_country_that_was_entered_is_taken_out_again(text: str) -> None:
    entered = stack_config.added(text, "cut", "FRA")
    assert "FRA" in yaml.safe_load(entered)["config"]["dive:cut"]
    assert stack_config.removed(entered, "cut", "FRA") == text


def test_every_country_of_the_table_gets_a_file_that_fits_the_hub() -> None:
    hub = load("usa", {"dive:namespace": "other", "dive:domain": "x.localhost", "dive:ports": {"redis": 7777}})
    hub = hub.model_copy(update={"address": "127.0.0.2"})
    for code in COUNTRIES.keys() - {HUB.code}:
        spoke = load(code.lower(), yaml.safe_load(stack_config.file_text(hub, parse(code)))["config"])
        assert (spoke.namespace, spoke.address) == ("other", "127.0.0.2")
        assert spoke.names.zone == f"{code.lower()}.x.localhost"


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("config:\n  a: b  # kept\n", "config:\n  a: b  # kept\n  dive:authorities:\n  - 2\n  - 1\n"),
        ("config:\n  dive:authorities:\n  - 1\n  - 2\n", "config:\n  dive:authorities:\n  - 2\n  - 1\n"),
        ("config:\n  dive:authorities: '[1, 2]'\n", "config:\n  dive:authorities: '[2, 1]'\n"),
    ],
    ids=["none", "a list", "JSON"],
)
def test_a_list_is_replaced_as_a_whole(text: str, then: str) -> None:
    changed = stack_config.replaced(text, "authorities", (2, 1))
    assert yaml.safe_load(changed) == yaml.safe_load(then)
    assert load("usa", yaml.safe_load(changed)["config"] | {"a": 1}).authorities == (2, 1)
    assert "# kept" in changed or "# kept" not in text
