"""What every dynamic provider of this project shares.

Pulumi runs all dynamic resources of a stack in one process and finds their providers by module and class. Both are an
interface (`config.providers`): providers are module-level classes without attributes, pickled by reference. Numbers
arrive as floats and secrets as plain text; outputs keep the secrecy of the input with the same key.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from dive_infra import engines
from dive_infra.config import environment
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.config.settings import PROJECT
from dive_infra.dynamic.runtime import bootstrap
from dive_infra.dynamic.runtime.context import RunContext
from dive_infra.orchestration.access import Locked
from dive_infra.plans import provider_messages
from dive_infra.process import lock_refusal
from dive_infra.process.crash_points import crash_point
from dive_infra.results.errors import DiveError
from dive_infra.results.text import first_line

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]

_PROVIDER = "__provider"
_LEFT_OUT = ("address",)  # inputs that do not exist while they are empty


class ProviderError(DiveError):
    """The error of a resource, as the operator reads it: one short message without a traceback."""


class Provider(ResourceProvider):
    """Base of the providers; a provider implements `create_resource` and, where it needs them, the three after it.

    The engine calls `check`, `create`, `diff`, `update` and `delete`, which add what every resource needs: the lock of
    the country, the record of a failure, short errors. Inputs are echoed in the outputs, so `diff` can compare them.
    """

    serialize_as_secret_always = False
    run: ClassVar[RunContext] = RunContext()  # one process serves one run
    replaces: ClassVar[tuple[str, ...]] = ()  # inputs whose change replaces the resource
    delete_before_replace: ClassVar[bool] = True
    ignores: ClassVar[tuple[str, ...]] = ()  # inputs whose change alone needs no update
    deploys: ClassVar[bool] = True  # whether a change is part of a deployment: locked, recorded, proven

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

    # The engine's calls. The underscores are the SDK's names, which it may pass as keywords.

    def configure(self, req: ConfigureRequest) -> None:
        """Take the engine from the stack's configuration, which comes before the first call to each provider.

        It is the stack file's in an update or a preview. A destroy gets the one that the last update has recorded.
        """
        if not environment.asks_no_engine():
            given = (req.config.get(f"{PROJECT}:{key}") or "" for key in ("engine", "engineCertificates"))
            engines.select(EngineSelection(*map(str, given)))

    def check(self, _olds: Outputs, news: Outputs) -> CheckResult:
        if self.deploys and not _olds:
            # For a resource that is not in the state yet, a preview calls nothing else.
            self.run.deployment.announce()
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
        with _short_errors(), crash_point(f"delete {self._kind}"):
            self.run.probes.disable()
            self.delete_resource(_inputs(_props))

    def read(self, id_: str, props: Outputs) -> ReadResult:
        return ReadResult(id_, props)

    @contextmanager
    def _deploying(self, verb: str) -> Iterator[None]:
        with _short_errors():
            self.run.probes.disable()
            if self.deploys:
                self.run.deployment.begin()
            try:
                with crash_point(f"{verb} {self._kind}"):
                    yield
            except Exception as error:
                if self.deploys:
                    self.run.deployment.fail(self._kind, error)
                raise

    @property
    def _kind(self) -> str:
        return type(self).__name__.removesuffix("Provider")

    def changed_inputs(self, before: Inputs, now: Inputs) -> list[str]:
        """Return the keys whose values differ, sorted."""
        # A renamed provider counts: it must reach the outputs, else the next delete looks for the old module.
        known = {*now, *(k for k in _LEFT_OUT if k in before)}
        return sorted(k for k in known if now.get(k) != before.get(k) and k not in self.ignores)

    def has_drifted(self, name: str, before: Inputs) -> bool:
        """Return whether the resource needs an update, and report why. Keep, and report, what cannot be checked."""
        try:
            reason = self.drift_reason(before)
        except Exception as error:  # noqa: BLE001 (neither changed nor unchanged; raising would end the deployment)
            self.run.unchecked.keep()
            if self.run.unchecked.is_new(cause := first_line(error)):
                tell(provider_messages.unchecked(self._kind, name, cause))
            return False
        if reason:
            tell(provider_messages.drifted(self._kind, name, reason))
        return bool(reason)


# On import, and without effect in any other process.
bootstrap.prepare_provider_process(ProviderError, lambda: Provider.run.deployment.end())


def tell(message: str) -> None:
    """Print a line for the operator, in a preview and in an update."""
    print(message, flush=True)


@contextmanager
def _short_errors() -> Iterator[None]:
    """Turn any exception into a `ProviderError` with its message, unless `DIVE_TRACEBACK` is set."""
    try:
        yield
    except Exception as error:
        if isinstance(error, Locked):
            lock_refusal.refuse(str(error))
        if environment.shows_traceback():
            raise
        raise ProviderError(str(error) or repr(error)) from None


def _inputs(props: Outputs) -> Outputs:
    return {k: v for k, v in props.items() if k != _PROVIDER}
