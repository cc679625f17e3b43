"""What can be seen of the coalition under test: engine, state, databases, realms."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import docker

from dive_infra.automation.stack_state import declared_specs, plaintext
from dive_infra.catalog.datastores import ROOT_USER
from dive_infra.checks import runner, verification
from dive_infra.checks.phases import checks
from dive_infra.checks.runner import Validation
from dive_infra.checks.spec import VerificationSpec
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin
from dive_infra.orchestration.states import Phase, Status
from dive_infra.orchestration.store import Store
from dive_infra.results.finding import Finding, Verdict
from dive_infra.rotation.rotation import secrets_in_force
from dive_infra.seeds.store import SeedStoreAccess
from tests.coalition.country import NAMESPACE, Country, Run
from tests.support import lab

# What every stack puts out.
OUTPUTS = {
    "instance", "realm", "urls", "containers", "ca_certificate", "cut", "test_users", "test_user_password",
    "verification",
}  # fmt: skip

VALIDATED = [phase for phase in Phase if phase != Phase.VERIFICATION]  # that one logs people in


def clear(client: docker.DockerClient) -> None:
    """Remove what an earlier, interrupted run of these tests left."""
    lab.clear(client, "label", f"dive.namespace={NAMESPACE}")


def wrong(
    state: Mapping[str, Any], *phases: Phase, warnings: bool = False, again: Sequence[Verdict] = ()
) -> list[Finding]:
    """Return what the validators of these phases find wrong; `warnings`: with advisory findings.

    `again`: verdicts that are checked again, as before a checkpoint. A test before may have restarted the database
    that this process has a session with; the next check opens another one.
    """
    specs = declared_specs(state)
    looked = [runner.settle(checks(specs[phase]), 20, again) for phase in phases]
    return [
        f for validation in looked for f in validation.findings if f.verdict != "valid" and (warnings or not f.advisory)
    ]


def validations(specs: Mapping[Phase, Any], patience: float = 10) -> dict[Phase, Validation]:
    """Return what all validators find, phase by phase, as a run with nothing to do asks them.

    `specs` are the `declared_specs` of a state. Such a run checks the age of VERIFICATION's proof and logs no one in.
    """
    proof = specs[Phase.VERIFICATION]
    assert isinstance(proof, VerificationSpec)
    asked = {phase: checks(specs[phase]) for phase in VALIDATED}
    asked[Phase.VERIFICATION] = verification.shallow_checks(proof)
    return {phase: runner.run(of, patience) for phase, of in asked.items()}


def skipped(run: Run) -> list[Phase]:
    """Return the phases that the run skipped as valid."""
    return [phase for phase in Phase if f"✓ {phase} phase complete and validated, skipping (" in run.messages]


def told(run: Run) -> str:
    return f"{dict(run.changes)}\n{run.messages}"


def running(client: docker.DockerClient) -> dict[str, tuple[str, str]]:
    """Return every running container of the coalition, with id and start time."""
    found = client.containers.list(filters={"label": f"dive.namespace={NAMESPACE}"})
    return {c.name or "": (c.attrs["Id"], c.attrs["State"]["StartedAt"]) for c in found}


def documents(country: Country) -> SeedStoreAccess:
    spec, names = specification(country, Phase.SEEDING), country.names
    return SeedStoreAccess(
        names.published, names.port("mongodb"), ROOT_USER, spec.mongodb, names.mongo_database, spec.ca
    )


def resource(country: Country, name: str) -> dict[str, Any]:
    """Return a resource of the stack's state, with secrets in plain text."""
    state = country.state()
    found: dict[str, Any] = next(r for r in state["deployment"]["resources"] if r["urn"].endswith(f"::{name}"))
    found["outputs"] = {key: plaintext(value) for key, value in found["outputs"].items()}
    return found


def specification(country: Country, phase: Phase) -> Any:
    """Return what the phase last declared, with secrets."""
    return declared_specs(country.state())[phase]


def record(country: Country) -> Store:
    """Return the country's orchestration database; a context manager."""
    return Store(specification(country, Phase.DEPLOYMENT).store)


def runs(country: Country) -> dict[Phase, str]:
    """Return the run that proved each completed phase."""
    with record(country) as store:
        steps = [store.step(country.code, phase) for phase in Phase]
    return {step.phase: step.run_id for step in steps if step and step.status == Status.COMPLETED}


def secrets(country: Country) -> set[str]:
    """Return every secret of the stack, generated or given, in plain text."""
    state = country.state()
    made = [r for r in state["deployment"]["resources"] if r["type"].endswith("dynamic/dive:Secret")]
    found = {plaintext(r["outputs"]["value"]) for r in made} | {*secrets_in_force(state).values()}
    assert len(found) > 5, "else nothing would be looked for"
    return found


def hidden(state: Mapping[str, Any]) -> set[str]:
    """Return every text inside a secret of a state, also those of JSON in it, that is nowhere in it openly."""
    found: dict[bool, set[str]] = {True: set(), False: set()}

    def look(value: Any, inside: bool) -> None:
        if isinstance(value, Mapping):
            if "plaintext" in value:
                look(json.loads(value["plaintext"]), True)
            else:
                for below in value.values():
                    look(below, inside)
        elif isinstance(value, list):
            for below in value:
                look(below, inside)
        elif isinstance(value, str):
            try:
                whole = json.loads(value)
            except ValueError:
                whole = None
            if isinstance(whole, dict | list):
                look(whole, inside)
            else:
                found[inside].add(value)

    look(state, False)
    return found[True] - found[False]


def keycloak(country: Country) -> KeycloakAdmin:
    """Return the administrator of the country's Keycloak; a context manager."""
    spec = specification(country, Phase.CONFIGURATION)
    return KeycloakAdmin(KeycloakAccess.of(country.names, spec.ca, spec.keycloak))


def remains(client: docker.DockerClient, *labels: str) -> list[str]:
    """Return everything on the engine with the label of the coalition under test (and the given ones)."""
    filters = {"label": [f"dive.namespace={NAMESPACE}", *labels]}
    containers = [c.name or "" for c in client.containers.list(all=True, filters=filters)]
    volumes = [v.name for v in client.volumes.list(filters=filters)]
    networks = [n.name or "" for n in client.networks.list(filters=filters)]
    return sorted([*containers, *volumes, *networks])
