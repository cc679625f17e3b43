"""One thing that goes wrong, the command that mends it, and what that command may touch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import docker
from docker.models.containers import Container

from dive_infra.orchestration.states import Phase
from tests.integration.coalition import Country

Command = Literal["pulumi up", "pulumi up --refresh"]


@dataclass(frozen=True)
class Scene:
    """The coalition that is damaged; `hurt` is the country of the row."""

    engine: docker.DockerClient
    usa: Country
    fra: Country
    hurt: Country

    def container(self, service: str) -> Container:
        return self.engine.containers.get(self.hurt.names.container(service))


@dataclass(frozen=True)
class Fault:
    """`damage` harms the live system. `command`, which is the one that the messages name, mends it.

    `red` is the phase whose validator must not pass after the damage. `changes` are the resources that the command may
    change beside `red`'s checkpoint and the verification; each of `heals` is one that it must change. `touched` are
    the services whose containers may be restarted or made anew; all others keep their id and start time.
    `selected` rows run in every test run, the others with `--whole`.
    """

    title: str
    country: str
    damage: Callable[[Scene], None]
    red: Phase
    command: Command = "pulumi up"
    heals: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    check: Callable[[Scene], None] = field(default=lambda scene: None)
    selected: bool = False
