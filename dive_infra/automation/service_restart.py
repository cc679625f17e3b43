"""Restart services of a country while its lock is held."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from dive_infra import engines
from dive_infra.automation import stack_state
from dive_infra.automation.country_lock import CountryLock, hold_country, refuse_while_updating
from dive_infra.automation.state_export import export_state
from dive_infra.catalog.services import services as catalog
from dive_infra.config.settings import Settings
from dive_infra.engines.restart import Restart, Restarted
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy


class RestartFailed(DiveError):
    """Some services are not healthy after a restart."""


def restart(
    settings: Settings,
    services: Sequence[str],
    tell: Callable[[Restarted], None] = lambda _: None,
    without_lock: Callable[[CountryLock], None] = lambda _: None,
) -> list[Restarted]:
    """Restart services in dependency order; return the outcome of each. `without_lock` gets a lock that is unavailable.

    Raises `NotDeployed` or `PulumiFailed` if the state cannot be read, and `CountryLocked` while a deployment runs.
    """
    stack = settings.country.lower()
    found = stack_state.read_stack(stack, export_state(stack))
    refuse_while_updating([settings.country, *settings.spokes])  # which need the hub's services
    with hold_country(found.store, settings.country, "RESTART") as lock:
        if lock.unavailable:
            without_lock(lock)
        return Restart(
            engines.connect(),
            settings.names,
            found.mark,
            catalog(settings.names, settings.hub_names, settings.linked, settings.images),
            services,
            tell,
            lambda service: _around(service, lock),
        ).run()


def restart_or_fail(settings: Settings, services: Sequence[str]) -> None:
    """Restart services; raise `RestartFailed` if one is not healthy then."""
    problems = [f"{one.service}: {one.problem}" for one in restart(settings, services) if one.problem]
    if problems:
        raise RestartFailed("; ".join(problems), Remedy.deploy(settings.country))


def _around(service: str, lock: CountryLock) -> AbstractContextManager[None]:
    """Pause the lock while Postgres restarts, because the lock is kept there."""
    return lock.paused() if service == "postgres" else nullcontext()
