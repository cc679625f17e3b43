"""What every dynamic provider here shares.

The engine runs all dynamic resources of a stack in one process and finds their providers by module and class, so both
are frozen names: providers are module-level classes without attributes, pickled by reference. Numbers arrive as floats
and secrets as plain text; outputs keep the secrecy of the input with the same key.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from dive_infra.dynamic.runtime import deployment_run, engine_watchdog, unchecked
from dive_infra.orchestration.access import Locked
from dive_infra.plans import provider_messages
from dive_infra.process import gc_tuning, lock_refusal, probe_cache
from dive_infra.process.crash_points import crash_point

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]

_PROVIDER = "__provider"
_HOLDS = 10.0  # seconds for which a look holds for other resources of the same run


class ProviderError(Exception):
    """What an operator reads when a resource fails: one short message, no traceback."""


class Provider(ResourceProvider):
    """Base of the providers; a provider implements `create_resource` and, where it needs them, the three after it.

    The engine calls `check`, `create`, `diff`, `update` and `delete`, which add what every resource needs: the lock of
    the country, the record of a failure, short errors. Inputs are echoed in the outputs, so `diff` can compare them.
    """

    serialize_as_secret_always = False
    replaces: ClassVar[tuple[str, ...]] = ()  # inputs whose change makes another resource
    delete_before_replace: ClassVar[bool] = True
    ignores: ClassVar[tuple[str, ...]] = ()  # inputs whose change alone needs nothing
    deploys: ClassVar[bool] = True  # whether a change of it is a deployment, which is locked, recorded and proven

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        """Create the resource, or adopt one that was only partly created; return its id and the computed outputs."""
        raise NotImplementedError

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        """Bring the resource to its inputs, by default by creating it again; `before` are the last outputs."""
        return self.create_resource(inputs)[1]

    def delete_resource(self, before: Inputs) -> None:
        """Delete the resource, if it still exists."""

    def drift_reason(self, before: Inputs) -> str | None:
        """Return why the live object differs from what was deployed, or None. Raise if that cannot be checked now."""
        return None

    # What the engine calls.

    def check(self, _olds: Outputs, news: Outputs) -> CheckResult:
        if self.deploys and not _olds:
            deployment_run.announced()  # all that a preview asks of a resource that is to be made
        return CheckResult(news, [])

    def create(self, props: Outputs) -> CreateResult:
        inputs = _inputs(props)
        with self._deploying("create"):
            name, outputs = self.create_resource(inputs)
        return CreateResult(name, {**props, **outputs})

    def diff(self, _id: str, _olds: Outputs, _news: Outputs) -> DiffResult:
        changed = self.changed_inputs(_olds, _news)
        if changed:
            return DiffResult(
                changes=True,
                replaces=[k for k in changed if k in self.replaces],
                delete_before_replace=self.delete_before_replace,
            )
        return DiffResult(changes=self.has_drifted(_id, _inputs(_olds)))

    def update(self, _id: str, _olds: Outputs, _news: Outputs) -> UpdateResult:
        with self._deploying("update"):
            outputs = self.update_resource(_inputs(_news), _inputs(_olds))
        return UpdateResult({**_news, **outputs})

    def delete(self, _id: str, _props: Outputs) -> None:
        with _ShortErrors(), crash_point(f"delete {self._kind}"):
            probe_cache.disable()
            self.delete_resource(_inputs(_props))

    def read(self, id_: str, props: Outputs) -> ReadResult:
        return ReadResult(id_, props)

    @contextmanager
    def _deploying(self, verb: str) -> Iterator[None]:
        with _ShortErrors():
            probe_cache.disable()
            if self.deploys:
                deployment_run.begin()
            try:
                with crash_point(f"{verb} {self._kind}"):
                    yield
            except Exception as error:
                if self.deploys:
                    deployment_run.failed(self._kind, str(error) or repr(error))
                raise

    @property
    def _kind(self) -> str:
        return type(self).__name__.removesuffix("Provider")

    def changed_inputs(self, before: Inputs, now: Inputs) -> list[str]:
        """The inputs that are not what they were, sorted."""
        # A renamed provider counts: it must reach the outputs, else the next delete looks for the old module.
        return sorted(k for k in now if now[k] != before.get(k) and k not in self.ignores)

    def has_drifted(self, name: str, before: Inputs) -> bool:
        """Whether the resource must be mended, told with the reason; what can't be checked is kept, and told too."""
        try:
            reason = self.drift_reason(before)
        except Exception as error:  # noqa: BLE001 (an answer of its own: neither changed nor valid)
            unchecked.keep(name)
            if unchecked.met(cause := first_line(error)):
                tell(f"{self._kind} {name}: could not be checked, kept as it was: {cause}")
            return False
        if reason:
            tell(provider_messages.reason(self._kind, name, reason))
        return bool(reason)


def tell(message: str) -> None:
    """A line for the operator, in preview and in update."""
    print(message, flush=True)


class _ShortErrors:
    """Turns any exception into a `Refused` with its message, unless `DIVE_TRACEBACK` is set."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Locked):
            lock_refusal.refuse(str(error))
        if isinstance(error, Exception) and not os.environ.get("DIVE_TRACEBACK"):
            raise ProviderError(str(error) or repr(error)) from None


class _Messages:
    """Stands for `traceback` in the server that runs providers, which answers every error with a whole traceback."""

    @staticmethod
    def format_exc() -> str:
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, ProviderError) else traceback.format_exc()


def _serve() -> None:
    """In the engine's server of providers: errors are answered in short, and the server ends with its engine."""
    server = sys.modules["__main__"]
    run_as = getattr(server, "__spec__", None)
    if run_as is not None and run_as.name == "pulumi.dynamic.__main__":
        vars(server)["traceback"] = _Messages
        gc_tuning.tune()
        probe_cache.enable(_HOLDS)
        if len(sys.argv) > 1:
            engine_watchdog.watch(sys.argv[1])


_serve()


def _inputs(props: Outputs) -> Outputs:
    return {k: v for k, v in props.items() if k != _PROVIDER}


def ago(moment: str) -> str:
    """How long ago a moment (ISO 8601) was: `40 s ago`, `12 min ago`, `3 h ago`, `5 days ago`."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error) or repr(error)).splitlines()[0]
