"""The record of deployments: what is known about a country, and what a deploying process writes.

Every question has three distinct answers: a row, no row (None), or an error. The error says whether the database is
out of reach (`Unreachable`), refuses us (`LoginRefused`), has another schema (`SchemaMismatch`) or failed the query
(`QueryFailed`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import Any, TypeVar, cast

from psycopg import Connection
from psycopg.types.json import Jsonb

from dive_infra.membership.status import PublishedStatus
from dive_infra.orchestration import connection, lock, schema
from dive_infra.orchestration import statements as sql
from dive_infra.orchestration.access import DatabaseAccess, Unreachable
from dive_infra.orchestration.records import Current, Holder, PhaseRecord, Proof, Run, this_run
from dive_infra.orchestration.states import IN_PROGRESS, REACHED, TRANSITIONS, Phase, State, Status, check, leads, walk
from dive_infra.process.crash_points import crash_point
from dive_infra.results.errors import DiveError

Method = TypeVar("Method", bound=Callable[..., Any])
Answered = TypeVar("Answered")


def _one_at_a_time(method: Method) -> Method:
    """Hold the store's own lock, because one connection serves several threads, and translate the driver's errors."""

    @wraps(method)
    def guarded(self: "Store", *args: Any, **kwargs: Any) -> Any:
        with self._guard, connection.translated_errors():
            return method(self, *args, **kwargs)

    return cast(Method, guarded)


class Store:
    """A session at the database. A country lock, once taken, is held as long as the session."""

    def __init__(self, access: DatabaseAccess, run: Run | None = None, lost: Mapping[str, int] | None = None) -> None:
        """`lost`: country -> fence of a lock that this process lost with an earlier session."""
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
        """Return country -> fence of the locks that this session holds, or held when its connection was lost."""
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
        """Raise `SchemaMismatch` unless schema and rights still match this program, as on connecting."""
        schema.compare(self._connection)

    # What is known.

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
        """Return the seconds, by the database's clock, since the phase's proof was recorded; None if it never was."""
        row = self._connection.execute(sql.AGE, [country.lower(), phase]).fetchone()
        return float(row[0]) if row else None

    @_one_at_a_time
    def holder(self, country: str) -> Holder | None:
        return lock.holder(self._connection, country)

    @_one_at_a_time
    def query(self, question: Callable[[Connection[Any]], Answered]) -> Answered:
        """Return what `question` reads through this session."""
        return question(self._connection)

    def holds(self, country: str) -> bool:
        """Return True if this session holds the country's lock."""
        return country.lower() in self._fences

    # What a deployment writes.

    @_one_at_a_time
    def hold(self, country: str, phase: str) -> None:
        """Take the country's lock, once; mark an interrupted deployment as FAILED. Raise `Locked`."""
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
        """Take the lock and enter INITIALIZING before the first change; before later ones, check that it is still held.

        Raise `Locked` or `Fenced`, and `Unreachable` if the session was lost, and the lock with it.
        """
        code = country.lower()
        if code in self._fences:
            lock.guard(self._connection, code, self._fences[code], phase)
            return
        self.hold(code, phase)
        state = self._state(code)
        if State.INITIALIZING in TRANSITIONS[state]:
            with self._writing(code, phase):
                self._enter(code, state, State.INITIALIZING, f"{phase} is changed")

    @_one_at_a_time
    def record_failure(self, country: str, phase: str, component: str, error: Exception) -> None:
        """Record that a change failed, with the state FAILED; later failures of the run follow from the first."""
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
        """Write the checkpoints of proven phases, and advance the state to the one that the last phase reaches.

        The country may be past those of the others already, such as that of PREFLIGHT when it is DEPLOYING.
        """
        code = country.lower()
        with self._writing(code, proofs[-1].phase):
            for proof in proofs:
                self._checkpoint(code, proof)
                state, reached = self._state(code), REACHED[proof.phase]
                if proof is not proofs[-1] and not leads(state, reached):
                    continue
                for following in walk(state, reached):
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
    def end_failed(self, country: str, phase: Phase, cause: str) -> None:
        """Record that this run failed in `phase`, and release its lock; keep what was recorded before.

        A process beside the deploying one waits until that one has ended.

        Raise `Locked` if another run deploys the country.
        """
        code = country.lower()
        if code not in self._fences:
            holder = lock.holder(self._connection, code)
            if holder and holder.live and holder.run_id == self.run.id:
                lock.await_end(self._connection, code)
            self._fences[code], _ = lock.take(self._connection, code, self.run, phase)
        current, step = self.current(code), self.step(code, phase)
        with self._writing(code, phase):
            if not (step and step.status == Status.FAILED and step.run_id == self.run.id):
                known = step.fingerprint if step else ""
                values = {"phase": phase, "fingerprint": known, "message": cause, "run": self.run.id}
                self._connection.execute(sql.FAILURE, {"code": code, **values})
            if not (current and current.state == State.FAILED and current.run_id == self.run.id):
                self._error(code, "CHANGE_FAILED", 2, phase, cause)
                if (state := self._state(code)) != State.FAILED:
                    self._enter(code, state, State.FAILED, f"{phase}: {cause}")
        self.release(code)

    @_one_at_a_time
    def forget(self, country: str, phase: Phase) -> None:
        """Record that a phase was removed and is to be done again; after PREFLIGHT the country is UNKNOWN again."""
        code = country.lower()
        with self._writing(code, phase):
            self._connection.execute(
                "UPDATE deployment_steps SET status = 'PENDING', checkpoint_id = NULL, completed_at = NULL, run_id = %s"
                " WHERE instance_code = %s AND step_name = %s",
                [self.run.id, code, phase],
            )
            ends = [State.CLEANUP, State.UNKNOWN] if phase == Phase.PREFLIGHT else [State.CLEANUP]
            self._take_back(code, ends, f"{phase} was removed")

    @_one_at_a_time
    def measure(self, country: str, name: str, value: float, unit: str, **labels: str) -> None:
        self._connection.execute(
            "INSERT INTO orchestration_metrics (instance_code, metric_name, metric_value, metric_unit, labels, run_id)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [country.lower(), name, value, unit, Jsonb(labels), self.run.id],
        )

    @_one_at_a_time
    def link(self, country: str, source: str, target: str, alias: str, client: str, seconds: float) -> None:
        """Record that a user from `source` just logged in at `target`; `country` owns the link."""
        values = {"source": source.lower(), "target": target.lower(), "alias": alias, "client": client}
        self._connection.execute(sql.LINK, {"code": country.lower(), "seconds": seconds, **values})

    @_one_at_a_time
    def link_pending(self, country: str, source: str, target: str, alias: str, client: str, why: str) -> None:
        """Record that the other side of a link does not answer or does not exist yet."""
        values = {"source": source.lower(), "target": target.lower(), "alias": alias, "client": client}
        self._connection.execute(sql.PENDING_LINK, {"code": country.lower(), "why": why, **values})

    @_one_at_a_time
    def unlink(self, country: str, partners: Collection[str]) -> None:
        """Forget the links of a country with all others than these partners, and what others have reported."""
        kept = [code.lower() for code in (country, *partners)]
        self._connection.execute(
            "DELETE FROM federation_links WHERE NOT (source_code = ANY(%s) AND target_code = ANY(%s))", [kept, kept]
        )
        self._connection.execute("DELETE FROM member_reports WHERE instance_code <> ALL(%s)", [kept])

    @_one_at_a_time
    def note(self, status: PublishedStatus) -> None:
        """Record what a partner publishes about itself, unless a later one is known."""
        published = status.plain()
        values: dict[str, Any] = {name: Jsonb(published[name]) for name in ("phases", "links")}
        values |= {"code": status.country.lower(), "issued": status.issued, "state": status.state}
        self._connection.execute(sql.MEMBER, values)

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
    """Return the one session of this process at that database; a new one if the connection was lost."""
    place = (access.address, access.host, access.port, access.database, access.user)
    with _sessions_lock:
        known = _sessions.get(place)
        if known and known.alive and known.access == access:
            return known
        if known:
            known.close()
        _sessions[place] = Store(access, lost=known.fences if known else None)
        return _sessions[place]
