"""Renders plans as a comment on a pull request, in GitHub's Markdown."""

import html
from collections.abc import Sequence

from dive_infra.plans.plan import OPERATIONS, Operation, PhasePlan, PlannedChange, UpdatePlan

LIMIT = 65_536  # characters, GitHub's maximum
_CUT = "… the diff is cut here, as a comment can hold no more; all of it: `{command}` without `--yes`"

SIGNS: dict[Operation, str] = {"create": "+", "update": "~", "replace": "±", "delete": "−"}
_WORDS: dict[Operation, str] = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
}
SITUATIONS = {
    "live": "Checked against the live system.",
    "state": "Planned from the state: not everything could be checked.",
    "fresh": "No state exists: this is a first deployment.",
}
_MARKS = {"skipped": "✓ skipped", "unknown": "? kept", "again": "↻ proven again", "new": "+ new"}


def headline(plan: UpdatePlan) -> str:
    """Return `3 to update, 1 to replace, 158 unchanged`, or that the plan failed."""
    if plan.result == "failed":
        return "the plan failed"
    shown = [f"{plan.changes.get(o, 0)} {_WORDS[o]}" for o in OPERATIONS if plan.changes.get(o, 0)]
    kept = [f"{plan.unchanged} unchanged"] if plan.unchanged else []
    return ", ".join([*(shown or ["nothing to do"]), *kept])


def markdown(plans: Sequence[UpdatePlan]) -> str:
    """Return the comment on these countries, at most `LIMIT` characters; the diffs are cut first."""
    heads = [_head(plan) for plan in plans]
    room = LIMIT - sum(map(len, heads)) - 2 * len(plans)
    share = max(0, room // max(1, len(plans)))
    text = "\n".join(head + _diff(plan, share) for head, plan in zip(heads, plans, strict=True))
    return text if len(text) <= LIMIT else text[: LIMIT - 80] + "\n\n… cut here: a comment can hold no more\n"


def _head(plan: UpdatePlan) -> str:
    mark = "❌ " if plan.result == "failed" else "⚠️ " if plan.losses else ""
    lines = [f"<!-- dive preview {plan.country} -->", f"### {mark}{plan.country}: {headline(plan)}", ""]
    lines += [f"{SITUATIONS[plan.situation]} The command: `{plan.command}`", ""]
    lines += _block(plan.errors)
    lines += [f"- **{_WORDS[c.operation].upper()}: `{c.name}`, {_text(c.holds)}**{_because(c)}" for c in plan.losses]
    lines += [""] if plan.losses else []
    lines += [f"> {'<br>'.join(map(_text, plan.notes))}", ""] if plan.notes else []
    if plan.phases:
        lines += ["| phase | | what changes, and why |", "|---|---|---|"]
        lines += [f"| {p.phase} | {_MARKS[p.verdict]} | {_cell(p)} |" for p in plan.phases]
    if plan.others:
        lines += [f"| – | | {'<br>'.join(_row(c) for c in plan.others)} |"]
    return "\n".join(lines) + "\n"


def _block(errors: Sequence[str]) -> list[str]:
    if not errors:
        return []
    shown = "\n".join(errors)
    fence = _fence(shown)
    return [fence, shown, fence, ""]


def _cell(phase: PhasePlan) -> str:
    rows = [*([_text(phase.evidence)] if phase.evidence else []), *map(_row, phase.listed)]
    return "<br>".join([*rows, *([f"`{SIGNS['create']}` {phase.counted}"] if phase.counted else [])]) or "–"


def _row(change: PlannedChange) -> str:
    name = f"**`{change.name}`**" if change.loses else f"`{change.name}`"
    return f"`{SIGNS[change.operation]}` {name}{_because(change)}"


def _because(change: PlannedChange) -> str:
    return f": {_text('; '.join(change.why))}" if change.why else ""


def _text(words: str) -> str:
    """Return the text escaped: a value may look like Markdown, HTML or a user to notify."""
    shown = html.escape(words, quote=False).replace("\n", "<br>")
    for sign, code in {"|": "&#124;", "@": "&#64;", "`": "&#96;", "*": "&#42;", "_": "&#95;", "[": "&#91;"}.items():
        shown = shown.replace(sign, code)
    return shown


def _diff(plan: UpdatePlan, room: int) -> str:
    """Return the folded diff; beyond `room` characters it is cut, and says so."""
    if not plan.all_changes:
        return ""
    shown = "\n".join(line for change in plan.all_changes for line in diff(change))
    fence = _fence(shown)
    before, after = f"\n<details><summary>The whole diff</summary>\n\n{fence}diff\n", f"\n{fence}\n\n</details>\n"
    if len(before) + len(shown) + len(after) > room:
        cut = _CUT.format(command=plan.command)
        kept = max(0, room - len(before) - len(after) - len(cut) - 2)
        shown = shown[:kept].rpartition("\n")[0]
        after = f"\n{fence}\n\n{cut}\n</details>\n"
    return before + shown + after


def diff(change: PlannedChange) -> list[str]:
    """Return one resource as the lines of a diff."""
    sign = {"create": "+", "delete": "-"}.get(change.operation, "!")
    lines = [f"{sign} {change.operation} {change.kind} {change.name}"]
    for d in change.differences:
        lines += [f"-   {d.path}: {line}" for line in d.before.splitlines()[:20]]
        lines += [f"+   {d.path}: {line}" for line in d.after.splitlines()[:20]]
    return lines


def _fence(text: str) -> str:
    """Return more backticks than the text has in a row."""
    longest = max((len(run) for run in _runs(text)), default=0)
    return "`" * max(3, longest + 1)


def _runs(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()
