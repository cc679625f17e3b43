"""OPA decides by what the hub distributes and what the country declares: the same policies and data, nothing else.

The hub's backend answers one signed bundle with both; while it does not, or refuses this country, or answers what the
hub did not sign or what is older than the copy at a spoke's OPAL client, that copy counts. A spoke that has nothing of
its hub yet waits for it, and permits nothing meanwhile.
An OPA answers its policies, and its data with the values of all rules; it hides what is below `system`.
"""

import io
import json
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from dive_infra.catalog import policy
from dive_infra.catalog.opal.signature import NotSigned, signed_at
from dive_infra.checks import connectivity, objects
from dive_infra.checks.partners import Pending
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.checks.spec import DeploymentSpec
from dive_infra.config.countries import HUB, HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.engines.engine import ContainerFailed
from dive_infra.identity import https
from dive_infra.identity.opal_token import mint_opal_token
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy
from dive_infra.results.text import ago, day, first_line

POLICIES = "OPA decides by the policies that the hub distributes, and by no others"
DATA = "OPA decides by the data that the hub distributes, and by no other"

_FOLLOWS = 6.0  # seconds: a new version reaches every OPA within two polls
_POLL = 0.5
_SHOWN = 3
_AWAY, _REFUSED = "the hub does not answer", "the hub refuses this country"
_CUT_OFF = "the containers of this country do not reach the hub"
_REACH = Remedy.decide(f"let them reach it (route, firewall, dive:address of the hub), then: {UP}")
_TOPIC, _OPAS_POLICIES, _OPAS_DATA = "policies", "OPA's policies", "OPA's data"

Path = tuple[str, ...]


@dataclass(frozen=True)
class PolicyContent:
    """What decides: `policies` and `data` by path; policies define the paths `rules` in `packages`."""

    policies: Mapping[str, str]
    data: Mapping[Path, Any]
    rules: frozenset[Path] = field(default_factory=frozenset[Path])
    packages: frozenset[Path] = field(default_factory=frozenset[Path])


@dataclass(frozen=True)
class Wanted:
    """What an OPA must hold. `age`: of the copy that is used.

    `silent`: why nothing is known of the hub, and `remedy` what makes it known; `pending`, if the country has no copy.
    `refused`: why what the hub answers does not count.
    """

    content: PolicyContent
    source: str = "the hub"
    silent: str = ""
    age: str = ""
    remedy: Remedy = NO_REMEDY
    pending: Pending | None = None
    refused: str = ""


class _Silent(CheckUnknown):
    """The hub tells this country nothing; `why`: it does not answer, or refuses the country, or is out of reach."""

    def __init__(self, url: str, cause: str, why: str, remedy: Remedy) -> None:
        super().__init__(f"{url}: {cause}", remedy)
        self.why = why

    def pending(self, names: Names) -> Pending:
        """Return that a country without a copy waits for the hub."""
        cause = f"{names.country.code} permits nothing until it has policies of the hub: {self.why} ({self.found})"
        if self.why == _AWAY:
            return Pending(cause, Remedy.update(detail=f"completes it once {HUB_CODE} is deployed and answers"))
        return Pending(cause, self.remedy, Code.NOT_APPROVED if self.why == _REFUSED else Code.LINK_PENDING)


class _Refused(CheckUnknown):
    """What the hub answers is not signed with the key in the coalition document, or older than this country's copy."""

    def __init__(self, url: str, cause: str) -> None:
        remedy = Remedy.decide(
            f"if the hub has another policy key, with its new coalition document: {UP}",
            "otherwise someone answers in its place, or has put an older database or clock there: ask its operator",
        )
        super().__init__(f"{url}: {cause}", remedy)


def restart(names: Names) -> Remedy:
    """Return the remedy for content that only a restart removes: OPA keeps it in memory, its source loads it again."""
    return Remedy.restart(names.country.code, *policy.deciders(names.country.is_hub))


def approve(code: str) -> Remedy:
    """Return what makes the hub answer a country that it refuses, which its operator does."""
    return Remedy.decide(
        f"the operator of the hub adds {code} to dive:spokes, then: {UP}",
        f"if the hub has cut it off, its operator runs ./dive cut {code} --at {HUB_CODE} --undo",
        country=HUB_CODE,
    )


def awaited(spec: DeploymentSpec) -> Pending | None:
    """Return why a country has no policies of its hub yet; None if it has some, or that cannot be known now."""
    names = spec.names
    try:
        with https.client(spec.ca, CHECK_REQUEST, names, hub := spec.hub or names.of(HUB)) as http:
            if _distributed_any(_policies(http, names, spec.opa)):
                return None
            found = _wanted(http, names, hub)
            if not found.silent and (cut := _cut_off(names, hub)):
                found = _wanted(http, names, hub, cut)
            return found.pending
    except (CheckFailed, CheckUnknown):
        return None  # OPA does not answer, which other checks report


def distribution(names: Names, hub: Names, token: str, local: Mapping[str, str], ca: str) -> list[Finding]:
    """Return a finding on the policies in force and one on the data. `local`: the modules in OPA's own files, by path.

    A difference counts once it has outlasted two polls. Without an answer of the hub, both are compared with the copy
    that the hub signed; without one, the policies are compared with this checkout's, and the data is unknown. An answer
    that the hub did not sign, or an older one, is itself a difference. An OPA that has no policies yet is pending. A
    hub that answers here, and is out of reach of the country's containers, counts as one that does not answer.
    """
    ends = time.monotonic() + _FOLLOWS
    while True:
        found = _compared(names, hub, token, local, ca)
        if all(f.verdict != Verdict.INVALID for f in found):
            return found
        if time.monotonic() > ends:
            break
        time.sleep(_POLL)
    cut = _cut_off(names, hub)
    return _compared(names, hub, token, local, ca, cut) if cut else found


def _cut_off(names: Names, hub: Names) -> _Silent | None:
    found = connectivity.cut_off(names, hub, "backend")
    return _Silent(f"{hub.url('backend')}{policy.BUNDLE}", found, _CUT_OFF, _REACH) if found else None


def _compared(
    names: Names, hub: Names, token: str, local: Mapping[str, str], ca: str, cut: _Silent | None = None
) -> list[Finding]:
    """Return the findings of one comparison; `cut`: the containers do not reach the hub, even if it answers here."""
    with https.client(ca, CHECK_REQUEST, names, hub) as http:
        modules = _policies(http, names, token)
        found = _wanted(http, names, hub, cut)
        if found.pending and not _distributed_any(modules):
            return [
                found.pending.finding(check, _TOPIC, what)
                for check, what in ((POLICIES, _OPAS_POLICIES), (DATA, _OPAS_DATA))
            ]
        wanted, silent = found.content, found.silent
        try:
            live = _in_force(modules, _answer(http, names, token, "data"))
        except CheckUnknown as error:  # policies that contradict each other: that they differ is known nevertheless
            live, unread = _in_force(modules, {}), error.found
        else:
            unread = ""
    remedy = found.remedy if silent else restart(names)
    own = {path: text for path, text in live.policies.items() if path.startswith(f"{policy.LOCAL}/")}
    # The state of an earlier program has no local modules to compare with.
    off = list(_differing({**wanted.policies, **(local or own)}, live.policies))
    if found.refused:
        off, remedy = [found.refused, *off], found.remedy
    policies = _finding(
        POLICIES,
        _OPAS_POLICIES,
        off,
        f"the {len(wanted.policies)} policies of {found.source}, unchanged",
        f"{len(wanted.policies)} policies as distributed",
        remedy,
        found.age,
    )
    if unread or silent:
        unknown = Finding(
            DATA, Verdict.UNKNOWN, found=unread or silent, remedy=restart(names) if unread else remedy,
            code=Code.CHECK_UNKNOWN, topic=_TOPIC, subject=_OPAS_DATA,
        )  # fmt: skip
        return [policies, unknown]
    data = _finding(
        DATA,
        _OPAS_DATA,
        list(_differing(_named(wanted.data), _named(_base(live, wanted)))),
        f"the data of {found.source}, unchanged",
        f"{len(wanted.data)} feeds as distributed",
        remedy,
        found.age,
    )
    return [policies, data]


def _finding(
    check: str, subject: str, off: Sequence[str], expected: str, valid: str, remedy: Remedy, age: str
) -> Finding:
    if not off:
        found = f"{valid}: {age}" if age else valid
        return Finding(check, Verdict.VALID, found=found, topic=_TOPIC, subject=subject, note=age and f"policies {age}")
    more = f" and {len(off) - _SHOWN} more" if len(off) > _SHOWN else ""
    return Finding(
        check, Verdict.INVALID, expected, ", ".join(off[:_SHOWN]) + more, remedy,
        code=Code.POLICY_DISTRIBUTION, topic=_TOPIC, subject=subject,
    )  # fmt: skip


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            yield f"{name} missing"
        elif name not in wanted:
            yield f"{name} added"
        elif wanted[name] != found[name]:
            yield f"{name} changed"


def _named(data: Mapping[Path, Any]) -> dict[str, Any]:
    return {"/".join(path): value for path, value in data.items()}


def _in_force(modules: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> PolicyContent:
    """Return what an OPA has loaded, from its answers."""
    policies: dict[str, str] = {}
    for module in modules:
        path = policy.module_path(module["id"])
        # Of two names that mean one path, the second is someone's addition.
        policies[module["id"] if path in policies else path] = module["raw"]
    rules = {path for m in modules for path in _rules(m["ast"])}
    return PolicyContent(policies, {(): data}, frozenset(rules), frozenset(_package(m["ast"]) for m in modules))


def _policies(http: httpx.Client, names: Names, token: str) -> list[Mapping[str, Any]]:
    """Return the modules that this country's OPA has loaded."""
    found: list[Mapping[str, Any]] = _answer(http, names, token, "policies")
    return found


def _distributed_any(modules: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if an OPA has modules other than those in its own files."""
    return not all(policy.module_path(module["id"]).startswith(f"{policy.LOCAL}/") for module in modules)


def _answer(http: httpx.Client, names: Names, token: str, what: str) -> Any:
    """Return what this country's OPA answers; raise `CheckUnknown` if it answers with an error."""
    url = names.url("opa")
    try:
        response = http.get(f"{url}/v1/{what}", headers={"authorization": f"Bearer {token}"})
    except httpx.HTTPError as error:
        raise objects.unanswered(
            f"{url}: {first_line(error)}", "an answer", Remedy.update(), Code.DECISION_OR_API
        ) from None
    if response.status_code != 200:
        raise CheckUnknown(f"{response.url}: status {response.status_code}", Remedy.update())
    return response.json()["result"]


def _rules(module: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the paths of the values that a module defines."""
    for rule in module.get("rules", []):
        ref = rule["head"].get("ref") or [{"value": rule["head"]["name"]}]
        yield (*_package(module), str(ref[0]["value"]))


def _package(module: Mapping[str, Any]) -> Path:
    return tuple(str(term["value"]) for term in module["package"]["path"][1:])


def _base(live: PolicyContent, wanted: PolicyContent) -> dict[Path, Any]:
    """Return the loaded data without the values of rules, in pieces as `wanted` has them."""
    known = live.rules | wanted.data.keys()
    prefixes = {path[:size] for path in known for size in range(len(path))} | live.packages
    found: dict[Path, Any] = {}

    def walk(path: Path, value: Any) -> None:
        if path in prefixes and isinstance(value, Mapping):
            for key, below in value.items():
                walk((*path, key), below)
        elif path not in live.rules:
            found[path] = value

    walk((), live.data[()])
    return found


def _wanted(http: httpx.Client, names: Names, hub: Names, cut: _Silent | None = None) -> Wanted:
    try:
        if cut:
            raise cut
        return Wanted(_distributed(http, names, hub))
    except _Refused as error:
        return _kept_instead(names, error)
    except CheckUnknown as error:
        checkout = Wanted(PolicyContent(policy.policies(), {}), "this checkout", error.found, remedy=error.remedy)
        if not isinstance(error, _Silent) or names.country.is_hub:
            return checkout
        silent = error
    try:
        return _copy(names, silent.why)
    except NotSigned as error:
        return replace(checkout, silent=f"{checkout.silent}; and the copy at this country is not used: {error}")
    except ContainerFailed:
        return replace(checkout, pending=silent.pending(names))


def _kept_instead(names: Names, error: _Refused) -> Wanted:
    """Return the copy that counts instead; without one, nothing is known of the data."""
    instead = Wanted(PolicyContent(policy.policies(), {}), "this checkout", error.found)
    if not names.country.is_hub:
        with suppress(NotSigned, ContainerFailed):
            instead = _copy(names, "what the hub answers now does not count")
    return replace(instead, remedy=error.remedy, refused=error.found)


def _copy(names: Names, why: str) -> Wanted:
    """Return what the hub signed last, as this country's OPAL client keeps it, and `why` that counts.

    Raises `ContainerFailed` without a copy, and `NotSigned` for anything that the hub did not sign.
    """
    files, at, confirmed = _kept(names, _hub_key(names))
    signed = datetime.fromtimestamp(at, UTC)
    age = f"signed by the hub {day(signed)}, confirmed {ago(time.time() - confirmed)}; {why}"
    return Wanted(_content(files), f"the hub of {day(signed)}", age=age)


def _hub_key(names: Names) -> str:
    """Return the key with which a spoke verifies what the hub signed."""
    return objects.connect().read_file(names.container("opal-client"), policy.HUB_KEY)


def _kept(names: Names, key: str) -> tuple[Mapping[str, str], int, float]:
    """Return the files of the copy, when the hub signed them, and when it confirmed them; raises as `_copy` does."""
    try:
        kept = json.loads(objects.connect().read_file(names.container("opal-client"), policy.COPY))
        files, confirmed = kept["files"], float(kept["confirmed"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotSigned(f"{policy.COPY}: {type(error).__name__}: {error}") from None
    return files, signed_at(files, key), confirmed


def _distributed(http: httpx.Client, names: Names, hub: Names) -> PolicyContent:
    """Return what the hub distributes; raise `CheckUnknown` if it does not answer this country.

    Raises `_Refused` for what it has not signed, and for what it signed before the copy at a spoke.
    """
    url = f"{hub.url('backend')}{policy.BUNDLE}"
    remedy = Remedy.update(HUB_CODE, "the hub distributes again")
    try:
        token, key = _credentials(names)
        answer = http.get(url, headers={"authorization": f"Bearer {token}"})
    except ContainerFailed as error:
        raise CheckUnknown(error.cause, Remedy.update()) from None
    except httpx.HTTPError as error:
        raise _Silent(url, first_line(error), _AWAY, remedy) from None
    if answer.is_server_error:
        raise _Silent(url, f"status {answer.status_code}", _AWAY, remedy)
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise _Silent(url, f"status {answer.status_code}", _REFUSED, approve(names.country.code))
    if answer.status_code != httpx.codes.OK:
        raise CheckUnknown(f"{url}: status {answer.status_code}", remedy)
    try:
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as bundle:
            members = {m.name: packed.read().decode() for m in bundle if (packed := bundle.extractfile(m))}
        signed = signed_at(members, key)
    except (NotSigned, tarfile.TarError, OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise _Refused(url, first_line(error)) from None
    if not names.country.is_hub:
        with suppress(NotSigned, ContainerFailed):  # no copy: nothing is older
            if signed < (newest := _kept(names, key)[1]):
                older, newer = (day(datetime.fromtimestamp(at, UTC)) for at in (signed, newest))
                raise _Refused(url, f"signed by the hub {older}, older than what this country has, of {newer}")
    return _content(members)


def _credentials(names: Names) -> tuple[str, str]:
    """Return the token with which this country asks the hub, and the key that verifies the answer."""
    engine, country = objects.connect(), names.country
    if country.is_hub:
        container = names.container("opa")
        settings = engine.read_file(container, policy.OPA_CONFIG)
        return engine.read_file(container, policy.HUB_TOKEN).strip(), policy.hub_key(settings)
    own = engine.read_file(names.container("opal-client"), policy.POLICY_KEY)
    return mint_opal_token(own, country.code), _hub_key(names)


def _content(files: Mapping[str, str]) -> PolicyContent:
    data = json.loads(files["data.json"])
    feeds: dict[Path, Any] = {(root, feed): value for root, below in data.items() for feed, value in below.items()}
    return PolicyContent({path: text for path, text in files.items() if path.endswith(".rego")}, feeds)
