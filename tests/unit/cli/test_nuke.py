"""`./dive nuke` asks before it removes."""

import pytest
import typer

from dive_infra.cli import nuke
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.teardown.inventory import Inventory
from dive_infra.teardown.owned_objects import OwnedObject

FRA = Names(parse("FRA"))


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
