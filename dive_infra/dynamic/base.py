"""What every dynamic provider here shares.

The engine runs all dynamic resources of a stack in one process and finds their providers by module and class, so both
are frozen names: providers are module-level classes without attributes, pickled by reference. Numbers arrive as floats
and secrets as plain text; outputs keep the secrecy of the input with the same key.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]

_PROVIDER = "__provider"


class Refused(Exception):
    """What an operator reads when a resource fails: one short message, no traceback."""


class Provider(ResourceProvider):
    """Base of the providers: a resource is `make`d, `mend`ed and `remove`d, and `drift` says whether it must be mended.

    Inputs are echoed in the outputs, so `diff` can compare them; `make` and `mend` return what is computed beside them.
    """

    serialize_as_secret_always = False
    replaces: ClassVar[tuple[str, ...]] = ()  # inputs whose change makes another resource

    def make(self, inputs: Inputs) -> tuple[str, Outputs]:
        """Makes the resource, or adopts it half made; returns its id and the computed outputs."""
        raise NotImplementedError

    def mend(self, inputs: Inputs, before: Inputs) -> Outputs:
        """Brings the resource back to its inputs; `before` are the last outputs. By default it is made again."""
        return self.make(inputs)[1]

    def remove(self, before: Inputs) -> None:
        """Removes the resource; nothing to do when it is gone already."""

    def drift(self, before: Inputs) -> str | None:
        """Why the live thing is not what was deployed, or None. Raises when that cannot be told now."""
        return None

    # What the engine calls.

    def create(self, props: Outputs) -> CreateResult:
        inputs = _inputs(props)
        with _short_errors():
            name, outputs = self.make(inputs)
        return CreateResult(name, {**props, **outputs})

    def diff(self, _id: str, _olds: Outputs, _news: Outputs) -> DiffResult:
        # A renamed provider must reach the outputs too, else the next delete looks for the old module.
        changed = sorted(k for k in _news if _news[k] != _olds.get(k))
        dropped = [k for k in self.declared(_olds) if k not in _news]
        if changed or dropped:
            return DiffResult(changes=True, replaces=[k for k in changed if k in self.replaces], delete_before_replace=True)
        return DiffResult(changes=self._drifted(_id, _inputs(_olds)))

    def update(self, _id: str, _olds: Outputs, _news: Outputs) -> UpdateResult:
        with _short_errors():
            outputs = self.mend(_inputs(_news), _inputs(_olds))
        return UpdateResult({**_news, **outputs})

    def delete(self, _id: str, _props: Outputs) -> None:
        with _short_errors():
            self.remove(_inputs(_props))

    def read(self, id_: str, props: Outputs) -> ReadResult:
        return ReadResult(id_, props)

    def declared(self, before: Inputs) -> list[str]:
        """The inputs that stand in `before`; a provider with optional inputs names them here."""
        return []

    def _drifted(self, name: str, before: Inputs) -> bool:
        try:
            reason = self.drift(before)
        except Exception as error:  # an answer of its own: never read as "changed" or as "valid"
            tell(f"{name}: could not be checked, kept as it was: {_first_line(error)}")
            return False
        if reason:
            tell(f"{name}: {reason}")
        return bool(reason)


def tell(message: str) -> None:
    """A line for the operator, in preview and in update."""
    print(message, flush=True)


class _short_errors:
    """Turns any exception into one without a traceback: the engine prints it as it is."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if os.environ.get("DIVE_TRACEBACK"):
            return
        sys.tracebacklimit = 0
        raise Refused(str(error) or repr(error)) from None


def _inputs(props: Outputs) -> Outputs:
    return {k: v for k, v in props.items() if k != _PROVIDER}


def _first_line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]
