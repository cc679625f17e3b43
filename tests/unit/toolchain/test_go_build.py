"""Building a program from its Go module."""

import re
import shutil
import threading
from pathlib import Path

import pytest

from dive_infra.toolchain import go_build, toolchain


def quiet(_: str) -> None:
    """Progress that no one watches."""


def test_the_versions_named_are_those_of_the_go_modules() -> None:
    def pinned(module: str, dependency: str) -> str:
        text = (go_build.SOURCES / module / "go.mod").read_text()
        match = re.search(rf"{re.escape(dependency)} v(\S+)", text)
        assert match, f"toolchain/{module}/go.mod does not require {dependency}"
        return match[1]

    assert pinned("pulumi", "github.com/pulumi/pulumi/pkg/v3") == toolchain.PULUMI
    assert pinned("pulumi", "github.com/pulumi/pulumi/sdk/v3") == toolchain.PULUMI
    assert pinned("language-python", "github.com/pulumi/pulumi/sdk/v3") == toolchain.LANGUAGE_HOST


def test_a_program_is_keyed_by_its_own_inputs_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(go_build.SOURCES, tmp_path / "toolchain")
    monkeypatch.setattr(go_build, "SOURCES", tmp_path / "toolchain")
    names = ("pulumi", "pulumi-resource-docker", "opa", "ferretdb")
    before = {name: toolchain.key(name) for name in names}
    (tmp_path / "toolchain" / "ferretdb" / "main.go").write_text("package main")
    assert [name for name in names if toolchain.key(name) != before[name]] == ["ferretdb"]


def test_two_builders_build_once_and_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    target, said, second = tmp_path / "kept", list[str](), list[Path | None]()

    def other() -> None:
        with go_build.building(target, said.append) as work:
            second.append(work)

    with go_build.building(target, quiet) as work:
        assert work
        thread = threading.Thread(target=other)
        thread.start()
        (work / "program").write_text("whole")
        while not said:
            thread.join(0.01)
    thread.join(10)
    assert second == [None]
    assert said == ["waiting for another process that makes kept"]
    assert (target / "program").read_text() == "whole"

    with pytest.raises(RuntimeError, match="compiler"), go_build.building(tmp_path / "failed", quiet):
        raise RuntimeError("compiler")
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "kept.lock", "failed.lock"}
