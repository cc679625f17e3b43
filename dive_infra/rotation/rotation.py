"""Rotate secrets of a running country: the servers first, then the services that use them, then the proof.

    check ── configure ── rotate on the servers ── pulumi up ── verify
             └──── a failure here rolls back ────┘  └ from here on it rolls forward ┘

The new values are in the stack's configuration before any server is changed: an interrupted run loses none, and the
same command resumes. The state says which values are in force; a server that was changed already accepts the new one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dive_infra.automation.stack_state import plaintext
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation, run, settle
from dive_infra.config.credentials import CREDENTIALS, PROBES, Credential, own
from dive_infra.config.settings import Settings, flaw_of
from dive_infra.results.errors import DiveError
from dive_infra.results.finding import Verdict
from dive_infra.rotation.targets import CountryServers, RotationFailed, Target, targets

_CHECK, _PROOF = 20.0, 60.0  # seconds
_ELSEWHERE = {"kas-key": "it unwraps the keys of existing documents"} | {
    c.name: "others know its public half; ./dive rotate-keys replaces it in steps, with --begin"
    for c in CREDENTIALS
    if c.enrolled
}
# What is rotated here, in one country or another.
NAMES = tuple(c.name for c in (*CREDENTIALS, *PROBES.values()) if c.name not in _ELSEWHERE)
# An account that changes the others goes last: until then its old value is needed.
_LAST = ("postgres-superuser", "keycloak-admin")


class RolledBack(DiveError):
    """A server was not changed; all are as they were before."""


class PartlyRotated(DiveError):
    """A server was not changed, and another could not be reverted; the message says which have the new value."""


@dataclass(frozen=True)
class SecretChange:
    """A secret's value in force and its next one."""

    name: str
    old: str = field(repr=False)
    new: str = field(repr=False)


def rotatable(settings: Settings) -> list[Credential]:
    """Return the credentials of a country that are rotated here: those that it has."""
    without = {*_ELSEWHERE} if settings.test_users else {*_ELSEWHERE, "test-users"}
    issued_to = (settings.country, *(names.country.code for names in settings.linked))
    return [*(c for c in own(settings.is_hub) if c.name not in without), *(PROBES[code] for code in issued_to)]


def refusal(name: str, settings: Settings) -> str:
    """Return why a secret of this name is not rotated here, and what is expected; "" if it can."""
    if name in _ELSEWHERE:
        return f"{name} is not rotated here: {_ELSEWHERE[name]}"
    known = [c.name for c in rotatable(settings)]
    return "" if name in known else f"{name!r} is not a secret of this country; expected one of {', '.join(known)}"


def flaws(values: Mapping[str, str], settings: Settings) -> list[str]:
    """Return what is wrong with new values, one line each, without any value."""
    credentials = {c.name: c for c in rotatable(settings)}
    found = {name: flaw_of(credentials[name], value) for name, value in values.items()}
    return [f"{name} {flaw}" for name, flaw in found.items() if flaw]


def secrets_in_force(state: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> value of a country's own secrets; `state` is exported with secrets in plain text."""
    found: dict[str, str] = {}
    for resource in (state.get("deployment") or {}).get("resources") or []:
        outputs = resource.get("outputs") or {}
        if resource["type"] == "dive:components:Secrets" and resource["urn"].endswith("::secret"):
            values = plaintext(outputs.get("values") or {})
            found |= {str(name): str(value) for name, value in values.items()}
        if resource["type"].endswith("/dive:ProbePersons"):
            given = plaintext(outputs.get("given") or {})
            found |= {PROBES[code].name: str(value) for code, value in given.items()}
    return found


@dataclass(frozen=True)
class Rotation:
    """The `changes` of one run, in the order in which the servers are changed."""

    at: CountryServers
    changes: Sequence[SecretChange]
    is_hub: bool

    @classmethod
    def of(cls, at: CountryServers, values: Mapping[str, str], is_hub: bool) -> "Rotation":
        """Return the rotation to these values, without secrets that have them already."""
        known = [name for name in values if name in at.secrets and values[name] != at.secrets[name]]
        changes = [SecretChange(name, at.secrets[name], values[name]) for name in known]
        return cls(at, sorted(changes, key=lambda change: change.name in _LAST), is_hub)

    def check(self) -> Validation:
        """Check, before anything is changed, that every server accepts the value in force, or the new one already."""
        checks = [
            Check(f"the server accepts its {c.name}", c.name, lambda c=c, t=target: self._known(c, t))  # type: ignore[misc]
            for c, target in self._targeted()
        ]
        return run(checks, _CHECK)

    def rotate(self, report: Callable[[str], None]) -> None:
        """Change every server that can be changed; `report` gets each name. Raises `RolledBack` or `PartlyRotated`."""
        done: list[tuple[SecretChange, Target]] = []
        for change, target in self._targeted():
            if not target.rotates:
                continue
            try:
                if not target.verify(self.at, change.new):
                    target.rotate(self.at, change.old, change.new)
                    done.append((change, target))
                self.at.secrets[change.name] = change.new
                if not target.verify(self.at, change.new):
                    raise RotationFailed("it was changed, and still refuses the new value")
                report(change.name)
            except (RotationFailed, CheckUnknown) as error:
                self._roll_back(done, f"{change.name}: {error.cause}")

    def verify(self) -> Validation:
        """Verify, after the update, that each server accepts the new value and refuses the old one."""
        checks = [
            Check(
                f"{c.name}: the new value is accepted, the old one refused",
                "secrets",
                lambda c=c, t=target: _verified(self.at, c, t),  # type: ignore[misc]
            )
            for c, target in self._targeted()
        ]
        return settle(checks, _PROOF, again=(Verdict.UNKNOWN,))

    @property
    def without_target(self) -> list[str]:
        """Return the secrets that no server verifies; the update's own VERIFICATION proves them."""
        known = targets(self.is_hub)
        return [c.name for c in self.changes if c.name not in known]

    def _targeted(self) -> list[tuple[SecretChange, Target]]:
        known = targets(self.is_hub)
        return [(c, known[c.name]) for c in self.changes if c.name in known]

    def _known(self, change: SecretChange, target: Target) -> str:
        if target.verify(self.at, change.old):
            return "the value in force"
        if target.verify(self.at, change.new):
            return "the new value already"
        raise CheckFailed(
            "neither the value in force nor the new one: the server's data or the state was restored from before a "
            "change, or the server was changed by hand",
            "one of them",
            target.mend(self.at),
        )

    def _roll_back(self, done: list[tuple[SecretChange, Target]], cause: str) -> None:
        left: list[str] = []
        for change, target in reversed(done):
            try:
                target.revert(self.at, change.old, change.new)
                self.at.secrets[change.name] = change.old
            except RotationFailed as error:
                left.append(f"{change.name} ({error.cause})")
        if left:
            raise PartlyRotated(f"{cause}; these have the new value and could not be reverted: {', '.join(left)}")
        raise RolledBack(cause)


def _verified(at: CountryServers, change: SecretChange, target: Target) -> str:
    if not target.verify(at, change.new):
        raise CheckFailed("the new value is refused", "a login")
    if target.verify(at, change.old):
        raise CheckFailed("the old value is still accepted", "a refusal")
    return "login, refusal"
