"""Changing secrets of a country that runs: the servers first, then their users, then the proof.

    refuse ── configure ── tell the servers ── pulumi up ── prove
              └── until here a failure rolls back ──┘  └ from here on it rolls forward ┘

The new values stand in the stack's configuration before any server is told: whatever ends us, they are not lost, and
the same command goes on. Which values are in force tells the state; a server that was told already says so itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dive_infra.automation.stack_state import plaintext
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation, run, settle
from dive_infra.config.credentials import Credential, own
from dive_infra.config.settings import flaw_of
from dive_infra.results.errors import DiveError
from dive_infra.results.finding import Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.rotation.targets import NotChanged, Place, Target, doors

_LOOK, _PROOF = 20.0, 60.0  # seconds
_LASTING = {"kas-key": "it unwraps the keys of documents that exist"}  # never changed here
# An account that changes the others goes last: until then it is known as it was.
_LAST = ("postgres-superuser", "keycloak-admin")


class RolledBack(DiveError):
    """A server could not be told; everything is as it was."""


class Stuck(DiveError):
    """A server could not be told, and another not be told back; the message says which have which value."""


@dataclass(frozen=True)
class SecretChange:
    """A secret in force and its next value."""

    name: str
    old: str = field(repr=False)
    new: str = field(repr=False)


def rotatable(is_hub: bool) -> list[Credential]:
    return [c for c in own(is_hub) if c.name not in _LASTING]


def refusal(name: str, is_hub: bool) -> str:
    """Why a secret of this name is not changed here, and what is expected; empty when it is."""
    if name in _LASTING:
        return f"{name} is not changed: {_LASTING[name]}"
    known = [c.name for c in rotatable(is_hub)]
    return "" if name in known else f"{name!r} is no secret of this country; expected one of {', '.join(known)}"


def flaws(values: Mapping[str, str], is_hub: bool) -> list[str]:
    """What is wrong with new values, one line each, without any value."""
    credentials = {c.name: c for c in own(is_hub)}
    found = {name: flaw_of(credentials[name], value) for name, value in values.items()}
    return [f"{name} {flaw}" for name, flaw in found.items() if flaw]


def in_force(state: Mapping[str, Any]) -> dict[str, str]:
    """Name -> value of a country's own secrets, from its exported state with secrets in plain text."""
    for resource in (state.get("deployment") or {}).get("resources") or []:
        if resource["type"] == "dive:components:Secrets" and resource["urn"].endswith("::secret"):
            found = plaintext((resource.get("outputs") or {}).get("values") or {})
            return {str(name): str(value) for name, value in found.items()}
    return {}


@dataclass(frozen=True)
class Reload:
    """The `changes` of one run, in the order in which the servers are told."""

    at: Place
    changes: Sequence[SecretChange]
    is_hub: bool

    @classmethod
    def of(cls, at: Place, values: Mapping[str, str], is_hub: bool) -> "Reload":
        found = [SecretChange(name, at.secrets[name], value) for name, value in values.items() if name in at.secrets]
        return cls(at, sorted(found, key=lambda c: c.name in _LAST), is_hub)

    def look(self) -> Validation:
        """Before anything is changed: every server takes the secret in force, or the new one already."""
        checks = [
            Check(f"the server takes its {c.name}", c.name, lambda c=c, d=door: self._known(c, d))  # type: ignore[misc]
            for c, door in self._with_doors()
        ]
        return run(checks, _LOOK)

    def tell_servers(self, tell: Callable[[str], None]) -> None:
        """Tells every server that can be told; raises `RolledBack` or `Stuck`."""
        done: list[tuple[SecretChange, Target]] = []
        for change, door in self._with_doors():
            if not door.changes:
                continue
            try:
                if not door.opens(self.at, change.new):
                    door.change(self.at, change.old, change.new)
                    done.append((change, door))
                self.at.secrets[change.name] = change.new
                if not door.opens(self.at, change.new):
                    raise NotChanged("it was told, and still refuses the new value")
                tell(change.name)
            except (NotChanged, CheckUnknown) as error:
                self._back(done, f"{change.name}: {error}")

    def proofs(self) -> Validation:
        """After the update: each server takes the new value and refuses the old one."""
        checks = [
            Check(
                f"{c.name}: the new one is taken, the old one refused",
                "secrets",
                lambda c=c, d=door: _proven(self.at, c, d),  # type: ignore[misc]
            )
            for c, door in self._with_doors()
        ]
        return settle(checks, _PROOF, again=(Verdict.UNKNOWN,))

    @property
    def unproven(self) -> list[str]:
        """Secrets that no server asks for: what shows that they work is the update's own VERIFICATION."""
        asked = doors(self.is_hub)
        return [c.name for c in self.changes if c.name not in asked]

    def _with_doors(self) -> list[tuple[SecretChange, Target]]:
        asked = doors(self.is_hub)
        return [(c, asked[c.name]) for c in self.changes if c.name in asked]

    def _known(self, change: SecretChange, door: Target) -> str:
        if door.opens(self.at, change.old):
            return "the one in force"
        if door.opens(self.at, change.new):
            return "the new one already"
        raise CheckFailed(
            "neither the one in force nor the new one",
            "one of them",
            Remedy.run(f"./dive doctor {self.at.names.country.code}"),
        )

    def _back(self, done: list[tuple[SecretChange, Target]], cause: str) -> None:
        left: list[str] = []
        for change, door in reversed(done):
            try:
                door.revert(self.at, change.old, change.new)
                self.at.secrets[change.name] = change.old
            except NotChanged as error:
                left.append(f"{change.name} ({error})")
        if left:
            raise Stuck(f"{cause}; these have the new value and could not be told back: {', '.join(left)}")
        raise RolledBack(cause)


def _proven(at: Place, change: SecretChange, door: Target) -> str:
    if not door.opens(at, change.new):
        raise CheckFailed("the new one is refused", "a login")
    if door.opens(at, change.old):
        raise CheckFailed("the old one is taken still", "a refusal")
    return "login, refusal"
