"""Remedies: what fixes a finding or an error, as data, with one renderer for messages and one for `./dive` commands."""

from dataclasses import dataclass
from enum import StrEnum

UP = "{up}"  # in a detail: replaced by the command that updates the country


class RemedyKind(StrEnum):
    """What kind of step fixes it. `automatic` kinds need no operator first."""

    NONE = "none"
    UPDATE = "update"  # `pulumi up`
    REFRESH = "refresh"  # `pulumi up --refresh`: a plain update does not see the change
    DEPLOY = "deploy"  # `./dive up`: it also starts the engine and builds images, which Pulumi does not
    DECIDE = "decide"  # an operator decides or acts first
    WAIT = "wait"
    RESTART = "restart"  # `./dive restart` of services
    COMMAND = "command"  # any other command, ready to paste

    @property
    def automatic(self) -> bool:
        """Return True if an update of the country is the whole remedy."""
        return self in (RemedyKind.UPDATE, RemedyKind.REFRESH, RemedyKind.DEPLOY)


@dataclass(frozen=True)
class Remedy:
    """The next step. A remedy of kind NONE is false.

    `country` is the code of the country to update; if empty, the country that was checked. `detail` is the instruction
    or the command; for an update, it is a note or a sentence around `UP`. Alternatives are separate lines.
    """

    kind: RemedyKind = RemedyKind.NONE
    country: str = ""
    detail: str = ""

    @classmethod
    def update(cls, country: str = "", detail: str = "") -> "Remedy":
        """Return the remedy `pulumi up`."""
        return cls(RemedyKind.UPDATE, country, detail)

    @classmethod
    def refresh(cls, country: str = "", detail: str = "") -> "Remedy":
        """Return the remedy `pulumi up --refresh`."""
        return cls(RemedyKind.REFRESH, country, detail)

    @classmethod
    def deploy(cls, country: str = "", detail: str = "") -> "Remedy":
        """Return the remedy `./dive up`."""
        return cls(RemedyKind.DEPLOY, country, detail)

    @classmethod
    def decide(cls, *choices: str, country: str = "") -> "Remedy":
        """Return a remedy that needs an operator, who takes one of `choices`."""
        return cls(RemedyKind.DECIDE, country, "\n".join(choices))

    @classmethod
    def wait(cls, detail: str, country: str = "") -> "Remedy":
        """Return a remedy that starts with waiting; `detail` says for what, and what to run then."""
        return cls(RemedyKind.WAIT, country, detail)

    @classmethod
    def restart(cls, country: str, *services: str) -> "Remedy":
        """Return the remedy `./dive restart`: what a service holds in memory is lost, and loaded from its source."""
        return cls(RemedyKind.RESTART, country, f"./dive restart {country} {' '.join(services)}")

    @classmethod
    def run(cls, command: str) -> "Remedy":
        """Return a remedy that is one given command."""
        return cls(RemedyKind.COMMAND, detail=command)

    def __bool__(self) -> bool:
        return self.kind != RemedyKind.NONE

    def __str__(self) -> str:
        """Return the remedy as Pulumi's commands, for messages of providers and for reports."""
        return ", or ".join(self.choices)

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services that a remedy of kind RESTART names."""
        return tuple(self.detail.split()[3:]) if self.kind == RemedyKind.RESTART else ()

    @property
    def choices(self) -> list[str]:
        """Return the alternatives as Pulumi's commands."""
        if self.kind == RemedyKind.DEPLOY:
            return self._rendered(f"./dive up {self.country}".rstrip())
        flag = " --refresh" if self.kind == RemedyKind.REFRESH else ""
        stack = f" -s {self.country.lower()}" if self.country else ""
        return self._rendered(f"pulumi up{flag}{stack}")

    def command(self, code: str) -> str:
        """Return the remedy for the country `code` as `./dive` commands; `./dive up` decides on a refresh itself."""
        return ", or ".join(self._rendered(f"./dive up {self.country or code}"))

    def fixed_by(self, code: str) -> str:
        """Return the country whose update or restart is the whole remedy; empty if an operator comes first."""
        return (self.country or code) if self.kind.automatic or self.kind == RemedyKind.RESTART else ""

    def _rendered(self, up: str) -> list[str]:
        if self.kind.automatic and UP not in self.detail:
            return [f"{up} ({self.detail})" if self.detail else up]
        return [line.replace(UP, up) for line in self.detail.splitlines()]


NO_REMEDY = Remedy()
