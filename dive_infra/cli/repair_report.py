"""The screens of `./dive repair`: the findings, the plan, and the proof afterwards."""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dive_infra.cli.output import grid, mark, signs
from dive_infra.diagnosis.diagnosis import Diagnosis, RepairOutcome, View
from dive_infra.diagnosis.repair import RepairPlan, RepairStep, next_step
from dive_infra.diagnosis.symptoms import Symptom

_SHOWN = 12  # of a list
_CAUSES = 3  # of a step


def findings(found: Diagnosis, console: Console) -> RenderableType:
    """Return what is wrong now."""
    views = [found.own, *([found.hub] if found.hub and found.hub_in_the_way else [])]
    return Group(*(part for view in views for part in _view(view, console)))


def _view(view: View, console: Console) -> Iterator[RenderableType]:
    state, health = view.status.deployment.state, view.status.health
    title = f"{view.code} {view.status.name} · deployment {state.replace('_', ' ')} · services {health.upper()}"
    yield Text(signs(title, console), style="bold")
    yield from _listed(view.symptoms, console)
    if view.running:
        yield _row("unknown", f"is being deployed by {view.status.deployment.holder}", console)
    elif not view.symptoms:
        checks = sum(len(validation.findings) for validation in view.country.phases.values())
        yield _row("valid", f"nothing is wrong: {checks} checks", console)


def _listed(symptoms: Sequence[Symptom], console: Console) -> Iterator[RenderableType]:
    for s in symptoms[:_SHOWN]:
        kind = "unknown" if s.unknown else "warning" if s.advisory else "error"
        yield _row(kind, f"{s.where}{f' {s.number}' if s.number else ''}  {s.title}", console)
    if len(symptoms) > _SHOWN:
        yield Text(f"    and {len(symptoms) - _SHOWN} more")


def planned(found: Diagnosis, plan: RepairPlan, console: Console) -> RenderableType:
    """Return the numbered steps with their causes, and what needs an operator."""
    parts: list[RenderableType] = []
    if plan.steps:
        parts.append(Text("plan", style="bold"))
    for number, step in enumerate(plan.steps, 1):
        parts.append(Text(f"  {number}. {step.does}", style="bold"))
        parts += [_note(f"because {cause}", console) for cause in _causes(step, found.code)]
        parts.append(_note(f"leaves alone {step.action.spares}", console))
    if plan.decisions:
        parts.append(Text("needs an operator", style="bold"))
        parts += _decisions(plan.decisions, found, console)
    return Group(*parts)


def _causes(step: RepairStep, code: str) -> list[str]:
    causes = [f"{s.code}: {s.title}" if s.code != code else s.title for s in step.causes]
    if len(causes) <= _CAUSES:
        return causes
    return [*causes[: _CAUSES - 1], f"{len(causes) - _CAUSES + 1} more of the above"]


def _decisions(symptoms: Sequence[Symptom], found: Diagnosis, console: Console) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for s in symptoms:
        parts.append(_row("unknown" if s.unknown else "error", f"{s.code} {s.title}", console))
        parts.append(Padding(Text(f"next: {next_step(s, found)}"), (0, 0, 0, 4)))
    return parts


def proof(result: RepairOutcome, after: Diagnosis, seconds: float, console: Console) -> RenderableType:
    """Return what was wrong and is valid now, and what is left with its next step."""
    repaired = result.repaired
    parts: list[RenderableType] = [Text("before and after", style="bold")]
    parts += [_row("valid", f"{s.where}  {s.check} (was: {s.found or 'not so'})", console) for s in repaired[:_SHOWN]]
    if len(repaired) > _SHOWN:
        parts.append(Text(f"    and {len(repaired) - _SHOWN} more"))
    for s in result.unproven:
        parts.append(_row("unknown", f"{s.where}  {s.title}; not checked again", console))
        parts.append(Padding(Text(f"next: ./dive repair {after.code}"), (0, 0, 0, 4)))
    parts += _decisions(result.wrong, after, console)
    summary = f"{after.code} · {len(repaired)} of {len(result.seen)} repaired and proven in {seconds:.0f} s"
    summary += f" · {len(result.left)} left" if result.left else " · nothing is wrong any more"
    summary += f", {len(result.unproven)} of them not checked again" if result.unproven else ""
    summary += f", {len(result.new)} of them new" if result.new else ""
    parts.append(Text(signs(summary, console), style="bold"))
    return Group(*parts)


def _row(kind: str, text: str, console: Console) -> RenderableType:
    return Padding(grid([[mark(kind, console), signs(text, console)]], None, 1), (0, 0, 0, 2))


def _note(text: str, console: Console) -> RenderableType:
    return Padding(Text(signs(text, console), style="dim"), (0, 0, 0, 5))
