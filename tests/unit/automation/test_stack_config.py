"""Stack files: how a country is entered in them, and the engine that they share."""

from pathlib import Path

import pytest
import yaml

from dive_infra.automation import stack_config
from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES, HUB, parse
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.config.settings import SettingsError, load


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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    return tmp_path


BY_TLS = "config:\n  dive:engine: tcp://10.0.0.5:2376\n  dive:engineCertificates: .dive/engine\n"


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({}, EngineSelection()),
        ({"usa": "config: {}\n", "fra": ""}, EngineSelection()),
        ({"usa": BY_TLS, "fra": BY_TLS}, EngineSelection("tcp://10.0.0.5:2376", ".dive/engine")),
        ({"usa": "config: [", "fra": "config:\n  dive:engine: ssh://host\n"}, EngineSelection("ssh://host")),
        ({"fra": "config:\n  'dive:engine': ssh://host\n", "other": "config: {}\n"}, EngineSelection("ssh://host")),
    ],
    ids=["no files", "none named", "both the same", "one cannot be read", "a file of no country"],
)
def test_the_stack_files_of_a_folder_name_one_engine(
    folder: Path, files: dict[str, str], named: EngineSelection
) -> None:
    for stack, text in files.items():
        (folder / f"Pulumi.{stack}.yaml").write_text(text)
    assert stack_config.engine() == named


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        ("config: {}\n", "Pulumi.usa.yaml: none"),
        ("config:\n  dive:engine: context:lab\n", "Pulumi.usa.yaml: context:lab"),
    ],
)
def test_different_engines_are_refused_with_both_and_a_way_out(folder: Path, other: str, shown: str) -> None:
    (folder / "Pulumi.usa.yaml").write_text(other)
    (folder / "Pulumi.fra.yaml").write_text(BY_TLS)
    with pytest.raises(SettingsError) as refused:
        stack_config.engine()
    assert str(refused.value) == (
        f"dive:engine differs: {shown}; Pulumi.fra.yaml: tcp://10.0.0.5:2376 with .dive/engine; "
        "expected the same in all stack files of a folder; "
        "next: take one checkout, or one DIVE_STACKS folder, for each engine"
    )


def test_a_wrong_engine_is_named_with_its_file(folder: Path) -> None:
    (folder / "Pulumi.fra.yaml").write_text("config:\n  dive:engine: ssh://-o\n")
    with pytest.raises(SettingsError, match=r"Pulumi\.fra\.yaml: dive:engine: found 'ssh://-o', expected unix:///path"):
        stack_config.engine()


def test_a_new_country_gets_the_engine_of_the_others(folder: Path) -> None:
    (folder / "Pulumi.fra.yaml").write_text(BY_TLS)
    made = load("gbr", yaml.safe_load(stack_config.file_text(None, parse("GBR")))["config"])
    assert made.engine_selection == EngineSelection("tcp://10.0.0.5:2376", ".dive/engine")
