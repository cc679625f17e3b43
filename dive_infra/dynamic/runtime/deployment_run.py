"""The deployment that the provider process carries out: its country and phase, what it changed, and its lock.

The lock is taken before the first change. The country and the login at its record are known once the first checkpoint
was diffed, which in an update comes before any change. Previews take no lock and leave no trace.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from dive_infra.orchestration.access import DatabaseAccess, Fenced, LoginRefused, OlderSchema, Unreachable
from dive_infra.orchestration.states import Phase
from dive_infra.orchestration.store import Store, session
from dive_infra.results.text import first_line


@dataclass
class DeploymentRun:
    """`phase` is the one whose resources are diffed now; `access` is None until the hub's database exists."""

    country: str = ""
    phase: Phase = Phase.PREFLIGHT
    access: DatabaseAccess | None = None
    _changed: set[Phase] = field(default_factory=set[Phase])
    _reasons: dict[Phase, str] = field(default_factory=dict[Phase, str])
    _one_at_a_time: Lock = field(default_factory=Lock)

    def pass_checkpoint(self, country: str, phase: Phase, access: DatabaseAccess | None) -> None:
        """Note that the checkpoint of `phase` is reached: what changes from now on belongs to the next phase."""
        with self._one_at_a_time:
            self.country = country
            self.phase = phase.next_or_self
            self.access = access or self.access

    def announce(self) -> None:
        """Note that a resource of the current phase will be created in this run."""
        with self._one_at_a_time:
            self._changed.add(self.phase)

    def has_changed(self, phase: Phase) -> bool:
        """Return whether this run creates or has changed a resource of `phase`, which then has to be proven again."""
        return phase in self._changed

    def run_again(self, phase: Phase, why: str) -> None:
        """Note why `phase` runs again: the first line of `why`."""
        self._reasons[phase] = first_line(why)

    def reason(self, phase: Phase) -> str:
        """Return why `phase` runs. A phase that is created for the first time was never diffed, so has no reason."""
        return self._reasons.get(phase, "for the first time")

    def begin(self) -> None:
        """Take the country's lock and enter INITIALIZING, once; raise `Locked` if another run deploys the country.

        Call it before each change. A record out of reach does not stop a change: the change may be what repairs it,
        and no phase completes without the record.
        """
        self._write(lambda store: store.begin(self.country, self.phase))
        self._changed.add(self.phase)

    def fail(self, component: str, error: Exception) -> None:
        """Record that a change of `component` failed, so that the country is not called complete."""
        self._write(lambda store: store.record_failure(self.country, self.phase, component, error))

    def end(self) -> None:
        """Record FAILED if this run has changed something and ends unproven: another provider, or Pulumi, failed.

        A run that was overtaken leaves the record to the other one.
        """
        from dive_infra.automation import failed_update  # after the run, where it delays nothing

        def write(store: Store) -> None:
            if store.holds(self.country):
                failed_update.end(store, self.country, None)

        with suppress(Fenced):
            self._write(write)

    def _write(self, write: Callable[[Store], None]) -> None:
        with self._one_at_a_time, suppress(Unreachable, LoginRefused, OlderSchema):
            if not self.access:
                return
            try:
                write(session(self.access))
            except Unreachable:  # the session was lost while this process was stopped; a new one sees who deploys now
                write(session(self.access))
