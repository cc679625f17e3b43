"""A plan as a comment on a pull request (GitHub's Markdown)."""

import html
from collections.abc import Sequence

from dive_infra.plans.plan import OPERATIONS, Operation, PhasePlan, PlannedChange, UpdatePlan

LIMIT = 65_536  # characters that GitHub takes
_CUT = "… the rest of the diff is cut here, as a comment holds no more; the whole: `{command}` without `--yes`"

SIGNS: dict[Operation, str] = {"create": "+", "update": "~", "replace": "±", "delete": "−"}
_WORDS: dict[Operation, str] = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
}
SITUATIONS = {
    "live": "Looked at the live system.",
    "state": "Planned from the state: not everything could be looked at.",
    "fresh": "There is no state to plan from: this is a first deployment.",
}
_MARKS = {"skipped": "✓ skipped", "unknown": "? kept", "again": "↻ proven again", "new": "+ new"}


def headline(plan: UpdatePlan) -> str:
    """`3 to update, 1 to replace, 158 unchanged`, or why there is no such count."""
    if plan.result == "failed":
        return "the plan failed"
    told = [f"{plan.changes.get(o, 0)} {_WORDS[o]}" for o in OPERATIONS if plan.changes.get(o, 0)]
    kept = [f"{plan.unchanged} unchanged"] if plan.unchanged else []
    return ", ".join([*(told or ["nothing to do"]), *kept])


def markdown(plans: Sequence[UpdatePlan]) -> str:
    """The comment on these countries, at most `LIMIT` characters: the diff is cut first."""
    heads = [_head(plan) for plan in plans]
    room = LIMIT - sum(map(len, heads)) - 2 * len(plans)
    share = max(0, room // max(1, len(plans)))
    text = "\n".join(head + _diff(plan, share) for head, plan in zip(heads, plans, strict=True))
    return text if len(text) <= LIMIT else text[: LIMIT - 80] + "\n\n… cut here: a comment holds no more\n"


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
    told = "\n".join(errors)
    fence = _fence(told)
    return [fence, told, fence, ""]


def _cell(phase: PhasePlan) -> str:
    rows = [*([_text(phase.evidence)] if phase.evidence else []), *map(_row, phase.listed)]
    return "<br>".join([*rows, *([f"`{SIGNS['create']}` {phase.counted}"] if phase.counted else [])]) or "–"


def _row(change: PlannedChange) -> str:
    name = f"**`{change.name}`**" if change.loses else f"`{change.name}`"
    return f"`{SIGNS[change.operation]}` {name}{_because(change)}"


def _because(change: PlannedChange) -> str:
    return f": {_text('; '.join(change.why))}" if change.why else ""


def _text(words: str) -> str:
    """As it is, also where a value looks like Markdown, HTML or somebody's name."""
    told = html.escape(words, quote=False).replace("\n", "<br>")
    for sign, code in {"|": "&#124;", "@": "&#64;", "`": "&#96;", "*": "&#42;", "_": "&#95;", "[": "&#91;"}.items():
        told = told.replace(sign, code)
    return told


def _diff(plan: UpdatePlan, room: int) -> str:
    """The whole diff, folded; cut, and saying so, where it is longer than `room` characters."""
    if not plan.all_changes:
        return ""
    told = "\n".join(line for change in plan.all_changes for line in diff(change))
    fence = _fence(told)
    before, after = f"\n<details><summary>The whole diff</summary>\n\n{fence}diff\n", f"\n{fence}\n\n</details>\n"
    if len(before) + len(told) + len(after) > room:
        cut = _CUT.format(command=plan.command)
        kept = max(0, room - len(before) - len(after) - len(cut) - 2)
        told = told[:kept].rpartition("\n")[0]
        after = f"\n{fence}\n\n{cut}\n</details>\n"
    return before + told + after


def diff(change: PlannedChange) -> list[str]:
    """One resource as lines of a diff, each with its sign in front."""
    sign = {"create": "+", "delete": "-"}.get(change.operation, "!")
    lines = [f"{sign} {change.operation} {change.kind} {change.name}"]
    for d in change.differences:
        lines += [f"-   {d.path}: {line}" for line in d.before.splitlines()[:20]]
        lines += [f"+   {d.path}: {line}" for line in d.after.splitlines()[:20]]
    return lines


def _fence(text: str) -> str:
    """More backticks than stand in the text."""
    longest = max((len(run) for run in _runs(text)), default=0)
    return "`" * max(3, longest + 1)


def _runs(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()
