"""Renders a comment as GitHub shows it, into a picture: python -m tests.support.picture comment.md picture.png"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

_PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 24px; width: 980px; font: 14px/1.5 "Noto Sans", "DejaVu Sans", sans-serif; color: #1f2328 }}
.comment {{ border: 1px solid #d1d9e0; border-radius: 6px; margin-bottom: 20px }}
.who {{ background: #f6f8fa; padding: 8px 16px; border-bottom: 1px solid #d1d9e0; color: #59636e }}
.who b {{ color: #1f2328 }}
.text {{ padding: 6px 16px 14px }}
h3 {{ font-size: 17px; margin: 12px 0 10px }}
table {{ border-collapse: collapse; width: 100%; margin: 10px 0 }}
td, th {{ border: 1px solid #d1d9e0; padding: 6px 10px; text-align: left; vertical-align: top }}
td:last-child {{ overflow-wrap: anywhere }}
td:nth-child(-n+2) {{ white-space: nowrap }}
tr:nth-child(2n) {{ background: #f6f8fa }}
code {{ background: #818b981f; border-radius: 4px; padding: 1px 5px; font: 12px "DejaVu Sans Mono", monospace }}
pre {{ background: #f6f8fa; padding: 12px; border-radius: 6px; overflow: hidden; font-size: 12px }}
pre code {{ background: none; padding: 0; white-space: pre-wrap; overflow-wrap: anywhere }}
blockquote {{ margin: 8px 0; padding: 0 12px; color: #59636e; border-left: 4px solid #d1d9e0 }}
</style>{body}"""
_BOX = '<div class="comment"><div class="who"><b>github-actions</b> commented</div><div class="text">{}</div></div>'
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def draw(text: str, picture: Path) -> None:
    """Every comment in `text` as a box of its own; the picture ends where they end."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    comments = [part for part in re.split(r"(?=<!-- dive preview )", text) if part.strip()]
    body = "".join(_BOX.format(markdown.render(comment)) for comment in comments)
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "page.html"
        page.write_text(_PAGE.format(body=body))
        profile = f"--user-data-dir={place}/profile"
        size = f"--window-size=1030,{_height(page, profile)}"
        _chromium(profile, size, f"--screenshot={picture.resolve()}", page.as_uri())


def _height(page: Path, profile: str) -> int:
    """By the browser's own reckoning."""
    page.write_text(page.read_text() + "<script>document.title = document.body.scrollHeight</script>")
    shown = _chromium(profile, "--window-size=1030,600", "--dump-dom", page.as_uri())
    found = re.search(r"<title>(\d+)</title>", shown)
    assert found, shown[-500:]
    return int(found[1]) + 10


def _chromium(*arguments: str) -> str:
    command = ["chromium", *_FLAGS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


if __name__ == "__main__":
    draw(Path(sys.argv[1]).read_text(), Path(sys.argv[2]))
