"""The verbs that change a coalition: what they refuse, what they write, and in which order they work."""

from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from dive_infra.automation import stack_config
from dive_infra.automation.stack_state import CheckpointState, StackState
from dive_infra.catalog.services import services
from dive_infra.cli import fleet, nuke
from dive_infra.cli.__main__ import app
from dive_infra.cli.exits import Exit
from dive_infra.cli.fleet import CountryRun
from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES, HUB, parse
from dive_infra.config.naming import Names
from dive_infra.config.settings import load
from dive_infra.engines.engine import EngineObject
from dive_infra.engines.restart import all_needs
from dive_infra.orchestration.states import Phase
from dive_infra.teardown.hub_side import HubSide, HubUnreadable
from dive_infra.teardown.inventory import Inventory
from dive_infra.teardown.owned_objects import OwnedObject, belongs_to

FRA = Names(parse("FRA"))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.usa.yaml").write_text("# the hub\nconfig:\n  dive:spokes: [FRA] # approved\n")
    (tmp_path / "Pulumi.fra.yaml").write_text("config:\n  dive:hub: organization/dive/usa\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    return tmp_path


def test_a_new_country_is_written_and_entered_and_nothing_else_changes(checkout: Path) -> None:
    done = CliRunner().invoke(app, ["new", "gbr", "--no-preview"])
    assert done.exit_code == 0, done.stderr
    hub = (checkout / "Pulumi.usa.yaml").read_text()
    assert hub == "# the hub\nconfig:\n  dive:spokes: [FRA, GBR] # approved\n"
    text = (checkout / "Pulumi.gbr.yaml").read_text()
    assert text == (
        "# United Kingdom (GBR): https://portal.gbr.dive.localhost:3031\nconfig:\n  dive:hub: organization/dive/usa\n"
    )
    assert "next: ./dive up USA GBR" in done.stderr


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("FRA", "FRA is a country of this coalition already"),
        ("USA", "USA is the hub"),
        ("GRB", "country 'GRB' is not known: expected three capital letters such as FRA; did you mean GRC?"),
        ("../x", "is not known"),
    ],
)
def test_a_country_that_cannot_be_new_is_refused_and_nothing_is_written(checkout: Path, code: str, told: str) -> None:
    before = {p.name: p.read_text() for p in checkout.iterdir()}
    done = CliRunner().invoke(app, ["new", code, "--no-preview"])
    assert done.exit_code == 2
    assert told in done.stderr
    assert {p.name: p.read_text() for p in checkout.iterdir()} == before


def test_what_a_run_that_was_cut_off_has_written_is_completed(checkout: Path) -> None:
    (checkout / "Pulumi.deu.yaml").write_text("config:\n  dive:hub: organization/dive/usa # mine\n")
    assert CliRunner().invoke(app, ["new", "DEU", "--no-preview"]).exit_code == 0
    assert (checkout / "Pulumi.deu.yaml").read_text().endswith("# mine\n")
    assert "[FRA, DEU]" in (checkout / "Pulumi.usa.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("config:\n    dive:spokes:\n        - FRA # f\n    dive:documents: '50'\n", "        - GBR"),
        ("config:\n  dive:spokes:\n  - FRA\n  dive:secrets:\n    redis:\n      secure: v1:abc\n", "  - GBR"),
        ("encryptionsalt: v1:x\nconfig:\n  a: {b: c}  # kept\n  dive:spokes:\n    # ours\n    - FRA\n", "    - GBR"),
    ],
)
def test_a_country_is_entered_in_the_way_that_the_file_is_written(text: str, added: str) -> None:
    lines = stack_config.with_spoke(text, "GBR").splitlines()
    assert added in lines
    lines.remove(added)
    assert lines == text.splitlines()


@pytest.mark.parametrize("text", ["", "config:\n", "config: {}\n", "config:\n  dive:spokes: '[]'\n"])
def test_the_first_country_is_entered_too(text: str) -> None:
    assert stack_config.approves(stack_config.with_spoke(text, "GBR"), "GBR")
    assert load("usa", yaml.safe_load(stack_config.with_spoke(text, "GBR"))["config"]).spokes == ("GBR",)


def test_every_country_of_the_table_gets_a_file_that_fits_the_hub() -> None:
    hub = load("usa", {"dive:namespace": "other", "dive:domain": "x.localhost", "dive:ports": {"redis": 7777}})
    for code in COUNTRIES.keys() - {HUB.code}:
        spoke = load(code.lower(), yaml.safe_load(stack_config.spoke_file_text(hub, parse(code)))["config"])
        assert spoke.hub_names.url("keycloak") == hub.names.url("keycloak")
        assert spoke.hub_names.port("redis") == 7777
        assert spoke.names.zone == f"{code.lower()}.x.localhost"


def test_what_a_service_needs_includes_what_that_needs() -> None:
    needs = all_needs(services(FRA, FRA.of(HUB), [FRA.of(HUB)], {}))
    assert needs["frontend"] == {"postgres", "backend", "mongodb", "redis", "opa"}
    assert needs["postgres"] == set()


def test_an_unknown_service_is_told_with_the_nearest_known_one(checkout: Path) -> None:
    done = CliRunner().invoke(app, ["restart", "FRA", "bakend"])
    assert done.exit_code == 2
    assert "'bakend' is not a service of FRA; did you mean backend?; expected one of postgres, mongodb," in done.stderr


@pytest.mark.parametrize(
    ("kind", "name", "labels", "ours"),
    [
        ("container", "dive-fra-redis", {}, True),
        ("volume", "dive-fra-postgres-data", {}, True),  # made anew by Docker, without labels
        ("volume", "dive-fra-opa-files-0123abcd", {}, True),
        ("network", "dive-fra", {}, True),
        ("network", "dive-shared", {}, False),
        ("volume", "dive-fra-mine", {}, False),
        ("container", "carrier", {"dive.namespace": "dive", "dive.country": "FRA"}, True),
        ("container", "dive-fra-redis", {"dive.namespace": "other", "dive.country": "FRA"}, False),
        ("volume", "dive-usa-postgres-data", {"dive.namespace": "dive", "dive.country": "USA"}, False),
        ("container", "dive-fra-redis-backup", {}, False),
    ],
)
def test_a_country_owns_what_its_labels_or_else_its_names_say(
    kind: str, name: str, labels: dict[str, str], ours: bool
) -> None:
    assert belongs_to(EngineObject(kind, name, labels), FRA) is ours


def ended(*codes: int | None) -> list[CountryRun]:
    return [CountryRun(code, Path("none"), code=end) for code, end in zip(("USA", "FRA", "GBR"), codes, strict=True)]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((0, 0, 0), Exit.OK),
        ((0, 1, 0), Exit.PARTIAL),
        ((0, 3, 1), Exit.PARTIAL),
        ((1, None, None), Exit.FINDINGS),
        ((3, None, None), Exit.LOCKED),
        ((130, None, None), Exit.INTERRUPTED),
    ],
)
def test_the_hub_decides_and_failed_spokes_make_it_partial(codes: tuple[int | None, ...], expected: Exit) -> None:
    assert fleet.ended(ended(*codes)) == expected


def test_the_phase_of_a_deployment_is_read_from_what_it_prints(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("")
    one = CountryRun("GBR", log)
    for line, phase in (
        (" ✓ PREFLIGHT phase complete and validated, skipping (x)\n", Phase.INITIALIZATION),
        (" +  pulumi-python:dynamic/dive:Checkpoint deployment-checkpoint creating (0s)\n", Phase.INITIALIZATION),
        (" +  pulumi-python:dynamic/dive:Checkpoint deployment-checkpoint created (2s)\n", Phase.CONFIGURATION),
        (" ~  pulumi-python:dynamic/dive:Checkpoint seeding-checkpoint updated (2s)\n", Phase.VERIFICATION),
        (" +  pulumi-python:dynamic/dive:Verification verification-proof created (5s)\n", Phase.VERIFICATION),
        # Pulumi repeats all messages at its end.
        ("    ✓ PREFLIGHT phase complete and validated, skipping (x)\n", Phase.VERIFICATION),
    ):
        log.write_text(line)
        with log.open() as printed:
            one._read(printed)
        assert one.phase == phase, line


def test_a_coalition_with_a_country_without_a_file_is_not_begun(checkout: Path) -> None:
    (checkout / "Pulumi.usa.yaml").write_text("config:\n  dive:spokes: [FRA, GBR]\n")
    done = CliRunner().invoke(app, ["up", "--all"])
    assert done.exit_code == 2
    assert "Pulumi.gbr.yaml does not exist" in done.stderr
    both = CliRunner().invoke(app, ["up", "--all", "FRA"])
    assert both.exit_code == 2


@pytest.mark.parametrize(("configured", "known"), [(False, True), (True, False)])
def test_a_hub_of_another_program_is_not_taken_for_one_that_holds_nothing(configured: bool, known: bool) -> None:
    """Its realm may hold the country's link: that cannot be told, which is not the same as nothing."""
    checkpoint = CheckpointState(Phase.CONFIGURATION, "", "", None, "the specification was written by another version")
    hub = StackState("usa", 180, None, {Phase.CONFIGURATION: checkpoint} if configured else {})
    side = HubSide(hub, FRA)
    if known:
        assert side.observe().empty
        return
    with pytest.raises(HubUnreadable, match="USA was deployed by another version of this program"):
        side.observe()


def _confirm(
    monkeypatch: pytest.MonkeyPatch, typed: str, mark: str = "fra-1", of: str = "fra-1", yes: bool = False
) -> int:
    """The exit code of asking for a confirmation, with a person at the terminal who types."""
    there = Inventory(FRA, "fra", mark, 1, 0, (OwnedObject("volume", "dive-fra-redis-data", of),), ())
    monkeypatch.setattr(nuke.sys.stdin, "isatty", lambda: bool(typed), raising=False)
    monkeypatch.setattr(nuke.Prompt, "ask", lambda *_, **__: typed)
    try:
        nuke._confirm(there, yes)
    except typer.Exit as ended_with:
        return ended_with.exit_code
    return 0


@pytest.mark.parametrize(("typed", "code"), [("FRA", 0), (" FRA ", 0), ("fra", 1), ("yes", 1), ("", 2)])
def test_a_country_goes_only_when_its_code_is_typed(monkeypatch: pytest.MonkeyPatch, typed: str, code: int) -> None:
    assert _confirm(monkeypatch, typed) == code


def test_yes_covers_what_this_checkout_deployed_and_what_lost_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _confirm(monkeypatch, "", yes=True) == 0
    assert _confirm(monkeypatch, "", mark="", of="fra-2", yes=True) == 0
    assert _confirm(monkeypatch, "", of="fra-2", yes=True) == 1, "another checkout's"
