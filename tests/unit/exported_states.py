"""Exported states as Pulumi writes them, for the tests of what reads them."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.orchestration.states import Phase

FRA = Names(parse("FRA"))
SECRET = "Sehr-geheim-0815"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def checkpoint(phase: Phase, spec: str, store: dict[str, Any] | None = None) -> dict[str, Any]:
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(spec)}
    given = {"store": {"plaintext": json.dumps(store)}} if store else {}
    outputs = {"phase": phase, "completed": NOON.isoformat(), "evidence": "all", "spec": hidden, **given}
    return {
        "urn": f"urn:pulumi:fra::dive::pulumi-python:dynamic/dive:Checkpoint::{phase.lower()}-checkpoint",
        "type": "pulumi-python:dynamic/dive:Checkpoint",
        "inputs": given,
        "outputs": outputs,
    }


def exported(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest = {"time": "2026-11-24T12:00:00.123456789Z", "version": "v3.250.0"}
    return {"version": 3, "deployment": {"manifest": manifest, "resources": list(resources), **more}}


LOGIN = {
    "host": "postgres.fra.dive.localhost", "port": 5432.0, "user": "orchestration", "password": SECRET, "ca": "CA",
    "database": "orchestration", "address": "127.0.0.1",
}  # fmt: skip

# A resource whose provider is a pickle that runs a command.
FORGED = {
    "urn": "urn:pulumi:fra::dive::pulumi-python:dynamic/dive:Probe::forged",
    "type": "pulumi-python:dynamic/dive:Probe",
    "outputs": {"__provider": base64.b64encode(b"cposix\nsystem\n(S'true'\ntR.").decode()},
}
