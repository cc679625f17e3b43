"""The pages: links lead somewhere, the index is complete, what is said of the code is true, shown output is real.

`pytest tests/unit/test_docs.py --docs` writes the outputs that pages show.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from dive_infra.cli.__main__ import app
from dive_infra.config import environment
from dive_infra.config.environment import FAMILIES, VARIABLES
from dive_infra.config.paths import ROOT
from dive_infra.config.settings import Settings
from tests.unit.test_import_order import ORDER

DOCS = ROOT / "docs"
GENERATED = ("faults.md", "healing-table.md", "crash-points-table.md", "errors.md")  # their words are the code's
SKIPPED = {".venv", ".git", ".dive", "node_modules", "artifacts"}

PAGES = sorted(p for p in ROOT.rglob("*.md") if not SKIPPED & {*p.relative_to(ROOT).parts})
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_SHOWN = re.compile(r"<!-- (golden|output|comment) ([^\n]+) -->\n(.*?)<!-- /\1 -->", re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text())


def links(page: Path) -> list[str]:
    return [t for t in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if not re.match(r"[a-z]+:", t)]


def anchors(page: Path) -> set[str]:
    """The ids that GitHub gives to the headings of a page, and those that it states itself."""
    text = prose(page)
    headings = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"(?m)^#+ (.*)$", text)]
    made = {re.sub(r"[^\w -]", "", title.strip()).lower().replace(" ", "-") for title in headings}
    return made | set(re.findall(r'id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_anchor(page: Path) -> None:
    for target in links(page):
        path, _, anchor = unquote(target).partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name(page)}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{name(page)}: {target}"


def test_the_index_lists_every_page() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / target.partition("#")[0]).resolve() for target in links(index)}
    pages = {p for p in PAGES if p.is_relative_to(DOCS)} - {index}
    assert {name(p) for p in pages - listed} == set()


def variables() -> set[str]:
    """The names of our environment variables in everything that runs."""
    files = [ROOT / "dive", ROOT / "__main__.py"]
    for folder in ("dive_infra", "services", "policy", "tests", ".github"):
        files += [p for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".yml", ".sh")]
    mine = Path(__file__)
    return {v for f in files if f != mine for v in re.findall(r"\b_?DIVE_[A-Z]+(?:_[A-Z]+)*\b", f.read_text())}


def test_the_page_of_environment_variables_names_exactly_those_of_the_code() -> None:
    listed = re.findall(r"`(_?DIVE_[A-Z_]+)`", (DOCS / "reference" / "environment.md").read_text())
    assert len(variables()) > 8, "else the code was not read"
    assert {*listed} == variables()


def test_the_page_of_environment_variables_shows_their_table() -> None:
    page = (DOCS / "reference" / "environment.md").read_text()
    rows = [re.split(r" *\| *", line.strip("| ")) for line in page.splitlines() if line.startswith("| `")]
    shown = {row[0].strip("`"): row[1:] for row in rows}
    for variable in VARIABLES:
        assert {variable.purpose, variable.readers} <= {*shown[variable.name]}, variable.name
    assert {variable.name for variable in VARIABLES} == variables()


def test_the_page_of_environment_variables_shows_what_is_left_out_and_explains_what_is_kept() -> None:
    page, _, table = (DOCS / "reference" / "environment.md").read_text().partition("## What is left out")
    for family in FAMILIES:
        kept = ", ".join(f"`{name}`" for name in sorted(family.kept)) or "–"
        assert f"| `{family.prefix}…` | {kept} | {family.reason} |" in table
        for name in family.kept:
            assert f"`{name}`" in page or family.prefix in ("PIP_", "UV_"), name


def test_only_their_module_names_environment_variables_of_our_own() -> None:
    for path in (ROOT / "dive_infra").rglob("*.py"):
        tree = ast.parse(path.read_text())
        described = {id(getattr(node, "value", None)) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in described]
        named = [n.value for n in texts if isinstance(n.value, str) and re.search(r"\bDIVE_[A-Z]", n.value)]
        assert not named or path == Path(environment.__file__), f"{name(path)}: {named}"


def test_the_page_of_settings_names_every_setting() -> None:
    listed = re.findall(r"(?m)^\| (.*?) \|", (DOCS / "reference" / "settings.md").read_text())
    keys = {key.split(".")[0] for row in listed for key in re.findall(r"`dive:(\w+)", row)}
    assert keys == {field.alias or key for key, field in Settings.model_fields.items()}


def test_the_architecture_lists_every_package_in_the_order_of_imports() -> None:
    listed = re.findall(r"(?m)^\| `dive_infra/(\w+)` \|", (ROOT / "ARCHITECTURE.md").read_text())
    packages = {p.parent.name for p in (ROOT / "dive_infra").glob("*/__init__.py")}
    assert sorted(listed) == sorted(packages)
    rank = {package: place for place, row in enumerate(ORDER) for package in row}
    assert listed == sorted(listed, key=lambda package: rank[package])


TOP = ("dive_infra", "tests", "services", "policies", "policy", "images", "toolchain", "schemas", "docs", ".github")


def paths(page: Path) -> Iterator[str]:
    """What a page names as a path of this repository: `tests/faults`, not `policies/<name>`."""
    for text in re.findall(r"`([^`\s]+)`", prose(page)):
        if text.split("/")[0] in TOP and "/" in text and not set("<>*{}…") & {*text}:
            yield text


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in GENERATED], ids=name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    assert [text for text in paths(page) if not (ROOT / text).exists()] == []


def shown(kind: str, what: str) -> str:
    """What a page shows: an expected output of the tests, or what the command prints now."""
    if kind in ("golden", "comment"):
        return (ROOT / "tests" / "unit" / "goldens" / what).read_text()
    return CliRunner().invoke(app, what.split()).stdout


@pytest.mark.parametrize("page", [p for p in PAGES if _SHOWN.search(p.read_text())], ids=name)
def test_shown_output_is_real(page: Path, request: pytest.FixtureRequest) -> None:
    def written(found: "re.Match[str]") -> str:
        kind, what, _ = found.groups()
        text = f"{shown(kind, what).rstrip()}\n"
        inside = text if kind == "comment" else f"```text\n{text}```\n"  # which GitHub renders
        return f"<!-- {kind} {what} -->\n{inside}<!-- /{kind} -->"

    text = page.read_text()
    now = _SHOWN.sub(written, text)
    if request.config.getoption("--docs"):
        page.write_text(now)
    assert page.read_text() == now, "next: pytest tests/unit/test_docs.py --docs"
