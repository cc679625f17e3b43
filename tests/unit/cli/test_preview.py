"""`./dive preview` as a command."""

from typer.testing import CliRunner

from dive_infra.cli.__main__ import app


def test_a_preview_of_an_unknown_country_is_wrong_use() -> None:
    assert CliRunner().invoke(app, ["preview", "FRR"]).exit_code == 2
