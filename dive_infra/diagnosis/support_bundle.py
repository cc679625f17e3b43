"""The archive for support: what someone elsewhere needs to understand a country, without secrets.

All content is text, and every text passes one redactor. It knows every secret of the stacks' states and replaces it, as
a whole and line by line.
"""

import io
import json
import platform
import re
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from dive_infra import engines
from dive_infra.automation.stack_state import read_stack
from dive_infra.automation.state_export import Export, export_state
from dive_infra.checks import objects
from dive_infra.checks.runner import CheckUnknown
from dive_infra.config.naming import Names
from dive_infra.config.paths import stack_file
from dive_infra.config.timeouts import ENGINE_ANSWER
from dive_infra.diagnosis.snapshot import observe
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import DoctorReport
from dive_infra.engines.engine import EngineError
from dive_infra.orchestration.access import RecordError
from dive_infra.orchestration.overview import read_overview

LOG_LINES = 200
HIDDEN = "[redacted]"
_SHORTEST = 8  # characters: a shorter secret protects nothing, and hiding it would blank out ordinary words
# What looks like a secret is hidden too, even if no state holds it.
_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"),  # a signed token
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{12,}"),
    re.compile(r"(?i)(?<=password=)[^\s&\"']+"),
    re.compile(r"(?i)(?<=secret=)[^\s&\"']+"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password@host
)
_LIBRARIES = ("pulumi", "docker", "psycopg", "pymongo", "redis", "httpx", "pydantic", "typer", "rich")


class Redactor:
    """Replaces every known secret, and everything that looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        lines = {line.strip() for secret in secrets for line in (secret, *secret.splitlines())}
        escaped = {json.dumps(line)[1:-1] for line in lines}
        known = sorted((s for s in lines | escaped if len(s) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(HIDDEN, text)
        for pattern in _PATTERNS:
            text = pattern.sub(HIDDEN, text)
        return text


def secrets(state: Mapping[str, Any]) -> set[str]:
    """Return every text that a state holds only as a secret, unlike hosts and users, which it also holds openly."""
    hidden, shown = set[str](), set[str]()
    _sort(state.get("deployment") or {}, hidden, shown)
    return hidden - shown


def _sort(value: Any, hidden: set[str], shown: set[str]) -> None:
    if isinstance(value, Mapping):
        if isinstance(value.get("plaintext"), str):
            hidden.update(_texts(json.loads(value["plaintext"])))
        else:
            for held in value.values():
                _sort(held, hidden, shown)
    elif isinstance(value, list):
        for held in value:
            _sort(held, hidden, shown)
    elif isinstance(value, str):
        shown.update(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value; a text that is JSON itself is parsed."""
    if isinstance(value, Mapping):
        for held in value.values():
            yield from _texts(held)
    elif isinstance(value, list):
        for held in value:
            yield from _texts(held)
    elif isinstance(value, str):
        opened = _opened(value)
        if opened is None:
            yield value
        else:
            yield from _texts(opened)


def _opened(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def write(path: Path, codes: Iterable[str], report: DoctorReport) -> int:
    """Write the archive; return the number of its files."""
    wanted = list(codes)
    states = {code: export_state(code.lower()) for code in wanted}
    redact = Redactor(secret for code, state in states.items() for secret in secrets(state) - _open_parts(code, state))
    files = {"doctor.json": report.model_dump_json(indent=2), "versions.json": _json(_versions())}
    for code, state in states.items():
        stack = read_stack(code.lower(), state)
        files[f"{code}/settings.yaml"] = _settings(code)
        files[f"{code}/status.json"] = judge(observe(Export(code.lower()))).model_dump_json(indent=2)
        files[f"{code}/resources.txt"] = _resources(state)
        if stack.store:
            files[f"{code}/record.json"] = _record(stack.store, code)
        if stack.names:
            files |= {f"{code}/{name}": text for name, text in _containers(stack.names)}
    root = path.name.removesuffix(".tar.gz").removesuffix(".tgz")
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            data = redact(text).encode()
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(data))
    path.chmod(0o600)
    return len(files)


def _open_parts(code: str, state: Mapping[str, Any]) -> set[str]:
    """Return what a state keeps beside a password and is not secret: server, user and database of the record."""
    store = read_stack(code.lower(), state).store
    return {store.host, store.address, store.user, store.database} if store else set()


def _versions() -> dict[str, Any]:
    return {
        "python": sys.version,
        "system": platform.platform(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "engine": _engine(),
    }


def _engine() -> Any:
    try:
        return dict(engines.connect(ENGINE_ANSWER).versions())
    except EngineError as error:
        return f"did not answer: {error}"


def _settings(code: str) -> str:
    """Return the stack file without its encrypted values."""
    path = stack_file(code.lower())
    if not path.exists():
        return f"{path.name} does not exist\n"
    try:
        found = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError:
        return f"{path.name} is not YAML\n"
    return yaml.safe_dump({"config": _open(found.get("config") or {})})


def _open(value: Any) -> Any:
    if isinstance(value, Mapping):
        return HIDDEN if "secure" in value else {key: _open(held) for key, held in value.items()}
    return [_open(held) for held in value] if isinstance(value, list) else value


def _resources(state: Mapping[str, Any]) -> str:
    """Return the names of all resources without their contents, then the pending operations."""
    deployment = state.get("deployment") or {}
    lines = [str(r["urn"]) for r in deployment.get("resources") or []]
    lines += [f"pending: {p['type']} {p['resource']['urn']}" for p in deployment.get("pending_operations") or []]
    return "\n".join(lines) + "\n"


def _record(store: Any, code: str) -> str:
    try:
        return _json(read_overview(store, code))
    except RecordError as error:
        return f"did not answer: {error}\n"


def _containers(names: Names) -> Iterator[tuple[str, str]]:
    """Yield for each container its description, variables by name only, and its last log lines."""
    try:
        engine = objects.connect()
        found = [c for c in engine.containers() if names.owns(c.labels)]
        for container in found:
            yield f"containers/{container.name}.json", _json(engine.inspect(container.name))
            yield f"containers/{container.name}.log", engine.logs(container.name, LOG_LINES)
    except (CheckUnknown, EngineError) as error:
        yield "containers/did-not-answer.txt", f"{error}\n"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    held = getattr(value, "__dict__", None)
    return dict(held) if held else str(value)
