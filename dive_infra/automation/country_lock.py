"""The lock of a country while a verb works on it: the one that deployments take, so that neither disturbs the other.

Pulumi's own lock is looked at too: an update that has not changed anything yet holds no other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from dive_infra.automation.backend_lock import updates
from dive_infra.orchestration.access import DatabaseAccess, RecordError, Unreachable
from dive_infra.orchestration.access import Locked as Busy
from dive_infra.orchestration.store import Store

__all__ = ["Busy", "Claim", "claim", "refuse_while_updating"]


class Claim:
    """The lock of `code`, held for `verb`; `unheld` says why it is not, where the record can't be asked."""

    def __init__(self, access: DatabaseAccess | None, code: str, verb: str) -> None:
        self.code, self.unheld = code, ""
        self._access, self._verb = access, verb
        self._store: Store | None = None

    @property
    def store(self) -> Store | None:
        """The session that holds the lock; None where the record can't be asked."""
        return self._store

    def take(self, beside: Sequence[str] = ()) -> None:
        """Raises `Busy`, saying who it is, when somebody works on the country, or deploys one of `beside`."""
        if self._access is None:
            self.unheld = f"{self.code} has no login at the record"
            return
        try:
            self._store = Store(self._access)
            for other in beside:
                _refuse_while_held(self._store, other)
            self._store.hold(self.code, self._verb)
            self.unheld = ""
        except Busy as busy:
            self.drop()
            raise Busy(busy.cause) from None
        except RecordError as error:
            self.drop()
            self.unheld = str(error)

    def drop(self) -> None:
        """Gives the lock back; a record that has gone meanwhile has freed it by itself."""
        if self._store:
            with suppress(RecordError):
                self._store.release(self.code)
            self._store.close()
        self._store = None

    @contextmanager
    def paused(self, beside: Sequence[str] = ()) -> Iterator[None]:
        """Gives the lock back for what ends the record's own connections, and takes it again after that.

        Raises `Busy` when somebody else has taken it meanwhile.
        """
        self.drop()
        yield
        self.take(beside)


@contextmanager
def claim(access: DatabaseAccess | None, code: str, verb: str, beside: Sequence[str] = ()) -> Iterator[Claim]:
    """The lock of `code` as long as the context lasts; see `Claim.take`."""
    held = Claim(access, code, verb)
    held.take(beside)
    try:
        yield held
    finally:
        held.drop()


def _refuse_while_held(store: Store, code: str) -> None:
    with suppress(Unreachable):
        holder = store.holder(code)
        if holder and holder.live:
            raise Busy(f"{code} is being deployed by {holder}")


def refuse_while_updating(codes: Sequence[str]) -> None:
    """Raises `Busy` when Pulumi runs on the stack of one of these countries; a dead one's lock stops nobody here."""
    for code in codes:
        for update in updates(code.lower()):
            if update.live is not False:
                raise Busy(f"{code} is being updated by {update}")
