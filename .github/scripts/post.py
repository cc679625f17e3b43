"""Keeps one comment of a pull request, or one issue, up to date: found again by a hidden mark, edited in place.

    post.py comment --head OWNER:BRANCH --commit SHA FOLDER   one comment per FOLDER/*.md, marked with its name
    post.py issue --title TITLE FILE                          opens the issue, or edits the open one
    post.py resolved --title TITLE                            closes the open issue

Calls `$GITHUB_API_URL` for `$GITHUB_REPOSITORY` with `$GITHUB_TOKEN`, which a workflow passes to its steps. Uses only
Python's standard library, so that a step installs no packages.
"""

import argparse
import json
import os
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

AUTHOR = "github-actions[bot]"
MAX_CHARACTERS = 65_000  # GitHub refuses more than 65,536
MAX_COMMENTS = 50  # the code of the pull request decides how many files exist
PAGE_SIZE = 100
TIMEOUT_SECONDS = 30


def api(method: str, path: str, body: object = None) -> Any:
    """Send one request about the repository; return the JSON of the answer."""
    address = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    headers = {
        "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 (GitHub's own address)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def pages(path: str, **query: str | int) -> Iterator[Any]:
    """Yield the items of all pages of a list."""
    number = 1
    while True:
        found = api("GET", f"{path}?{urllib.parse.urlencode({**query, 'per_page': PAGE_SIZE, 'page': number})}")
        yield from found
        if len(found) < PAGE_SIZE:
            return
        number += 1


def marked(name: str, text: str) -> str:
    """Return the text with its hidden mark, truncated to what GitHub accepts."""
    mark = f"<!-- dive:{name} -->"
    cut = (
        "\n\n… truncated: too long for a comment; the full text is in the run's artifacts."
        if len(text) > MAX_CHARACTERS
        else ""
    )
    return f"{mark}\n{text[:MAX_CHARACTERS]}{cut}"


def ours(item: Any, name: str) -> bool:
    """Return True if a workflow wrote the item under this mark; the mark alone proves nothing, anyone can write it."""
    return item["user"]["login"] == AUTHOR and (item["body"] or "").startswith(f"<!-- dive:{name} -->")


def comment(head: str, commit: str, folder: Path) -> None:
    """Comment on the open pull request whose branch is still at this commit; a later push has its own run."""
    found = [pull for pull in pages("pulls", state="open", head=head) if pull["head"]["sha"] == commit]
    if not found:
        print(f"no open pull request of {head} is at {commit}: nothing to comment on")
        return
    number = found[0]["number"]
    before = list(pages(f"issues/{number}/comments"))
    for file in sorted(folder.glob("*.md"))[:MAX_COMMENTS]:
        if not re.fullmatch(r"[a-z-]{1,40}", file.stem):
            sys.exit(f"{file.name}: expected a name of lowercase letters and hyphens, such as preview-fra.md")
        body = {"body": marked(file.stem, file.read_text())}
        known = next((c["id"] for c in before if ours(c, file.stem)), None)
        if known:
            api("PATCH", f"issues/comments/{known}", body)
        else:
            api("POST", f"issues/{number}/comments", body)
        print(f"{file.stem}: {'edited' if known else 'created'} in pull request {number}")


def issue(title: str, file: Path | None) -> None:
    """Open the issue with the text of `file`, or edit the open one; without a file, close it."""
    name = re.sub(r"[^a-z]+", "-", title.lower())
    known = next((i["number"] for i in pages("issues", state="open") if ours(i, name)), None)
    if file is None:
        print(f"closed issue {known}" if known else "no open issue has this title")
        if known:
            api("PATCH", f"issues/{known}", {"state": "closed"})
        return
    body = {"title": title, "body": marked(name, file.read_text())}
    if known:
        api("PATCH", f"issues/{known}", body)
    else:
        api("POST", "issues", body)
    print(f"edited issue {known}" if known else "opened an issue")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    on_pull = verbs.add_parser("comment")
    on_pull.add_argument("--head", required=True)
    on_pull.add_argument("--commit", required=True)
    on_pull.add_argument("folder", type=Path)
    opened = verbs.add_parser("issue")
    opened.add_argument("--title", required=True)
    opened.add_argument("file", type=Path)
    resolved = verbs.add_parser("resolved")
    resolved.add_argument("--title", required=True)
    given = parser.parse_args()
    if given.verb == "comment":
        comment(given.head, given.commit, given.folder)
    else:
        issue(given.title, getattr(given, "file", None))


if __name__ == "__main__":
    main()
