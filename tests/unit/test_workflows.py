"""The GitHub workflows: linted, pinned, with few rights, and every command of ours in them is one that exists."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from dive_infra.cli.__main__ import app
from dive_infra.config.countries import parse
from dive_infra.config.paths import ROOT
from dive_infra.toolchain import toolchain

PLACE = ROOT / ".github"
WORKFLOWS = sorted((PLACE / "workflows").glob("*.yml"))
SCRIPTS = PLACE / "scripts"
ON = True  # how YAML 1.1 reads the key `on`


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path.name, name, job) for path in WORKFLOWS for name, job in load(path)["jobs"].items()]


def runs() -> list[tuple[str, str]]:
    return [(path, s["run"]) for path, _, job in jobs() for s in job["steps"] if "run" in s]


def ours() -> list[str]:
    """Each `./dive …` of the workflows and their scripts, the country filled in."""
    texts = [text for _, text in runs()] + [(SCRIPTS / "drift.sh").read_text()]
    lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith(("#", "printf"))]
    found = [match[0] for line in lines for match in re.finditer(r"\./dive [^>|)]*", line)]
    return [re.sub(r"\$\{?\w+(,,)?\}?", "FRA", command) for command in found]


def test_actionlint_finds_nothing() -> None:
    program = shutil.which("actionlint") or str(toolchain.binary("actionlint", print))
    done = subprocess.run([program, "-no-color", *map(str, WORKFLOWS)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def taken(command: str) -> None:
    """Raises what the command line raises when it does not know the verb, an option or an argument."""
    _, verb, *arguments = shlex.split(command)
    verbs: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    verbs[verb].make_context(verb, arguments)


@pytest.mark.parametrize("command", ours())
def test_each_command_is_one_that_the_command_line_takes(command: str) -> None:
    taken(command)


@pytest.mark.parametrize("command", ["./dive uq USA", "./dive status FRA --jason", "./dive test --fast=3"])
def test_a_command_that_it_does_not_take_is_noticed(command: str) -> None:
    with pytest.raises(Exception, match=r"uq|jason|fast"):
        taken(command)


def test_the_verbs_that_are_called_are_these() -> None:
    assert {command.split()[1] for command in ours()} == {"test", "preview", "up", "status", "env"}


@pytest.mark.parametrize(("path", "text"), runs())
def test_no_value_of_an_event_is_pasted_into_a_shell(path: str, text: str) -> None:
    assert "${{" not in text, "by `env`, so that a branch's name can't be a command"
    subprocess.run(["bash", "-n", "-c", text], check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    for line in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_what_is_called_is_of_one_version_everywhere() -> None:
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text())}
    assert len({line.split("@")[0] for line in used}) == len(used)


@pytest.mark.parametrize(("path", "name", "job"), jobs(), ids=[f"{p}-{n}" for p, n, _ in jobs()])
def test_each_job_ends_and_may_write_only_what_it_is_for(path: str, name: str, job: dict[str, Any]) -> None:
    assert 0 < job["timeout-minutes"] <= 90
    whole = load(PLACE / "workflows" / path)
    assert "permissions" in whole, "else it has whatever the repository gives"
    rights = job.get("permissions", whole["permissions"])
    writes = {right for right, level in rights.items() if level == "write"}
    assert writes == {("preview-comment.yml", "comment"): {"pull-requests"}, ("drift.yml", "issue"): {"issues"}}.get(
        (path, name), set()
    )
    for step in job["steps"]:
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_code_of_a_pull_request_never_meets_a_right_to_write_nor_a_host_of_ours() -> None:
    for path in WORKFLOWS:
        workflow = load(path)
        events, text = workflow[ON], path.read_text()
        assert "pull_request_target" not in events
        if "pull_request" in events:
            assert "self-hosted" not in text
            assert "write" not in str(workflow["permissions"])
        if "workflow_run" in events and path.name != "deploy.yml":
            assert not re.search(r"^\s*ref:", text, re.MULTILINE), "it checks out the default branch"
    trusted = load(PLACE / "workflows" / "deploy.yml")["jobs"]["stacks"]["if"]
    for needed in ("conclusion == 'success'", "event == 'push'", "head_branch == 'main'", "== github.repository"):
        assert needed in trusted


def test_what_a_fork_has_written_is_not_posted_in_the_name_of_the_bot() -> None:
    """It decides what its preview says, and all that a job gets of it is that text."""
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            posts = any("post.py comment" in step.get("run", "") for step in job["steps"])
            assert posts is (path.name == "preview-comment.yml"), f"{path.name} {name}"
            if posts:
                clauses = [clause.strip() for clause in job["if"].split("&&")]
                assert "github.event.workflow_run.head_repository.full_name == github.repository" in clauses
                assert "||" not in job["if"]


def test_the_hub_goes_before_the_spokes_and_each_asks_its_approvers() -> None:
    deploy = load(PLACE / "workflows" / "deploy.yml")["jobs"]
    assert {"hub"} <= set(deploy["spokes"]["needs"])
    assert deploy["hub"]["environment"] == "USA"
    assert deploy["spokes"]["environment"] == "${{ matrix.country }}"
    drift = load(PLACE / "workflows" / "drift.yml")["jobs"]["drift"]
    assert drift["concurrency"]["group"] == deploy["spokes"]["concurrency"]["group"] == "stack-${{ matrix.country }}"
    assert deploy["hub"]["concurrency"]["group"] == "stack-USA"


def test_the_matrix_is_that_of_the_stack_files() -> None:
    [command] = {text for _, text in runs() if "stacks.py" in text}
    told = subprocess.run(
        ["bash", "-euc", command.replace('>> "$GITHUB_OUTPUT"', "")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = dict(line.split("=", 1) for line in told.splitlines())
    countries, spokes = json.loads(lines["all"]), json.loads(lines["spokes"])
    assert countries[0] == "USA"
    assert spokes == countries[1:]
    assert {f"Pulumi.{parse(code).lower}.yaml" for code in countries} == {p.name for p in ROOT.glob("Pulumi.*.yaml")}


# The site as far as post.py speaks to it: pulls, comments and issues, kept in memory, a hundred a page.


@dataclass
class Site:
    pulls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    comments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    issues: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    address: str = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.asked.append((method, path))
        if method == "POST":
            made = {"user": {"login": "github-actions[bot]"}, "id": len(self.comments) + 1, "state": "open", **body}
            made["number"] = len(self.issues) + 1
            (self.comments if path.endswith("/comments") else self.issues).append(made)
            return made
        *_, kind, last = path.split("/")
        if method == "PATCH":
            [known] = [
                i for i in (self.comments if kind == "comments" else self.issues) if int(last) in (i["id"], i["number"])
            ]
            return known.update(body)
        rows = {"comments": self.comments, "pulls": self.pulls, "issues": self.issues}[last]
        rows = [r for r in rows if last == "comments" or r["state"] == query["state"]]
        first = (int(query["page"]) - 1) * int(query["per_page"])
        return rows[first : first + int(query["per_page"])]


@pytest.fixture
def site() -> Iterator[Site]:
    there = Site()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            assert self.headers["Authorization"] == "Bearer token-of-the-run"
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            path, _, query = self.path.partition("?")
            assert path.startswith("/repos/coalition/dive/")
            found = there.answer(self.command, path, dict(urllib.parse.parse_qsl(query)), body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        there.address = f"http://127.0.0.1:{server.server_port}"
        yield there
        server.shutdown()
        thread.join()


def post(site: Site, *arguments: str) -> str:
    given = {
        "GITHUB_API_URL": site.address,
        "GITHUB_REPOSITORY": "coalition/dive",
        "GITHUB_TOKEN": "token-of-the-run",
    }
    command = [sys.executable, str(SCRIPTS / "post.py"), *arguments]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


PULL = {"number": 7, "state": "open", "head": {"sha": "c0ffee"}}


def test_a_country_has_one_comment_edited_in_place(site: Site, tmp_path: Path) -> None:
    site.pulls.append(PULL)
    stranger = {"id": 900, "number": 0, "user": {"login": "somebody"}, "body": "<!-- dive:preview-fra --> not ours"}
    site.comments.extend([stranger] * 120)  # ours are on the second page
    (tmp_path / "preview-fra.md").write_text("# FRA: 3 to create")
    (tmp_path / "preview-usa.md").write_text("# USA: nothing")
    where = ["comment", "--head", "coalition:topic", "--commit", "c0ffee", str(tmp_path)]
    post(site, *where)
    (tmp_path / "preview-fra.md").write_text("# FRA: nothing")
    post(site, *where)
    made = [c for c in site.comments if c is not stranger]
    assert [c["body"] for c in made] == [
        "<!-- dive:preview-fra -->\n# FRA: nothing",
        "<!-- dive:preview-usa -->\n# USA: nothing",
    ]
    assert ("POST", "/repos/coalition/dive/issues/7/comments") in site.asked


def test_a_run_of_a_commit_that_is_no_longer_the_newest_says_nothing(site: Site, tmp_path: Path) -> None:
    site.pulls.append(PULL)
    (tmp_path / "preview-fra.md").write_text("old")
    told = post(site, "comment", "--head", "coalition:topic", "--commit", "beef", str(tmp_path))
    assert "nothing to comment on" in told
    assert not site.comments


def test_a_comment_that_is_too_long_is_cut_and_notes_the_cut(site: Site, tmp_path: Path) -> None:
    site.pulls.append(PULL)
    (tmp_path / "preview-fra.md").write_text("x" * 100_000)
    post(site, "comment", "--head", "coalition:topic", "--commit", "c0ffee", str(tmp_path))
    [made] = site.comments
    assert len(made["body"]) < 65_536
    assert made["body"].endswith("artifacts.")


def test_drift_is_one_issue_edited_while_it_is_open_and_closed_when_all_is_well(site: Site, tmp_path: Path) -> None:
    text = tmp_path / "issue.md"
    title = ["--title", "Drift of the coalition"]
    assert "no open issue" in post(site, "resolved", *title)
    for told in ("FRA drifted", "FRA and USA drifted"):
        text.write_text(told)
        post(site, "issue", *title, str(text))
    [issue] = site.issues
    assert issue["body"].endswith("FRA and USA drifted")
    assert issue["title"] == "Drift of the coalition"
    post(site, "resolved", *title)
    assert issue["state"] == "closed"
    text.write_text("again")
    post(site, "issue", *title, str(text))
    assert len(site.issues) == 2
