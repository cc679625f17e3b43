"""What a phase declares, as its validator needs it: plain data that travels as JSON.

A specification is made by the phase (`dump`), travels as a secret input of the checkpoint, and is read again where the
validator runs (`load`). Its `fingerprint` covers all that is not secret: a changed one makes the phase run again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from hashlib import sha256
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from dive_infra.config.later_fields import LEFT_OUT_IF_EMPTY
from dive_infra.config.naming import Names
from dive_infra.engines.declaration import Declared
from dive_infra.identity.realm_keys import RealmKey
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.states import Phase
from dive_infra.results.errors import DiveError


class Unreadable(DiveError, ValueError):
    """This program cannot read a specification; the message names the fields and never their values."""


def _secret() -> Any:
    return field(repr=False, metadata={"secret": True})


@dataclass(frozen=True)
class PreflightSpec:
    """`services` need their ports. Sizes are in GiB. `links` are the networks of the country's links.

    A spoke has a `hub`, and relies on a coalition document that `expires` (ISO 8601): the hub declares that, so that it
    is left out of the fingerprint, as are the `ends` of agreements: this country or partner -> moment (ISO 8601).
    """

    names: Names
    stack: str
    services: tuple[str, ...]
    ca: str = ""
    hub: Names | None = None
    disk: float = 5
    memory: float = 4
    expires: str = field(default="", metadata={"observed": True})
    ends: Annotated[Mapping[str, str], LEFT_OUT_IF_EMPTY] = field(
        default_factory=dict[str, str], metadata={"observed": True}
    )
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class InitializationSpec:
    """`images` are ids; `certificates`: service -> the PEM chain of its certificate.

    `issuers`, at the hub: code of each approved country -> the PEM chain of its issuer.
    """

    names: Names
    stack: str
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    images: tuple[str, ...]
    ca: str
    certificates: Mapping[str, str] = field(default_factory=dict[str, str])  # none in the states of an earlier program
    days: int = 30
    issuers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ContainerSpec:
    """A declared container; `files` is the hash over its files (`engines.docker.files`)."""

    service: str
    service_class: str
    declared: Declared
    files: str


@dataclass(frozen=True)
class DatabaseSpec:
    """A database of the country's Postgres and the role that uses it."""

    name: str
    user: str
    password: str = _secret()


@dataclass(frozen=True)
class DeploymentSpec:
    """`opa` is the token that reads, `keycloak` the secret of `dive-deployer`.

    `opa_local`: the modules that OPA has from its own files, by path. `store` is the login at the record, whose
    schema must match. `links`: network between countries -> the country's containers on it -> their names there.
    """

    names: Names
    containers: tuple[ContainerSpec, ...]
    databases: tuple[DatabaseSpec, ...]
    mongodb: str = _secret()
    redis: str = _secret()
    opa: str = _secret()
    ca: str = ""
    store: DatabaseAccess | None = None
    keycloak: str = field(default="", repr=False, metadata={"secret": True})
    # Hashes of tokens; none in the states of an earlier program.
    opa_local: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, metadata={"secret": True})
    hub: Names | None = None  # where policies come from; none in the states of an earlier program
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])  # as `hub`


@dataclass(frozen=True)
class ConfigurationSpec:
    """`keycloak` is the secret of the service account `dive-deployer`, `portal` that of the portal's client.

    `keys`: realm -> the recorded keys; empty before they are recorded. No one declares them, so that they are left out
    of the fingerprint.
    """

    names: Names
    partners: tuple[Names, ...]
    ca: str
    keycloak: str = _secret()
    portal: str = _secret()
    keys: Annotated[Mapping[str, tuple[RealmKey, ...]], LEFT_OUT_IF_EMPTY] = field(
        default_factory=dict[str, tuple[RealmKey, ...]], metadata={"observed": True}
    )


@dataclass(frozen=True)
class SeedingSpec:
    """`kas_keys`: country code -> public key (PEM) that document keys are wrapped to.

    `test_users`: whether the six exist. `cut`: members that the hub has cut off, which stay in what it distributes.
    """

    names: Names
    partners: tuple[Names, ...]
    documents: int
    kas_keys: Mapping[str, str]
    ca: str
    mongodb: str = _secret()
    keycloak: str = _secret()
    test_users: bool = True
    cut: tuple[Names, ...] = ()


@dataclass(frozen=True)
class Party:
    """A country whose people log in, and the password of the probe person who does."""

    names: Names
    password: str = _secret()


@dataclass(frozen=True)
class PartnerSpec:
    """A country at the other end of a link; `deployer_key` (base64) verifies its status."""

    names: Names
    deployer_key: str = ""  # none in the states of an earlier program


@dataclass(frozen=True)
class VerificationSpec:
    """`deployment` is checked again; the probe person of `own` logs in at home and at each of `partners`.

    A partner's person logs in here, whose password the partner has sealed to `sealing_key`; `deployer_key` signs what
    this country publishes. `report` is the path of the report, relative to the program; `max_age` is in seconds.
    `issuer`, while the coalition's CA is being rotated: the CA certificate (PEM) of this country. `pinned`, while its
    key is being rotated: the one on which this country relies. During a rotation of the own keys, `sealing_key` and
    `deployer_key` hold two.
    """

    own: Party
    partners: tuple[PartnerSpec, ...]
    deployment: DeploymentSpec
    ca: str
    documents: int
    report: str = "verification-report.json"
    max_age: float = 300
    sealing_key: str = field(default="", repr=False, metadata={"secret": True})
    deployer_key: str = field(default="", repr=False, metadata={"secret": True})
    issuer: Annotated[str, LEFT_OUT_IF_EMPTY] = field(default="", metadata={"observed": True})
    pinned: Annotated[str, LEFT_OUT_IF_EMPTY] = field(default="", metadata={"observed": True})


Spec = PreflightSpec | InitializationSpec | DeploymentSpec | ConfigurationSpec | SeedingSpec | VerificationSpec

SPECS: dict[Phase, type[Any]] = {
    Phase.PREFLIGHT: PreflightSpec,
    Phase.INITIALIZATION: InitializationSpec,
    Phase.DEPLOYMENT: DeploymentSpec,
    Phase.CONFIGURATION: ConfigurationSpec,
    Phase.SEEDING: SeedingSpec,
    Phase.VERIFICATION: VerificationSpec,
}


@cache
def _adapter(phase: Phase) -> TypeAdapter[Any]:
    return TypeAdapter(SPECS[phase])


def phase_of(spec: Spec) -> Phase:
    return next(phase for phase, kind in SPECS.items() if isinstance(spec, kind))


def dump(spec: Spec) -> str:
    """Return the specification as JSON, secrets included: keep it secret."""
    return _adapter(phase_of(spec)).dump_json(spec).decode()


def load(phase: Phase, text: str) -> Spec:
    """Return the specification of `phase` from its JSON; raise `Unreadable` if it is not one."""
    try:
        loaded: Spec = _adapter(phase).validate_json(text)
    except ValidationError as error:
        # Pydantic's own message shows the input, secrets included.
        off = error.errors(include_input=False, include_url=False, include_context=False)
        fields_ = ", ".join(f"{'.'.join(map(str, e['loc']))} ({e['type']})".strip() for e in off)
        raise Unreadable(f"the specification of {phase} was written by another version: {fields_}") from None
    return loaded


def fingerprint(spec: Spec) -> str:
    """Return 16 hex digits over the specification without its secrets and without what is only observed."""
    return sha256(json.dumps(_public(spec, json.loads(dump(spec))), sort_keys=True).encode()).hexdigest()[:16]


def _public(value: Any, written: Any) -> Any:
    """Return of what was `written` of a value, in which 5 and 5.0 are one number, what is not marked."""
    if is_dataclass(value):
        kept = [f.name for f in fields(value) if f.name in written and not f.metadata]
        return {name: _public(getattr(value, name), written[name]) for name in kept}
    if isinstance(value, Mapping):
        return {key: _public(inner, written[str(key)]) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_public(inner, out) for inner, out in zip(value, written, strict=True)]
    return written
