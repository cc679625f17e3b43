"""Error and exit codes: one table each, and what is written about them is made from it or held against it."""

import pytest
from typer.testing import CliRunner

from dive_infra.cli.__main__ import app
from dive_infra.cli.exits import EPILOG, MEANINGS, Exit, worst
from dive_infra.config.paths import ROOT
from dive_infra.results.codes import CODES, GROUPS, KINDS, Code, UnknownCode, find, page

PACKAGE = ROOT / "dive_infra"


def test_every_code_has_one_row() -> None:
    assert list(CODES) == list(Code)


@pytest.mark.parametrize("code", [code for code, row in CODES.items() if row.reserved], ids=lambda code: code.name)
def test_a_reserved_code_is_never_reported(code: Code) -> None:
    sources = (path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "codes.py")
    assert not any(f"Code.{code.name}" in text for text in sources)


def test_the_table_has_the_numbers_of_dive_v3() -> None:
    wanted = {*range(1001, 1008), *range(1101, 1108), *range(1201, 1208), *range(1301, 1309)}
    wanted |= {*range(1401, 1407), *range(1501, 1506)}
    wanted |= {Code.LINK_PENDING, Code.AGREEMENT}  # there were no such answers
    assert CODES.keys() == wanted
    assert {number // 100 for number in CODES} == GROUPS.keys()
    assert {row.kind for row in CODES.values()} == KINDS.keys()


def test_the_page_is_made_from_the_table() -> None:
    assert (ROOT / "docs" / "reference" / "errors.md").read_text() == page(), (
        "next: ./dive explain --page > …/errors.md"
    )


@pytest.mark.parametrize("number", CODES)
def test_every_link_leads_to_an_anchor_that_is_there(number: int) -> None:
    path, _, anchor = CODES[number].anchor.partition("#")
    assert f'<a id="{anchor}"></a>' in (ROOT / path).read_text()


def test_a_code_is_explained() -> None:
    result = CliRunner().invoke(app, ["explain", "1301"])
    assert result.exit_code == 0
    assert result.stdout.startswith("1301 Federation link (recoverable")
    assert "./dive up FRA" in result.stdout
    assert "docs/reference/errors.md#1301" in result.stdout


@pytest.mark.parametrize("text", ["1399", "13", "federation", "١٣٠١", "-1"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(UnknownCode, match="expected one of 1001 to 1505"):
        find(text)


def test_an_unknown_code_ends_as_wrong_use() -> None:
    assert CliRunner().invoke(app, ["explain", "1399"]).exit_code == Exit.UNKNOWN


def test_exit_codes_are_documented_where_they_are_looked_for() -> None:
    assert {code.value for code in Exit} == {0, 1, 2, 3, 4, 130}
    assert MEANINGS.keys() == set(Exit)
    written = (ROOT / "docs" / "reference" / "commands.md").read_text()
    for code, meaning in MEANINGS.items():
        assert f"| {code.value} | {meaning} |" in written
    shown = " ".join(CliRunner().invoke(app, ["--help"]).stdout.replace("│", " ").split())
    assert EPILOG in shown


def test_the_worst_of_several_countries_decides() -> None:
    assert worst([]) == worst([Exit.OK, Exit.OK]) == Exit.OK
    assert worst([Exit.UNKNOWN, Exit.OK, Exit.FINDINGS, Exit.PARTIAL]) == Exit.FINDINGS
    assert worst([Exit.UNKNOWN, Exit.PARTIAL, Exit.LOCKED]) == Exit.PARTIAL
    assert worst([Exit.OK, Exit.UNKNOWN]) == Exit.UNKNOWN
