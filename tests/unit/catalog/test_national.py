"""Which files are rules of a country, and what is refused before anything is deployed."""

import json
from pathlib import Path

import pytest

from dive_infra.catalog import national, policy
from dive_infra.catalog.spec import Material
from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES, HUB, Country
from dive_infra.config.naming import Names
from dive_infra.crypto import pki

RULE = "# At night no one reads.\n\npackage national.checks.night\n\npass := false\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    made = tmp_path / "rules" / "fra"
    made.mkdir(parents=True)
    (made / "night.rego").write_text(RULE)
    return made


def test_without_the_setting_there_are_none(folder: Path) -> None:
    assert national.read("") == {}


def test_each_file_beside_the_stack_file_is_a_rule_and_tests_are_none(folder: Path) -> None:
    (folder / "night_test.rego").write_text("package anything")
    (folder / "contest.rego").write_text(contest := "  # no test\n  package national.checks.contest\n")
    (folder / "README.md").write_text("Why.")
    assert national.read("rules/fra") == {"contest": contest, "night": RULE}
    assert national.read(str(folder)) == {"contest": contest, "night": RULE}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("more.rego", "package dive.checks.more", "more.rego: package dive.checks.more; expected package national"),
        ("more.rego", "package national.checks.other", "expected package national.checks.more as its first"),
        ("more.rego", "package national", "more.rego: package national; expected package national.checks.more"),
        ("more.rego", "# nothing", "more.rego: nothing; expected package"),
        ("1st.rego", "package national.checks.1st", "1st.rego: is not the name of a rule"),
        ("night-shift.rego", "package national.checks.night-shift", "night-shift.rego: is not the name of a rule"),
        ("A-b.rego", "package x", "A-b.rego: is not the name of a rule; expected <code>.rego in the folder itself"),
        ("below/more.rego", "package national.checks.more", "below/more.rego: is not the name of a rule"),
        ("more.rego", b"\xff", "more.rego: cannot be read"),
    ],
)
def test_what_is_no_rule_is_refused_by_its_name(folder: Path, name: str, text: str | bytes, told: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(national.RulesRefused) as refused:
        national.read("rules/fra")
    assert told in str(refused.value)
    assert "dive:rules: " in str(refused.value)
    assert "docs/how-to/add-national-rules.md" in str(refused.value)


def test_what_cannot_be_read_is_refused_and_not_left_out(folder: Path) -> None:
    (folder / "more.rego").mkdir()
    with pytest.raises(national.RulesRefused, match=r"more.rego: cannot be read .*a text that this user may read"):
        national.read("rules/fra")


def test_a_folder_without_rules_is_refused_so_that_none_is_lost_silently(folder: Path) -> None:
    (folder / "night.rego").unlink()
    for name in ("rules/fra", "rules/frr"):
        with pytest.raises(national.RulesRefused, match=rf"dive:rules: {name}: no file"):
            national.read(name)


@pytest.mark.parametrize("country", [COUNTRIES["FRA"], HUB], ids=["spoke", "hub"])
def test_rules_reach_opa_with_its_own_files_as_a_bundle_that_owns_them(country: Country) -> None:
    names, hub = Names(country), Names(HUB)
    secrets = dict.fromkeys(policy.OPA_TOKENS, "t")
    secrets["policy-key"] = pki.rsa_key()
    spec = policy.opa(names, hub, {"night": RULE})
    files = spec.files(Material(secrets, "certificate", "key", "ca", {"USA": "key of the hub"}))
    assert files["/etc/dive/local/checks/night.rego"] == RULE
    assert json.loads(files["/etc/dive/local/.manifest"])["roots"] == ["national", "system/authz"]
    assert spec.command[-2:] == ("--bundle", "/etc/dive/local")
    without = policy.opa(names, hub).files(Material(secrets, "certificate", "key", "ca", {"USA": "key of the hub"}))
    assert files.keys() - without.keys() == {"/etc/dive/local/checks/night.rego"}
