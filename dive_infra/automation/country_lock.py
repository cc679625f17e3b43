"""The country lock, held while a CLI command works on a country. Deployments take the same lock.

Pulumi's own lock is checked as well: an update that has not changed anything yet holds no other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from dive_infra.automation.backend_lock import backend_locks
from dive_infra.automation.failures import CountryLocked
from dive_infra.orchestration.access import DatabaseAccess, Locked, RecordError
from dive_infra.orchestration.store import Store


class CountryLock:
    """The lock of the country `code`, taken for the command `verb`.

    If the record cannot be reached, the command continues without the lock: `unavailable` says why, else it is empty.
    """

    def __init__(self, access: DatabaseAccess | None, code: str, verb: str) -> None:
        self.code, self.unavailable = code, ""
        self._access, self._verb = access, verb
        self._store: Store | None = None

    @property
    def store(self) -> Store | None:
        """Return the session that holds the lock; None if the record cannot be reached."""
        return self._store

    def acquire(self) -> None:
        """Take the lock; raises `CountryLocked` if it is held."""
        if self._access is None:
            self.unavailable = f"{self.code} has no login at the record"
            return
        try:
            self._store = Store(self._access)
            self._store.hold(self.code, self._verb)
            self.unavailable = ""
        except Locked as locked:
            self.release()
            raise CountryLocked(locked.cause) from None
        except RecordError as error:
            self.release()
            self.unavailable = str(error)

    def release(self) -> None:
        """Release the lock; a record that has become unreachable has released it already."""
        if self._store:
            with suppress(RecordError):
                self._store.release(self.code)
            self._store.close()
        self._store = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Release the lock around a step that ends the record's own connections, and take it again afterwards.

        Raises `CountryLocked` if another process has taken it meanwhile.
        """
        self.release()
        yield
        self.acquire()


@contextmanager
def hold_country(access: DatabaseAccess | None, code: str, verb: str) -> Iterator[CountryLock]:
    """Hold the lock of `code` within the context; see `CountryLock.acquire`."""
    lock = CountryLock(access, code, verb)
    lock.acquire()
    try:
        yield lock
    finally:
        lock.release()


def refuse_while_updating(codes: Sequence[str]) -> None:
    """Raise `CountryLocked` if Pulumi is updating the stack of one of these countries; ignores locks of the dead."""
    for code in codes:
        for lock in backend_locks(code.lower()):
            if lock.live is not False:
                raise CountryLocked(f"{code} is being updated by {lock}")
