"""A country's Docker objects and local files, found by labels and by names, and their removal.

By names as well, because an object that was recreated by hand, or by Docker in place of a lost one, has no labels.
"""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dive_infra.config.naming import COUNTRY_LABEL, NAMESPACE_LABEL, SERVICES, Names, linked_by
from dive_infra.config.paths import HOME, ROOT
from dive_infra.engines.engine import REMOVAL_ORDER, Engine, EngineError, EngineObject, Kind


@dataclass(frozen=True)
class OwnedObject:
    """An object on the engine; `stack` is its owner id, `size` in bytes if known."""

    kind: Kind
    name: str
    stack: str = ""
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def engine_objects(engine: Engine, names: Names) -> list[OwnedObject]:
    """Return the country's objects on the engine, in the order of removal; raises `EngineError`."""
    ours = [o for o in engine.everything() if belongs_to(o, names) or _abandoned(engine, o, names)]
    sizes = engine.volume_sizes() if any(o.kind == "volume" for o in ours) else {}
    owned = [OwnedObject(o.kind, o.name, o.stack, sizes.get(o.name) if o.kind == "volume" else None) for o in ours]
    return sorted(owned, key=lambda o: (REMOVAL_ORDER.index(o.kind), o.name))


def belongs_to(there: EngineObject, names: Names) -> bool:
    """Return True if the object is the country's: by its labels or, without labels, by its name."""
    if COUNTRY_LABEL in there.labels:
        return names.owns(there.labels)
    services = "|".join(map(re.escape, SERVICES))
    patterns = {
        "container": rf"{names.prefix}-({services})",
        "volume": rf"{names.prefix}-({services})-(data|files-[0-9a-f]{{8}})",
        "network": re.escape(names.network),
    }
    return re.fullmatch(patterns[there.kind], there.name) is not None


def _abandoned(engine: Engine, there: EngineObject, names: Names) -> bool:
    """Return True for the network of one of its links without a container of another country."""
    if there.kind != "network" or names.country.code not in linked_by(there.name, names.namespace):
        return False
    return all(belongs_to(user, names) for user in engine.attached(there.name))


def countries_on_engine(engine: Engine, namespace: str) -> set[str]:
    """Return the codes of the countries of a namespace that have a container or a volume."""
    everything = [*engine.containers(), *engine.volumes()]
    return {
        o.labels[COUNTRY_LABEL]
        for o in everything
        if o.labels.get(NAMESPACE_LABEL) == namespace and COUNTRY_LABEL in o.labels
    }


def local_files(names: Names) -> list[Path]:
    """Return the existing files that the country's deployments have written on this machine."""
    code = names.country.lower
    by_program = (ROOT / ".dive" / f"{names.prefix}-ca.pem", ROOT / f"verification-report-{names.prefix}.json")
    by_command = (HOME / "logs" / f"up-{code}.log", *HOME.glob(f"deployment-report-{code}.*"))
    return [path for path in (*by_program, *by_command) if path.exists()]


def remove(engine: Engine, owned: Iterable[OwnedObject], report: Callable[[str], None]) -> list[str]:
    """Remove the objects, containers first; return a line for each that was not removed. A missing one is no error."""
    problems: list[str] = []
    with ThreadPoolExecutor(max_workers=4) as side_by_side:
        for kind in REMOVAL_ORDER:
            batch = [o for o in owned if o.kind == kind]
            problems += filter(None, side_by_side.map(lambda o: _remove(engine, o), batch))
            if batch:
                report(f"{len(batch)} {kind}{'s' if len(batch) > 1 else ''}")
    return problems


def _remove(engine: Engine, owned: OwnedObject) -> str:
    """Remove an object; take another country's containers, connected by hand, off a network first."""
    try:
        engine.remove(owned.kind, owned.name, detach=True)
    except EngineError as error:
        return f"{owned}: {error.cause}"
    return ""
