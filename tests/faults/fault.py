"""One fault, the command that heals it, and what that command may touch."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import docker
from docker.models.containers import Container

from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import RemedyKind
from tests.coalition.country import Country


@dataclass(frozen=True)
class Scene:
    """The coalition that is damaged; `hurt` is the country of the row."""

    engine: docker.DockerClient
    usa: Country
    fra: Country
    hurt: Country

    def at(self, code: str) -> "Scene":
        """Return the same coalition with another country hurt."""
        return replace(self, hurt={"USA": self.usa, "FRA": self.fra}[code])

    def container(self, service: str) -> Container:
        return self.engine.containers.get(self.hurt.names.container(service))


@dataclass(frozen=True)
class Fault:
    """`damage` harms the live system. `command` heals it: the one that `remedy` stands for.

    `remedy` is what the findings of what is harmed name; findings of what follows from it may name `more`.

    `red` is the phase whose validator must not pass after the damage; without it all of them pass, as what is damaged
    decides nothing by itself. Each of `heals` the command must change; beside these, `red`'s checkpoint and the
    verification it may change `also` (any, where that is not given). `touched` are the services whose containers may be
    restarted or recreated; all others keep their id and start time. `refused`: words with which a first, plain update
    refuses; its message then names a variable of the environment, with which the command repairs it. The
    messages contain all of `says`.
    `warns`: the validator warns and passes, since what is harmed is no core service.
    `selected`: the round of a plain test run in which it is damaged and healed together with the rows of the same word;
    without one it is healed with `--whole` only. There each row is healed alone.
    """

    title: str
    country: str
    damage: Callable[[Scene], None]
    red: Phase | None
    remedy: RemedyKind = RemedyKind.UPDATE
    more: frozenset[RemedyKind] = frozenset()
    heals: frozenset[str] = frozenset()
    also: frozenset[str] | None = None
    touched: frozenset[str] = frozenset()
    refused: str = ""
    says: tuple[str, ...] = ()
    warns: bool = False
    check: Callable[[Scene], None] = field(default=lambda scene: None)
    selected: str = ""

    @property
    def command(self) -> str:
        """Return the update that heals it; where an operator decides, the one that carries the decision out."""
        return "pulumi up --refresh" if self.remedy == RemedyKind.REFRESH else "pulumi up"

    @property
    def name(self) -> str:
        return named(self.country, self.title)


def named(country: str, title: str) -> str:
    """Return the id of a row: `FRA-a-service-is-stopped`."""
    return f"{country}-{title.replace(' ', '-')}"
