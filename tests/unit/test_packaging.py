"""The package as pip sees it, and the hooks that run before a commit."""

import re
import tomllib
from importlib import import_module
from typing import Any

import pytest
import yaml

from dive_infra.cli.test import CHECKS
from dive_infra.config.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def hooks() -> dict[str, dict[str, Any]]:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    return {hook["id"]: hook for hook in repository["hooks"]}


def test_the_command_of_the_package_is_there() -> None:
    module, _, function = PROJECT["project"]["scripts"]["dive"].partition(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("package", ["dive_infra", "dive_infra.identity", "dive_infra.orchestration"])
def test_files_that_are_not_python_are_part_of_the_package(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    for pattern in PROJECT["tool"]["setuptools"]["package-data"][package]:
        assert [*folder.glob(pattern)], f"{package}: {pattern} matches no file"
    listed = {
        path for pattern in PROJECT["tool"]["setuptools"]["package-data"][package] for path in folder.glob(pattern)
    }
    others = {p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    inner = [folder / "identity", folder / "orchestration"] if package == "dive_infra" else []
    nested = {p for p in others if any(p.is_relative_to(below) for below in inner)}
    assert others - nested - listed == set()


def test_every_dependency_list_is_one_that_pip_and_setuptools_read() -> None:
    dynamic = PROJECT["tool"]["setuptools"]["dynamic"]
    files = [*dynamic["dependencies"]["file"], *dynamic["optional-dependencies"]["dev"]["file"]]
    assert files == ["requirements.in", "requirements-dev.in"]
    for file in files:
        assert not [line for line in (ROOT / file).read_text().splitlines() if line.startswith("-")], file


def test_a_commit_is_checked_by_what_ci_checks() -> None:
    for name, command in CHECKS:
        words = hooks()[name]["entry"].split()
        expected = [word for word in command if word not in paths(command)]
        assert [words[0].removeprefix(".venv/bin/"), *words[1:]] == expected
    assert hooks()["tests"]["entry"].split()[-1] == "tests/unit"


def paths(command: list[str]) -> list[str]:
    """Those of the words that name files: a hook gets the changed ones instead."""
    return [word for word in command if (ROOT / word).exists()]


def test_a_long_subject_is_refused() -> None:
    hook = hooks()["subject"]
    assert hook["stages"] == ["commit-msg"]
    pattern = re.compile(hook["entry"], re.MULTILINE | re.DOTALL)
    assert pattern.search("x" * 73)
    assert not pattern.search("x" * 72 + "\n\n" + "y" * 200)
