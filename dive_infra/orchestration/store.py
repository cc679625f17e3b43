"""The record of deployments: what is known of a country, and what a deploying process writes.

There are three answers to every question, and none can pass for another: a row, no row (None), and an error that says
whether the database is out of reach (`Unreachable`), refuses us (`Refused`), has another schema (`SchemaMismatch`) or
failed the query (`QueryFailed`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import Any, TypeVar, cast

from psycopg import Connection
from psycopg.types.json import Jsonb

from dive_infra.orchestration import connection, lock, purge, schema
from dive_infra.orchestration import statements as sql
from dive_infra.orchestration.access import DatabaseAccess, Unreachable
from dive_infra.orchestration.records import Current, Holder, PhaseRecord, Proof, Run, this_run
from dive_infra.orchestration.states import IN_PROGRESS, REACHED, TRANSITIONS, Phase, State, Status, check, walk
from dive_infra.process.crash_points import crash_point
from dive_infra.results.errors import DiveError

Method = TypeVar("Method", bound=Callable[..., Any])
Answered = TypeVar("Answered")


def _one_at_a_time(method: Method) -> Method:
    """Holds the store's own lock, and translates the driver's errors: the one connection serves several threads."""

    @wraps(method)
    def guarded(self: "Store", *args: Any, **kwargs: Any) -> Any:
        with self._guard, connection.translated_errors():
            return method(self, *args, **kwargs)

    return cast(Method, guarded)


class Store:
    """A session at the database. The lock of a country, once held, is held as long as the session."""

    def __init__(self, access: DatabaseAccess, run: Run | None = None, lost: Mapping[str, int] | None = None) -> None:
        """`lost`: country -> the fence of a lock that this process has lost with an earlier session."""
        self.access = access
        self._lost = dict(lost or {})
        self.run = run or this_run()
        self._guard = RLock()
        self._fences: dict[str, int] = {}
        self._connection = connection.connect(access, f"dive {self.run.actor}")
        try:
            with connection.translated_errors():
                schema.compare(self._connection)
        except Exception:
            self._connection.close()
            raise

    @property
    def fences(self) -> dict[str, int]:
        """The locks that this session holds, or held when its connection was lost: country -> fence."""
        return {**self._lost, **self._fences}

    @property
    def alive(self) -> bool:
        return not (self._connection.closed or self._connection.broken)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @_one_at_a_time
    def compare(self) -> None:
        """As at the connect: raises `SchemaMismatch` unless schema and rights are this program's still."""
        schema.compare(self._connection)

    # What is known.

    @_one_at_a_time
    def whose(self) -> str | None:
        """The country whose rows this login may see and write (`fra`); None for the owner, who sees all."""
        row = self._connection.execute("SELECT own_country()").fetchone()
        return str(row[0]) if row and row[0] else None

    @_one_at_a_time
    def admitted(self, country: str) -> str | None:
        """The role through which a country works here; None when the hub has not admitted it."""
        row = self._connection.execute("SELECT role_name FROM countries WHERE instance_code = %s", [country.lower()])
        found = row.fetchone()
        return str(found[0]) if found else None

    @_one_at_a_time
    def current(self, country: str) -> Current | None:
        row = self._connection.execute(
            "SELECT state, previous_state, changed_at, reason, run_id FROM deployment_states WHERE instance_code = %s",
            [country.lower()],
        ).fetchone()
        return Current(State(row[0]), State(row[1]), *row[2:]) if row else None

    @_one_at_a_time
    def step(self, country: str, phase: Phase) -> PhaseRecord | None:
        row = self._connection.execute(sql.STEP, [country.lower(), phase]).fetchone()
        return PhaseRecord(phase, Status(row[0]), *row[1:]) if row else None

    @_one_at_a_time
    def age(self, country: str, phase: Phase) -> float | None:
        """Seconds, by the database's clock, since the phase's proof was recorded; None when it never was."""
        row = self._connection.execute(sql.AGE, [country.lower(), phase]).fetchone()
        return float(row[0]) if row else None

    @_one_at_a_time
    def holder(self, country: str) -> Holder | None:
        return lock.holder(self._connection, country)

    @_one_at_a_time
    def query(self, question: Callable[[Connection[Any]], Answered]) -> Answered:
        """What `question` reads through this session."""
        return question(self._connection)

    def holds(self, country: str) -> bool:
        """Whether this very session holds the country's lock."""
        return country.lower() in self._fences

    # What a deployment writes.

    @_one_at_a_time
    def hold(self, country: str, phase: str) -> None:
        """Takes the country's lock, once; a deployment found interrupted is marked FAILED. Raises `Locked`."""
        code = country.lower()
        if code in self._fences:
            return
        self._fences[code], interrupted = lock.take(self._connection, code, self.run, phase, self._lost.get(code, 0))
        self._lost.pop(code, None)
        state = self._state(code)
        if interrupted and state in IN_PROGRESS:
            with self._writing(code, phase):
                self._enter(code, state, State.FAILED, f"interrupted: {interrupted}")

    @_one_at_a_time
    def begin(self, country: str, phase: str) -> None:
        """Before each change of a run: takes the lock and enters INITIALIZING; only looks when it is held already.

        Raises `Locked` and `Fenced`; and `Unreachable` when the session, and with it the lock, was lost.
        """
        code = country.lower()
        if code in self._fences:
            lock.confirm(self._connection, code, self._fences[code])
            return
        self.hold(code, phase)
        state = self._state(code)
        if State.INITIALIZING in TRANSITIONS[state]:
            with self._writing(code, phase):
                self._enter(code, state, State.INITIALIZING, f"{phase} is changed")

    @_one_at_a_time
    def record_failure(self, country: str, phase: str, component: str, error: Exception) -> None:
        """Records that a change failed, with the state FAILED; what fails after it follows from it."""
        code = country.lower()
        if isinstance(error, DiveError):
            message, remedy = error.cause, error.remedy.command(country.upper())
        else:
            message, remedy = str(error), ""
        cause = next(iter(message.splitlines()), "") or repr(error)
        state = self._state(code)
        if code not in self._fences or state == State.FAILED:
            return
        with self._writing(code, phase):
            self._error(code, "CHANGE_FAILED", 2, component, cause, remedy)
            self._enter(code, state, State.FAILED, f"{component}: {cause}")

    @_one_at_a_time
    def release(self, country: str) -> None:
        fence = self._fences.pop(country.lower(), None)
        if fence is not None:
            lock.release(self._connection, country, fence)

    @_one_at_a_time
    def complete(self, country: str, *proofs: Proof) -> None:
        """Writes the checkpoints of phases that were proven, and walks the state to what the last one reaches."""
        code = country.lower()
        with self._writing(code, proofs[-1].phase):
            for proof in proofs:
                self._checkpoint(code, proof)
                state = self._state(code)
                for following in walk(state, REACHED[proof.phase]):
                    self._enter(code, state, following, f"{proof.phase} is proven")
                    state = following

    @_one_at_a_time
    def fail(
        self, country: str, phase: Phase, fingerprint: str, message: str, code: int | None = None, cause: str = ""
    ) -> None:
        """Record that a phase did not pass its validator, with its first `cause` and the state FAILED."""
        country = country.lower()
        with self._writing(country, phase):
            values = {"phase": phase, "fingerprint": fingerprint, "message": message, "run": self.run.id}
            self._connection.execute(sql.FAILURE, {"code": country, **values})
            self._error(country, str(code or "PHASE_FAILED"), 2, phase, cause or message)
            state = self._state(country)
            if state != State.FAILED:
                self._enter(country, state, State.FAILED, f"{phase} is not valid")

    @_one_at_a_time
    def forget(self, country: str, phase: Phase) -> None:
        """Records that a phase is taken back: it is to be done again; with PREFLIGHT the country is UNKNOWN again."""
        code = country.lower()
        with self._writing(code, phase):
            self._connection.execute(
                "UPDATE deployment_steps SET status = 'PENDING', checkpoint_id = NULL, completed_at = NULL, run_id = %s"
                " WHERE instance_code = %s AND step_name = %s",
                [self.run.id, code, phase],
            )
            ends = [State.CLEANUP, State.UNKNOWN] if phase == Phase.PREFLIGHT else [State.CLEANUP]
            self._take_back(code, ends, f"{phase} is taken back")

    @_one_at_a_time
    def erase(self, country: str, verb: str) -> None:
        """Takes a country out of the record, whatever its state is; what has happened to it stays as history."""
        code = country.lower()
        with self._writing(code, verb):
            self._take_back(code, [State.CLEANUP, State.UNKNOWN], f"{verb} by {self.run.actor}")
            purge.erase(self._connection, code)

    @_one_at_a_time
    def rows(self, country: str) -> dict[str, int]:
        """Table -> rows of the country as it is now; its history is not counted."""
        return purge.rows(self._connection, country)

    @_one_at_a_time
    def history(self, country: str) -> int:
        return purge.history(self._connection, country)

    @_one_at_a_time
    def measure(self, country: str, name: str, value: float, unit: str, **labels: str) -> None:
        self._connection.execute(
            "INSERT INTO orchestration_metrics (instance_code, metric_name, metric_value, metric_unit, labels, run_id)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [country.lower(), name, value, unit, Jsonb(labels), self.run.id],
        )

    @_one_at_a_time
    def link(self, country: str, source: str, target: str, alias: str, client: str, seconds: float) -> None:
        """Records that a person of `source` has logged in at `target` just now; `country` owns the link."""
        values = {"source": source.lower(), "target": target.lower(), "alias": alias, "client": client}
        self._connection.execute(sql.LINK, {"code": country.lower(), "seconds": seconds, **values})

    # Inside a transaction that holds the fence.

    @contextmanager
    def _writing(self, code: str, phase: str) -> Iterator[None]:
        if code not in self._fences:
            raise Unreachable(f"{code.upper()}: the lock is not held, nothing was written; call hold() first")
        with crash_point(f"record {phase}"), self._connection.transaction():
            lock.guard(self._connection, code, self._fences[code], phase)
            yield

    def _state(self, code: str) -> State:
        row = self._connection.execute(
            "SELECT state FROM deployment_states WHERE instance_code = %s", [code]
        ).fetchone()
        return State(row[0]) if row else State.UNKNOWN

    def _take_back(self, code: str, ends: list[State], reason: str) -> None:
        state = self._state(code)
        if state == State.UNKNOWN:
            return
        if state != State.CLEANUP and State.CLEANUP not in TRANSITIONS[state]:
            ends = [State.FAILED, *ends]
        for following in ends:
            if state != following:
                check(state, following)
                self._enter(code, state, following, reason)
                state = following

    def _enter(self, code: str, current: State, state: State, reason: str) -> None:
        values = {
            "code": code,
            "from": current,
            "to": state,
            "reason": reason,
            "run": self.run.id,
            "actor": self.run.actor,
        }
        self._connection.execute(sql.TRANSITION, values)
        self._connection.execute(sql.CURRENT, values)

    def _checkpoint(self, code: str, proof: Proof) -> None:
        values = {
            "code": code,
            "phase": proof.phase,
            "fingerprint": proof.fingerprint,
            "evidence": proof.evidence,
            "proven": proof.proven_at,
            "run": proof.run_id,
            "actor": self.run.actor,
            "fence": self._fences[code],
            "metadata": Jsonb({"seconds": proof.seconds, **proof.metadata}),
        }
        self._connection.execute(sql.CHECKPOINT, values)

    def _error(self, code: str, error: str, severity: int, component: str, message: str, remediation: str = "") -> None:
        self._connection.execute(
            "INSERT INTO orchestration_errors"
            " (instance_code, error_code, severity, component, message, remediation, run_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [code, error, severity, component, message, remediation, self.run.id],
        )


_sessions: dict[tuple[str, str, int, str, str], Store] = {}
_sessions_lock = RLock()


def session(access: DatabaseAccess) -> Store:
    """The one session of this process there; made anew when the connection, and with it the lock, was lost."""
    place = (access.address, access.host, access.port, access.database, access.user)
    with _sessions_lock:
        known = _sessions.get(place)
        if known and known.alive and known.access == access:
            return known
        if known:
            known.close()
        _sessions[place] = Store(access, lost=known.fences if known else None)
        return _sessions[place]
