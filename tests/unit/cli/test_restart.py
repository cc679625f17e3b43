"""`./dive restart`, before anything is restarted."""

from pathlib import Path

from typer.testing import CliRunner

from dive_infra.cli.__main__ import app
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names

FRA = Names(parse("FRA"))


def test_an_unknown_service_is_told_with_the_nearest_known_one(checkout: Path) -> None:
    done = CliRunner().invoke(app, ["restart", "FRA", "bakend"])
    assert done.exit_code == 2
    assert "'bakend' is not a service of FRA; did you mean backend?; expected one of postgres, mongodb," in done.stderr
