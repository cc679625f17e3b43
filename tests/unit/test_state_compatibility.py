"""A state of an earlier commit is taken over: its providers load, and nothing of it is announced as changed."""

import base64
import json
from pathlib import Path
from typing import Any

import dill
import pulumi.dynamic
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from dive_infra.catalog.spec import HealthCheck
from dive_infra.checks import spec
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.config.providers import FORMER, PROVIDERS, paths
from dive_infra.engines.declaration import Declared
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.states import Phase
from tests.unit import test_program

# What the program of commit 2f9c574 registered: the output of `written` with the modules of that commit.
# For a later commit run `python -m tests.unit.test_state_compatibility` there.
STATE: dict[str, Any] = json.loads((Path(__file__).parent / "state_of_2f9c574.json").read_text())
RESOURCES: dict[str, Any] = STATE["resources"]
SPECIFICATIONS: dict[str, Any] = STATE["specifications"]


def samples() -> dict[Phase, spec.Spec]:
    """Return a fixed specification of each phase, with every field set."""
    fra = Names(COUNTRIES["FRA"], "lab", "lab.localhost", {"FRA": {"postgres": 15432}})
    usa = fra.of(COUNTRIES["USA"])
    store = DatabaseAccess("postgres.usa.test", 5432, "orchestration_fra", "secret", "CA")
    declared = Declared(
        "dive-fra-redis",
        "999:999",
        HealthCheck(("redis-cli", "ping"), interval=15),
        image="sha256:1",
        environment={"A": "1"},
        memory=2**20,
        cpus=0.5,
        processes=64,
        ports=(6379,),
        mounts={"/data": "dive-fra-redis-data"},
        networks={"dive-fra": ("redis.fra.test", "redis")},
        labels={"dive.stack": "fra-1"},
    )
    deployment = spec.DeploymentSpec(
        fra,
        (spec.ContainerSpec("redis", "core", declared, "f" * 8),),
        (spec.DatabaseSpec("portal", "portal", "secret"),),
        mongodb="secret",
        redis="secret",
        opa="secret",
        ca="CA",
        store=store,
        keycloak="secret",
    )
    return {
        Phase.PREFLIGHT: spec.PreflightSpec(fra, "fra-1", ("redis",), "CA", usa),
        Phase.INITIALIZATION: spec.InitializationSpec(
            fra, "fra-1", ("dive-fra",), ("data",), ("sha256:1",), "CA", {"redis": "PEM"}, issuers={"DEU": "PEM"}
        ),
        Phase.DEPLOYMENT: deployment,
        Phase.CONFIGURATION: spec.ConfigurationSpec(fra, (usa,), "CA", "secret", "secret"),
        Phase.SEEDING: spec.SeedingSpec(fra, (usa,), 100, {"FRA": "PEM"}, "CA", "secret", "secret"),
        Phase.VERIFICATION: spec.VerificationSpec(
            spec.Party(fra, "secret"), (spec.PartnerSpec(usa),), deployment, "CA", 100
        ),
    }


def written() -> dict[str, Any]:
    """Return what this tree's program writes into the state of the hub and of a spoke, as far as it is compared."""
    with pytest.MonkeyPatch.context() as patch:
        resources: dict[str, Any] = {}
        plain = pulumi.dynamic.Resource.__init__

        def recorded(self: Any, provider: Any, name: str, props: Any, opts: Any = None) -> None:
            known = resources.setdefault(f"pulumi-python:{self._resource_type_name}", {"inputs": []})
            known["provider"] = serialize_provider(provider)
            known["inputs"] = sorted({*known["inputs"], *props} - {"__provider"})
            plain(self, provider, name, props, opts)

        patch.setattr(pulumi.dynamic.Resource, "__init__", recorded)
        # Each volume was lost twice, each database three times.
        lost = {
            "DataVolume": {"incarnation": 2},
            "DatabaseLogins": {"incarnations": dict.fromkeys(("keycloak", "portal", "orchestration"), 3)},
        }
        answer = test_program.Mocks.new_resource

        def answered(self: Any, args: Any) -> tuple[str, dict[str, Any]]:
            id_, outputs = answer(self, args)
            return id_, outputs | lost.get(args.typ.rpartition(":")[2], {})

        patch.setattr(test_program.Mocks, "new_resource", answered)
        program = test_program.register("fra") | test_program.register("usa", spokes=["FRA"])
        incarnations = {urn.rpartition("::")[2]: dict(r.object).get("incarnation") for urn, r in program.items()}
    return {
        "resources": dict(sorted(resources.items())),
        "specifications": {
            phase: {"text": spec.dump(one), "fingerprint": spec.fingerprint(one)} for phase, one in samples().items()
        },
        "keycloak_data": incarnations["keycloak-data-lifetime"],
    }


@pytest.fixture(scope="module")
def today() -> dict[str, Any]:
    return written()


@pytest.mark.parametrize("token", [t for t in RESOURCES if t.rpartition(":")[2] not in FORMER])
def test_a_resource_of_the_state_has_the_same_provider_and_the_same_inputs(token: str, today: dict[str, Any]) -> None:
    now, then = today["resources"][token], RESOURCES[token]
    assert now["provider"] == then["provider"]
    # An input that is gone is no change: `Provider.changed_inputs` compares the present ones.
    added = {*now["inputs"]} - {*then["inputs"]}
    assert not added, "a change would be announced for every resource of this type"


@pytest.mark.parametrize("token", RESOURCES)
def test_a_provider_of_the_state_loads(token: str) -> None:
    """`dill.loads` is what the SDK calls; a deletion needs the class that the state names."""
    loaded = dill.loads(base64.b64decode(RESOURCES[token]["provider"]))
    kind = type(loaded)
    assert issubclass(kind, pulumi.dynamic.ResourceProvider)
    assert f"{kind.__module__}:{kind.__name__}" in paths(token.rpartition(":")[2])


def test_the_table_of_providers_is_that_of_the_program(today: dict[str, Any]) -> None:
    assert {token.rpartition(":")[2] for token in today["resources"]} == set(PROVIDERS)


# Since then each service has a certificate of its own, each country its own record, and each link probe persons.
PROVEN_AGAIN = {*Phase} - {Phase.CONFIGURATION}


@pytest.mark.parametrize("phase", Phase)
def test_a_declaration_keeps_its_fingerprint_and_is_read(phase: Phase, today: dict[str, Any]) -> None:
    read = spec.load(phase, SPECIFICATIONS[phase]["text"])
    if phase in PROVEN_AGAIN:
        return
    now, then = today["specifications"][phase], SPECIFICATIONS[phase]
    assert now["fingerprint"] == then["fingerprint"], "the phase would be proven again"
    assert read == samples()[phase]


def test_keycloaks_data_keeps_its_incarnation(today: dict[str, Any]) -> None:
    assert today["keycloak_data"] == STATE["keycloak_data"], "another value replaces everything in the realm"


if __name__ == "__main__":
    print(json.dumps(written(), indent=1, ensure_ascii=False))
