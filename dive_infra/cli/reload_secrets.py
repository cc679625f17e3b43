"""`./dive reload-secrets`: rotate secrets of a running country, with new values from one of four sources."""

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dive_infra import engines
from dive_infra.automation import stack_state
from dive_infra.automation.country_lock import hold_country
from dive_infra.automation.deploy import update
from dive_infra.automation.enrolment import set_secret
from dive_infra.automation.failures import CountryLocked, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.stack_state import StackState
from dive_infra.catalog.services import services as catalog
from dive_infra.checks.spec import DeploymentSpec
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import REPORTER, console, fail, fail_with, refuse, warn_without_lock
from dive_infra.cli.stacks import chosen, state_to_change
from dive_infra.config.credentials import Credential
from dive_infra.config.paths import stack_file
from dive_infra.config.settings import PROJECT, Settings
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Verdict, listing
from dive_infra.results.remedy import UP, Remedy
from dive_infra.rotation import rotation, sources
from dive_infra.rotation.rotation import PartlyRotated, RolledBack, Rotation
from dive_infra.rotation.sources import SourceError
from dive_infra.rotation.targets import CountryServers


class SourceKind(StrEnum):
    CONFIG = "config"
    GCP = "gcp"


def reload_secrets(
    country: Annotated[str, typer.Argument(help="A code such as FRA.", autocompletion=all_codes)],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Secrets such as redis; by default all that differ.", autocompletion=lambda: [*rotation.NAMES]
        ),
    ] = None,
    generate: Annotated[bool, typer.Option("--generate", help="Generate new random values.")] = False,
    env_file: Annotated[Path | None, typer.Option(help="A file with lines such as REDIS_PASSWORD_FRA=VALUE.")] = None,
    source: Annotated[
        SourceKind, typer.Option("--from", help="Use `pulumi config set --secret` (config) or Secret Manager (gcp).")
    ] = SourceKind.CONFIG,
    project: Annotated[str, typer.Option(help="With --from gcp: the Google project.")] = "",
) -> None:
    """Rotate secrets of a running country.

    Servers get the new values first, then the services that use them; then logins with the new and the old values
    prove the change.
    """
    [settings] = chosen([country])
    code, name = settings.country, settings.country.lower()
    wanted = _credentials(settings, names)
    _one_source(generate, env_file, source, project)
    prepare()
    found, secrets, ca = _deployed(settings)
    try:
        values = _values(settings, wanted, generate, env_file, source, project)
    except (PulumiFailed, SourceError) as error:
        fail_with(error, "nothing was changed", Exit.UNKNOWN)
    _refuse_flaws(settings, values, names)
    run = Rotation.of(CountryServers(settings.names, ca, secrets), values, settings.is_hub)
    if not run.changes:
        console.print(f"[green]✓[/] nothing to rotate: the secrets in force in {code} equal those of the source")
        return
    _check(run, code)
    before = _containers(settings)
    started = time.monotonic()
    _rotate(run, settings, found)
    _update(name, code)
    _report(run, settings, before, time.monotonic() - started)


def _credentials(settings: Settings, names: list[str] | None) -> list[Credential]:
    known = {c.name: c for c in rotation.rotatable(settings)}
    for wanted in names or []:
        if why := rotation.refusal(wanted, settings):
            fail(f"{why}; nothing was changed", Exit.UNKNOWN)
    return [known[n] for n in names] if names else list(known.values())


def _one_source(generate: bool, env_file: Path | None, source: SourceKind, project: str) -> None:
    if sum((generate, env_file is not None, source != SourceKind.CONFIG)) > 1:
        fail("found several of --generate, --env-file and --from, expected one", Exit.UNKNOWN)
    if (source == SourceKind.GCP) != bool(project):
        example = "./dive reload-secrets FRA --from gcp --project dive25"
        fail(f"--from gcp and --project require each other; expected: {example}", Exit.UNKNOWN)


def _deployed(settings: Settings) -> tuple[StackState, dict[str, str], str]:
    """Return the stack, its secrets in force, and the CA; ends the command if the country is not deployed."""
    code = settings.country
    state = state_to_change(code, _command(code))
    found, secrets = stack_state.read_stack(code.lower(), state), rotation.secrets_in_force(state)
    deployment: DeploymentSpec | None = found.spec(Phase.DEPLOYMENT)
    if deployment is None or not secrets:
        fail(f"{code} was not completely deployed by this version; nothing was changed", remedy=Remedy.deploy(code))
    return found, secrets, deployment.ca


def _values(
    settings: Settings,
    wanted: list[Credential],
    generate: bool,
    env_file: Path | None,
    source: SourceKind,
    project: str,
) -> dict[str, str]:
    if generate:
        return sources.generated(wanted)
    if env_file:
        return sources.from_file(env_file, wanted, settings.place)
    if source == SourceKind.GCP:
        return sources.from_google(project, wanted, settings.place)
    configured = _configured(settings.country.lower())
    return {c.name: configured[c.name] for c in wanted if c.name in configured}


def _configured(name: str) -> dict[str, str]:
    output = Runner.of(name).ask("config", "--show-secrets", "--json")
    entry = json.loads(output).get(f"{PROJECT}:secrets") or {}
    found = entry.get("objectValue") or json.loads(entry.get("value") or "{}")
    return {str(key): str(value) for key, value in found.items()}


def _refuse_flaws(settings: Settings, values: dict[str, str], names: list[str] | None) -> None:
    missing = [n for n in names or [] if n not in values]
    if missing:
        names_outside = ", ".join(
            f"{n} ({sources.variable_name(n, settings.place)}, Google's {sources.google_name(n, settings.place)})"
            for n in missing
        )
        fail(f"the source does not hold {names_outside}; nothing was changed", Exit.UNKNOWN)
    if found := rotation.flaws(values, settings):
        fail("; ".join(found) + "; nothing was changed")


def _check(run: Rotation, code: str) -> None:
    checked = run.check()
    if checked.verdict != Verdict.VALID and checked.findings:
        console.print(escape(listing(checked.findings, Verdict.INVALID, Verdict.UNKNOWN)), soft_wrap=True)
        unknown = checked.verdict == Verdict.UNKNOWN
        again = f"then: {_command(code)}"
        fail(
            f"not every server of {code} can be changed, see above; nothing was changed",
            Exit.UNKNOWN if unknown else Exit.FINDINGS,
            Remedy.deploy(code, f"{UP}, {again}") if unknown else Remedy.decide(f"do what is named above, {again}"),
        )


def _rotate(run: Rotation, settings: Settings, found: StackState) -> None:
    """Write the configuration and change the servers, under the country lock; a failure reverts both."""
    code, name = settings.country, settings.country.lower()
    file = stack_file(name)
    before = file.read_text()
    try:
        with hold_country(found.store, code, "RELOAD-SECRETS") as lock:
            if lock.unavailable:
                warn_without_lock(lock)
            for change in run.changes:
                set_secret(Runner.of(name), change.name, change.new)
            console.print(f"[green]✓[/] Pulumi.{name}.yaml: {', '.join(c.name for c in run.changes)}", soft_wrap=True)
            run.rotate(lambda one: console.print(f"[green]✓[/] the server accepts its new {one}"))
    except CountryLocked as locked:
        refuse(locked, "nothing was changed", _command(code))
    except (PulumiFailed, RolledBack) as error:
        file.write_text(before)
        fail(
            f"{error.cause}; rolled back: servers and configuration are as before",
            remedy=Remedy.deploy(code, f"{UP}, then {_command(code)}"),
        )
    except PartlyRotated as error:
        fail(
            f"{error.cause}; the configuration keeps the new values, so that the same command continues",
            Exit.PARTIAL,
            Remedy.run(_command(code)),
        )


def _command(code: str) -> str:
    return f"./dive reload-secrets {code}"


def _update(name: str, code: str) -> None:
    """Update without a refresh, which would query the servers with the old secrets."""
    try:
        update(Runner.of(name), REPORTER)
    except (CountryLocked, UpdateFailed) as error:
        interrupted = isinstance(error, UpdateInterrupted)
        cause = "was interrupted" if interrupted else "failed for the cause above"
        fail(
            f"to be rolled forward: servers and configuration have the new secrets, but `pulumi up -s {name}` {cause}, "
            "so some of their users do not",
            Exit.INTERRUPTED if interrupted else Exit.PARTIAL,
            Remedy.deploy(code, UP if interrupted else f"fix it, then run {UP}"),
        )


def _containers(settings: Settings) -> dict[str, str]:
    """Return service -> id of its container."""
    engine, names = engines.connect(), settings.names
    specs = catalog(names, settings.hub_names, settings.linked, settings.images)
    return {s.name: engine.observe(names.container(s.name)).id for s in specs}


def _report(run: Rotation, settings: Settings, before: dict[str, str], seconds: float) -> None:
    code, after = settings.country, _containers(settings)
    proven = run.verify()
    for finding in proven.findings:
        console.print(escape(str(finding)), soft_wrap=True)
    for name in run.without_target:
        console.print(f"  {name}: no server verifies it; the update has verified the country with it")
    replaced = [service for service, container in after.items() if container != before[service]]
    console.print(
        f"{code}: {len(run.changes)} secrets changed in {seconds:.0f} s; "
        f"replaced containers: {', '.join(replaced) or 'none'}",
        soft_wrap=True,
    )
    if proven.findings and proven.verdict != Verdict.VALID:
        fail("not every change is proven, see above", remedy=Remedy.run(_command(code)))
