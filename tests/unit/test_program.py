"""The program as the engine sees it: types, parents, dependencies and protection of every resource of both stacks."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks

from dive_infra import engines
from dive_infra.automation.pending_creates import REMOVERS, REPEATABLE
from dive_infra.catalog import policy
from dive_infra.config import environment, paths
from dive_infra.config.countries import COUNTRIES, parse
from dive_infra.config.credentials import enrolled
from dive_infra.config.engine_selection import FILES, EngineSelection
from dive_infra.config.naming import Names
from dive_infra.config.settings import load
from dive_infra.crypto import pki
from dive_infra.membership.enrolment import new_keys
from dive_infra.stacks import retired_network
from dive_infra.stacks.program import deploy
from policy.rule import Judgement, Resource, judge
from policy.rules import RULES
from policy.wire import read
from tests.support import members

# A contract: a renamed type would replace what is deployed.
TOKENS = {
    "dive:components:Authority",
    "dive:components:CountryCertificate",
    "dive:components:Databases",
    "dive:components:FederationLink",
    "dive:components:Network",
    "dive:components:Realm",
    "dive:components:Secrets",
    "dive:components:Service",
    "dive:components:Storage",
    "dive:phases:Configuration",
    "dive:phases:Deployment",
    "dive:phases:Initialization",
    "dive:phases:Preflight",
    "dive:phases:Seeding",
    "dive:phases:Verification",
    "pulumi-python:dynamic/dive:Certificate",
    "pulumi-python:dynamic/dive:Checkpoint",
    "pulumi-python:dynamic/dive:CoalitionDocument",
    "pulumi-python:dynamic/dive:Contents",
    "pulumi-python:dynamic/dive:CopiesVolume",
    "pulumi-python:dynamic/dive:DatabaseLogins",
    "pulumi-python:dynamic/dive:DataVolume",
    "pulumi-python:dynamic/dive:Files",
    "pulumi-python:dynamic/dive:Gate",
    "pulumi-python:dynamic/dive:Guard",
    "pulumi-python:dynamic/dive:Image",
    "pulumi-python:dynamic/dive:LinkEnds",
    "pulumi-python:dynamic/dive:LiveFiles",
    "pulumi-python:dynamic/dive:MemberAuthority",
    "pulumi-python:dynamic/dive:Membership",
    "pulumi-python:dynamic/dive:NetworkProbe",
    "pulumi-python:dynamic/dive:OrchestrationSchema",
    "pulumi-python:dynamic/dive:Orphans",
    "pulumi-python:dynamic/dive:PartnerPeople",
    "pulumi-python:dynamic/dive:Probe",
    "pulumi-python:dynamic/dive:ProbePersons",
    "pulumi-python:dynamic/dive:Publication",
    "pulumi-python:dynamic/dive:RealmKeys",
    "pulumi-python:dynamic/dive:RealmProbe",
    "pulumi-python:dynamic/dive:Report",
    "pulumi-python:dynamic/dive:Secret",
    "pulumi-python:dynamic/dive:Seed",
    "pulumi-python:dynamic/dive:StackIdentity",
    "pulumi-python:dynamic/dive:TestUsers",
    "pulumi-python:dynamic/dive:TrustFile",
    "pulumi-python:dynamic/dive:Undeclared",
    "pulumi-python:dynamic/dive:Verification",
}

CA = pki.issue("root", 30, authority=True)
KEY = pki.rsa_key()
MARK = "# of"  # what a certificate and its key end with, before their name
PUBLIC_KEY = pki.public_key(KEY)  # once: it is asked for at every resource


REALM_KEY = {"provider": "rsa-generated", "kid": "kid-1", "algorithm": "RS256", "use": "SIG", "thumbprint": "ab12"}


class Mocks(mocks.Mocks):
    """Answers each resource with its inputs and what a provider would compute."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        kind = args.typ.rsplit(":", 1)[-1]
        computed: dict[str, Any] = {
            "Secret": {"value": KEY if args.inputs.get("kind") == "rsa" else "x" * 32, "public": PUBLIC_KEY},
            "Certificate": {"chain": f"{CA.chain}{MARK} {args.name}\n", "key": f"{CA.key}{MARK} {args.name}\n"},
            "Image": {"image_id": f"sha256:{sha256(args.name.encode()).hexdigest()}", "source": "present"},
            "Probe": {"generation": 0},
            "NetworkProbe": {"generation": 0},
            "Files": {"generation": 0, "digest": "d"},
            "LiveFiles": {"digest": "d"},
            "DataVolume": {"incarnation": 0},
            "StackIdentity": {"mark": "usa-1234"},
            "Gate": {"degraded": ""},
            "TestUsers": {"usernames": ["u"], "ids": {}},
            "Seed": {"counts": {}},
            "RealmKeys": {"recorded": {"master": [REALM_KEY]}, "incarnations": {}},
            "Checkpoint": {"evidence": "e", "completed": "t", "recorded": True, "proof": {}},
            "DatabaseLogins": {"incarnations": {"keycloak": 0, "portal": 0, "orchestration": 0}},
            "Verification": {"evidence": "e", "completed": "t", "report": "{}", "status": "success"},
            "CoalitionDocument": {"text": "{}", "serial": 1},
            "MemberAuthority": {"certificate": f"{CA.chain}{MARK} {args.name}\n"},
            "ProbePersons": {"usernames": ["p"], "ids": {}},
        }.get(kind, {})
        return f"{args.name}-id", {**args.inputs, **computed}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        return {}


class Monitor(mocks.MockMonitor):
    """Keeps every registration whole: mocks alone see neither parents nor dependencies nor protection."""

    def __init__(self) -> None:
        super().__init__(Mocks())
        self.requests: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the engine's name)
        answer = super().RegisterResource(request)
        self.requests[answer.urn] = request
        return answer


def register(
    stack: str,
    files: Mapping[str, str] | None = None,
    elsewhere: Mapping[str, str] = MappingProxyType({}),
    retired: tuple[str, ...] = (),
    **configuration: Any,
) -> dict[str, Any]:
    """Runs a stack's program beside `files`; returns URN -> what it asked the engine to register.

    `elsewhere`: code -> address of each country that is not published where this one is. `retired`: the network of the
    previous release, if others are still on it.
    """
    monitor = Monitor()
    mocks.set_mocks(monitor.mocks, project="dive", stack=stack, preview=False, monitor=monitor)
    given = members.configuration(stack.upper()) | {"dive:testUsers": True}
    settings = load(stack, given | {f"dive:{k}": v for k, v in configuration.items()})

    @pulumi.runtime.test
    async def run() -> None:
        await deploy(settings, stack)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(paths, "STACKS", Path(folder))
        patch.setattr(retired_network, "in_use", lambda _: retired)
        for name, text in (files or {}).items():
            (Path(folder) / name).write_text(text)
        codes = dict.fromkeys(("USA", "FRA", "DEU", *settings.spokes))
        here = [settings.names.of(parse(code)) for code in codes]
        members.write(Path(folder), *(replace(n, address=elsewhere.get(n.country.code, n.address)) for n in here))
        run()
    return monitor.requests


def short(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def of_kind(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """Logical name -> resource, for the resources of one type."""
    return {short(urn): r for urn, r in resources.items() if r.type == kind}


def waits(resource: Any) -> set[str]:
    return {short(urn) for urn in resource.dependencies}


CONTAINER = "docker:index/container:Container"
# A change of one of these makes another container, or starts it again.
RUNNING = (CONTAINER, *(f"pulumi-python:dynamic/dive:{kind}" for kind in ("Files", "Probe", "Gate")))
LIVE_FILES = "pulumi-python:dynamic/dive:LiveFiles"
LINK_ENDS = "pulumi-python:dynamic/dive:LinkEnds"


def links(resources: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Service -> the networks of links that it is on, with its name there."""
    found = of_kind(resources, LINK_ENDS)
    return {name.removesuffix("-links"): MessageToDict(r.object["links"]) for name, r in found.items()}


@pytest.fixture(scope="module")
def usa() -> dict[str, Any]:
    return register("usa", spokes=["FRA"])


@pytest.fixture(scope="module")
def fra() -> dict[str, Any]:
    return register("fra")


def test_the_type_tokens_are_those_of_the_contract(usa: dict[str, Any], fra: dict[str, Any]) -> None:
    ours = {r.type for r in [*usa.values(), *fra.values()] if r.type.startswith(("dive:", "pulumi-python:dynamic/"))}
    assert ours == TOKENS


def test_recovery_knows_every_type_that_a_killed_run_may_have_made(usa: dict[str, Any], fra: dict[str, Any]) -> None:
    others = {
        r.type
        for r in [*usa.values(), *fra.values()]
        if not r.type.startswith(("dive:", "pulumi-python:dynamic/", "pulumi:"))
    }
    assert others == REMOVERS.keys() | REPEATABLE


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_everything_has_a_phase_above_it(country: str, request: pytest.FixtureRequest) -> None:
    resources = request.getfixturevalue(country)
    for urn, resource in resources.items():
        if resource.type == "pulumi:pulumi:Stack":
            continue
        above = resource
        while above is not None and not above.type.startswith("dive:phases:"):
            above = resources.get(above.parent)
        assert above is not None, f"{urn} is not in a phase"


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_each_phase_waits_for_the_checkpoint_before_it(country: str, request: pytest.FixtureRequest) -> None:
    phases = {short(u): r for u, r in request.getfixturevalue(country).items() if r.type.startswith("dive:phases:")}
    order = ["preflight", "initialization", "deployment", "configuration", "seeding", "verification"]
    assert set(phases) == set(order)
    for before, phase in pairwise(order):
        assert f"{before}-checkpoint" in waits(phases[phase]), phase


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_keys_are_recorded_after_all_that_creates_one_and_proven_with_their_phase(
    country: str, request: pytest.FixtureRequest
) -> None:
    resources = request.getfixturevalue(country)
    [keys] = of_kind(resources, "pulumi-python:dynamic/dive:RealmKeys").values()
    assert {"realm", "undeclared"} <= waits(keys)
    checkpoint = of_kind(resources, "pulumi-python:dynamic/dive:Checkpoint")["configuration-checkpoint"]
    assert "realm-keys" in waits(checkpoint)
    [probe] = of_kind(resources, "pulumi-python:dynamic/dive:RealmProbe").values()
    given = [json.loads(MessageToDict(r.object)["spec"]["value"]) for r in (probe, checkpoint)]
    assert [spec.get("keys") for spec in given] == [None, {"master": [REALM_KEY]}]


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_data_is_protected_and_nothing_else(country: str, request: pytest.FixtureRequest) -> None:
    protected = {short(urn) for urn, r in request.getfixturevalue(country).items() if r.protect}
    assert protected == {"data-postgres", "data-mongodb", "data-redis"}


def test_a_spoke_has_a_volume_of_copies_for_its_opal_client(usa: dict[str, Any], fra: dict[str, Any]) -> None:
    kind = "pulumi-python:dynamic/dive:CopiesVolume"
    assert of_kind(usa, kind) == {}
    [volume] = of_kind(fra, kind).values()
    mounts = read(MessageToDict(of_kind(fra, CONTAINER)["opal-client-container"].object))["volumes"]
    assert volume.object["volume"] in {mount["volumeName"] for mount in mounts if not mount.get("readOnly")}


def test_the_key_of_the_hubs_policies_reaches_a_spoke(fra: dict[str, Any]) -> None:
    files = of_kind(fra, "pulumi-python:dynamic/dive:Files")["opal-client-files"]
    key = MessageToDict(files.object)["contents"]["value"][policy.HUB_KEY]
    assert key == pki.public_key(members.private_keys("USA")["policy-key"])


def test_the_password_of_a_probe_person_is_the_given_one_or_generated(fra: dict[str, Any]) -> None:
    given = {**members.private_keys("FRA"), "probe-usa": "A-given-Passphrase-1"}
    found = register("fra", secrets=json.dumps(given))
    generated = [of_kind(r, "pulumi-python:dynamic/dive:Secret").keys() for r in (fra, found)]
    assert {name for name in generated[0] if name.startswith("probe-")} == {"probe-fra", "probe-usa"}
    assert generated[0] - generated[1] == {"probe-usa"}
    for kind in ("ProbePersons", "Publication"):
        [resource] = of_kind(found, f"pulumi-python:dynamic/dive:{kind}").values()
        assert MessageToDict(resource.object)["given"]["value"]["USA"] == "A-given-Passphrase-1"
    for kind in RUNNING:
        assert {n: r.object for n, r in of_kind(found, kind).items()} == {
            n: r.object for n, r in of_kind(fra, kind).items()
        }


def test_new_keys_of_a_spoke_change_nothing_that_runs_until_the_document_has_them(fra: dict[str, Any]) -> None:
    """Only what it publishes is signed with both."""
    old, new = members.private_keys("FRA"), new_keys(enrolled(False))
    begun = register("fra", secrets=json.dumps({name: old[name] + new[name] for name in old}))
    for kind in RUNNING:
        assert {n: r.object for n, r in of_kind(begun, kind).items()} == {
            n: r.object for n, r in of_kind(fra, kind).items()
        }
    [published] = of_kind(begun, "pulumi-python:dynamic/dive:Publication").values()
    assert MessageToDict(published.object)["deployer_key"]["value"] == old["deployer-key"] + new["deployer-key"]
    for certificate in of_kind(begun, "pulumi-python:dynamic/dive:Certificate").values():
        assert MessageToDict(certificate.object)["issuer_key"]["value"] == old["ca-key"]


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_the_guard_is_the_first_to_go(country: str, request: pytest.FixtureRequest) -> None:
    """It depends on everything that is more than a name, so that a refused destroy has removed nothing."""
    resources = request.getfixturevalue(country)
    [guard] = of_kind(resources, "pulumi-python:dynamic/dive:Guard").values()
    behind, todo = set[str](), list(guard.dependencies)
    while todo:
        urn = todo.pop()
        if urn not in behind:
            behind.add(urn)
            todo += [*resources[urn].dependencies, resources[urn].parent] if urn in resources else []
    lasting = {u for u, r in resources.items() if r.custom and not r.type.startswith("pulumi:")}
    assert {short(u) for u in lasting - behind} == {"guard"}


@pytest.mark.parametrize("stack", ["usa", "fra"])
def test_test_users_exist_only_where_the_stack_asks_for_them(stack: str, request: pytest.FixtureRequest) -> None:
    asked = request.getfixturevalue(stack)
    not_asked = register(stack, testUsers=False, **({"spokes": ["FRA"]} if stack == "usa" else {}))
    users, probes = (f"pulumi-python:dynamic/dive:{kind}" for kind in ("TestUsers", "ProbePersons"))
    assert [len(of_kind(asked, kind)) for kind in (users, probes)] == [1, 1]
    assert [len(of_kind(not_asked, kind)) for kind in (users, probes)] == [0, 1]


def test_a_disposable_country_protects_nothing() -> None:
    assert not [urn for urn, r in register("fra", disposable=True).items() if r.protect]


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_every_container_is_between_a_probe_and_a_gate(country: str, request: pytest.FixtureRequest) -> None:
    resources = request.getfixturevalue(country)
    gates = of_kind(resources, "pulumi-python:dynamic/dive:Gate")
    containers = of_kind(resources, CONTAINER)
    assert len(containers) == 9
    for name, container in containers.items():
        service = name.removesuffix("-container")
        assert {f"{service}-probe", f"{service}-files"} <= waits(container), name
        assert name in waits(gates[f"{service}-gate"])
        assert container.replacement_trigger.ByteSize(), f"{name}: the probe must be able to replace it"


@pytest.mark.parametrize("spokes", [[], ["FRA", "DEU"]], ids=["one leaves", "one joins"])
def test_a_country_that_joins_or_leaves_changes_no_container(usa: dict[str, Any], spokes: list[str]) -> None:
    other = register("usa", spokes=spokes)
    for kind in RUNNING:
        before, after = of_kind(usa, kind), of_kind(other, kind)
        assert after.keys() == before.keys()
        for name, resource in before.items():
            assert after[name].object == resource.object, name
            assert after[name].replacement_trigger == resource.replacement_trigger, name
    live, then = (of_kind(r, LIVE_FILES) for r in (usa, other))
    changed = {name for name in live if live[name].object != then[name].object}
    assert changed == {"frontend-live", "backend-live", "kas-live", "opal-server-live"}


def test_each_member_adds_the_same_to_the_hub(usa: dict[str, Any]) -> None:
    """A hub with members grows with their number: no resource is for two of them."""

    def added(number: int) -> Counter[str]:
        spokes = ["FRA", *(code for code in COUNTRIES if code not in ("USA", "FRA"))][:number]
        return Counter(r.type for r in register("usa", spokes=spokes).values()) - Counter(r.type for r in usa.values())

    one = added(2)
    assert one.total() == 15, "as ADR 8 says"
    assert added(5) == Counter({kind: 4 * number for kind, number in one.items()})


def hosts(resources: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Service -> the names that its container knows beside those of its networks, for containers with such names."""
    told = {name.removesuffix("-container"): dict(r.object) for name, r in of_kind(resources, CONTAINER).items()}
    return {
        name: {row["host"]: row["ip"] for row in inputs["hosts"]} for name, inputs in told.items() if "hosts" in inputs
    }


@pytest.mark.parametrize("address", ["192.0.2.9", "192.0.2.10"], ids=["joins", "moves"])
def test_a_partner_elsewhere_that_joins_or_moves_changes_no_container(usa: dict[str, Any], address: str) -> None:
    other = register("usa", elsewhere={"DEU": address}, spokes=["FRA", "DEU"])
    for kind in RUNNING:
        before, after = of_kind(usa, kind), of_kind(other, kind)
        assert {name: r.object for name, r in after.items()} == {name: r.object for name, r in before.items()}
        for name, resource in after.items():
            assert resource.replacement_trigger == before[name].replacement_trigger, name
    provider = of_kind(other, "keycloak:oidc/identityProvider:IdentityProvider")["link-to-deu-idp"].object
    issuer = provider["issuer"]
    assert provider["tokenUrl"].startswith(issuer.replace("idp.deu.dive.localhost", address))
    assert provider["authorizationUrl"].startswith(issuer)


def test_a_spoke_elsewhere_knows_where_its_hub_is_and_needs_nothing_of_the_hubs_engine() -> None:
    place = {"domain": "dive.example", "address": "192.0.2.7"}
    fra = register("fra", elsewhere={"USA": "192.0.2.1", "DEU": "192.0.2.9"}, partners=["DEU"], **place)
    assert hosts(fra) == {
        "opal-client": {"opal.usa.dive.example": "192.0.2.1", "api.usa.dive.example": "192.0.2.1"},
    }
    joined = {n["name"] for r in of_kind(fra, CONTAINER).values() for n in dict(r.object)["networksAdvanced"]}
    assert joined == {"dive-fra"}
    [checkpoint] = [r for urn, r in fra.items() if short(urn) == "initialization-checkpoint"]
    assert json.loads(MessageToDict(checkpoint.object)["spec"]["value"])["networks"] == ["dive-fra"]


def test_a_keycloak_at_an_address_of_its_own_does_not_wait_for_a_partner_out_of_reach(fra: dict[str, Any]) -> None:
    def limited(resources: dict[str, Any]) -> bool:
        files = of_kind(resources, "pulumi-python:dynamic/dive:Files")["keycloak-files"]
        return "establish-connection-timeout-millis=5000" in str(MessageToDict(files.object))

    place = {"domain": "dive.example", "address": "192.0.2.7"}
    assert [limited(register("fra", elsewhere={"USA": "192.0.2.1"}, **place)), limited(fra)] == [True, False]


def test_countries_of_one_machine_share_a_network_at_any_address(fra: dict[str, Any]) -> None:
    there = register("fra", domain="dive.example", address="192.0.2.7")
    for resources in (fra, there):
        assert hosts(resources) == {}
        assert {network for found in links(resources).values() for network in found} == {"dive-link-fra-usa"}


def test_two_spokes_of_one_machine_share_a_network_wherever_their_hub_is() -> None:
    place = {"domain": "dive.example", "address": "192.0.2.7"}
    fra = register("fra", elsewhere={"USA": "192.0.2.1"}, partners=["DEU"], **place)
    assert {service: {*found} for service, found in links(fra).items()} == {
        "keycloak": {"dive-link-deu-fra"},
        "opal-client": set(),
    }
    assert {*hosts(fra)} == {"opal-client"}


CERTIFICATES = tuple(f"pulumi-python:dynamic/dive:{kind}" for kind in ("Certificate", "MemberAuthority"))
TRUSTED = "pulumi-python:dynamic/dive:TrustFile"


def trusted(resources: dict[str, Any]) -> list[str]:
    """Return the roots that the country trusts, by the names of their resources."""
    [file] = of_kind(resources, TRUSTED).values()
    return re.findall(f"{MARK} (.+)", file.object["certificate"])


def roots(resources: dict[str, Any]) -> dict[str, str]:
    """Return the name of each root -> its subject."""
    found = of_kind(resources, CERTIFICATES[0]).items()
    return {name: r.object["subject"] for name, r in found if r.object["authority"]}


def signer(resources: dict[str, Any]) -> set[str]:
    """Return the names of the roots that sign the CAs of members."""
    found = of_kind(resources, CERTIFICATES[1]).values()
    return {name for r in found for name in re.findall(f"{MARK} (.+)", MessageToDict(r.object)["root_chain"])}


def test_the_first_ca_of_a_coalition_is_named_as_before_there_were_rotations(usa: dict[str, Any]) -> None:
    assert roots(usa) == {"authority-root": "DIVE coalition dive"}
    assert (trusted(usa), signer(usa)) == (["authority-root"], {"authority-root"})


def test_a_rotation_trusts_both_cas_then_signs_with_the_new_one_and_then_drops_the_old_one() -> None:
    first, second = "authority-root", "authority-root-2"
    begun, continued, finished = (register("usa", spokes=["FRA"], authorities=n) for n in ([1, 2], [2, 1], [2]))
    assert roots(begun) == {first: "DIVE coalition dive", second: "DIVE coalition dive 2"}
    assert (trusted(begun), signer(begun)) == ([first, second], {first})
    assert (trusted(continued), signer(continued)) == ([first, second], {second})
    assert (trusted(finished), signer(finished)) == ([second], {second})
    assert roots(finished) == {second: "DIVE coalition dive 2"}


def test_only_a_country_in_a_rotation_has_to_report_how_far_it_is(usa: dict[str, Any]) -> None:
    def proof(resources: dict[str, Any]) -> str:
        [found] = of_kind(resources, "pulumi-python:dynamic/dive:Verification").values()
        return str(MessageToDict(found.object)["spec"])

    assert '"issuer"' not in proof(usa)
    rotating = proof(register("usa", spokes=["FRA"], authorities=[1, 2]))
    assert '"issuer"' in rotating
    assert f"{MARK} ca-usa" in rotating, "the certificate of its own CA"


@pytest.mark.parametrize("change", [{"partners": ["DEU"]}, {"cut": ["USA"]}], ids=["linked", "cut off"])
def test_a_partner_of_a_spoke_changes_no_container(fra: dict[str, Any], change: dict[str, list[str]]) -> None:
    other = register("fra", **change)
    for kind in RUNNING:
        before, after = of_kind(fra, kind), of_kind(other, kind)
        assert {name: r.object for name, r in after.items()} == {name: r.object for name, r in before.items()}
    links = {name.split("-")[2] for name in map(short, other) if name.startswith("link-to-")}
    assert links == ({"usa", "deu"} if "partners" in change else set())


def test_only_what_a_partner_needs_is_on_the_network_of_a_link(usa: dict[str, Any], fra: dict[str, Any]) -> None:
    network, zones = "dive-link-fra-usa", ("usa.dive.localhost", "fra.dive.localhost")
    hub, spoke = zones
    assert links(usa) == {
        "keycloak": {network: f"idp.{hub}"},
        "backend": {network: f"api.{hub}"},
        "opal-server": {network: f"opal.{hub}"},
    }
    assert links(fra) == {"keycloak": {network: f"idp.{spoke}"}, "opal-client": {network: f"opal-client.{spoke}"}}
    for code, resources in (("usa", usa), ("fra", fra)):
        for name, container in of_kind(resources, CONTAINER).items():
            found = [end["name"] for end in MessageToDict(container.object)["networksAdvanced"]]
            assert found == [f"dive-{code}"], f"{name}: it would be replaced whenever a partner comes or goes"
        assert f"dive-{code}" in str(of_kind(resources, "docker:index/network:Network")["network-network"].object)
        assert len(of_kind(resources, "docker:index/network:Network")) == 1


def test_the_networks_of_a_countrys_links_come_and_go_with_its_partners(fra: dict[str, Any]) -> None:
    to_usa, to_deu = "dive-link-fra-usa", "dive-link-deu-fra"
    linked = links(register("fra", partners=["DEU"]))
    assert {service: {*found} for service, found in linked.items()} == {
        "keycloak": {to_usa, to_deu},
        "opal-client": {to_usa},
    }
    cut = links(register("fra", cut=["USA"]))
    assert cut["keycloak"] == {}
    assert cut["opal-client"] == links(fra)["opal-client"], "policies remain the hub's business"
    assert not any(links(register("usa", spokes=["FRA"], cut=["FRA"])).values())


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_a_gate_opens_once_its_container_is_on_the_networks_of_its_links(
    country: str, request: pytest.FixtureRequest
) -> None:
    """An OPAL client is healthy only with the hub's policies."""
    resources = request.getfixturevalue(country)
    gates, ends = of_kind(resources, "pulumi-python:dynamic/dive:Gate"), of_kind(resources, LINK_ENDS)
    for service in links(resources):
        assert f"{service}-container" in waits(ends[f"{service}-links"])
        assert f"{service}-links" in waits(gates[f"{service}-gate"])


def test_the_phases_know_the_networks_of_links(usa: dict[str, Any], fra: dict[str, Any]) -> None:
    checkpoints = of_kind(fra, "pulumi-python:dynamic/dive:Checkpoint")
    preflight, initialization, deployment = (
        json.loads(MessageToDict(checkpoints[f"{phase}-checkpoint"].object)["spec"]["value"])
        for phase in ("preflight", "initialization", "deployment")
    )
    assert preflight["links"] == ["dive-link-fra-usa"]
    assert initialization["networks"] == ["dive-fra"]
    assert deployment["links"] == {
        "dive-link-fra-usa": {
            "dive-fra-keycloak": "idp.fra.dive.localhost",
            "dive-fra-opal-client": "opal-client.fra.dive.localhost",
        }
    }
    guards = [of_kind(r, "pulumi-python:dynamic/dive:Guard")["guard"].object for r in (usa, fra)]
    assert [MessageToDict(guard).get("network") for guard in guards] == [["dive-link-fra-usa"], None]


def test_the_network_of_the_previous_release_stays_at_the_hub_while_others_are_on_it(usa: dict[str, Any]) -> None:
    """Its resource is the same; the hub's containers are on it as on the network of a link."""
    retired, kind = "dive-shared", "docker:index/network:Network"
    other = register("usa", retired=(retired,), spokes=["FRA"])
    kept = of_kind(other, kind)["shared-network-network"]
    assert MessageToDict(kept.object)["name"] == retired
    assert "shared-network-network" not in of_kind(usa, kind)
    assert links(other) == {
        service: found | dict.fromkeys([retired], *found.values()) for service, found in links(usa).items()
    }
    for name, ends in of_kind(other, LINK_ENDS).items():
        assert "shared-network-network" in waits(ends), name
    for name, container in of_kind(other, CONTAINER).items():
        assert container.object == of_kind(usa, CONTAINER)[name].object, name
    guard = of_kind(other, "pulumi-python:dynamic/dive:Guard")["guard"]
    assert MessageToDict(guard.object)["network"] == ["dive-link-fra-usa", retired]


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_rules_of_the_country_are_files_of_its_opa_alone(country: str, request: pytest.FixtureRequest) -> None:
    without, rule = request.getfixturevalue(country), "package national.checks.night\n\npass := true\n"
    spokes = {"spokes": ["FRA"]} if country == "usa" else {}
    with_rules = register(country, {"night.rego": rule}, rules=".", **spokes)
    kind = "pulumi-python:dynamic/dive:Files"
    before, after = of_kind(without, kind), of_kind(with_rules, kind)
    assert {name for name in before if before[name].object != after[name].object} == {"opa-files"}
    held = json.loads(json.dumps(MessageToDict(after["opa-files"].object)))
    assert rule in json.dumps(held, ensure_ascii=False).replace("\\n", "\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("package dive.checks.night", "night.rego: package dive.checks.night; expected package national.checks.night"),
        ("package national.checks.night\n\npass if {", "dive:rules: .: .*night.rego:3: rego_parse_error"),
    ],
)
def test_rules_that_opa_would_refuse_are_refused_before_anything_is_declared(text: str, told: str) -> None:
    with pytest.raises(pulumi.RunError, match=told):
        register("fra", {"night.rego": text}, rules=".")


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_every_container_waits_for_its_live_files(country: str, request: pytest.FixtureRequest) -> None:
    resources = request.getfixturevalue(country)
    live = of_kind(resources, LIVE_FILES)
    at_the_hub = {"opal-server-live"} if country == "usa" else set[str]()
    assert set(live) == {"frontend-live", "backend-live", "kas-live"} | at_the_hub
    for name, resource in live.items():
        service = name.removesuffix("-live")
        assert f"{service}-files" in waits(resource)
        assert name in waits(of_kind(resources, CONTAINER)[f"{service}-container"])


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_a_service_has_a_certificate_of_its_own_and_no_key_of_another(
    country: str, request: pytest.FixtureRequest
) -> None:
    resources = request.getfixturevalue(country)
    names = Names(parse(country.upper()))
    files = of_kind(resources, "pulumi-python:dynamic/dive:Files")
    issued = {
        name: dict(r.object)
        for name, r in of_kind(resources, "pulumi-python:dynamic/dive:Certificate").items()
        if not r.object["authority"]
    }
    assert issued.keys() == {f"tls-{name.removesuffix('-files')}" for name in files}
    for name, resource in files.items():
        service = name.removesuffix("-files")
        by_address = ["127.0.0.1"] if service in ("postgres", "mongodb", "redis", "keycloak") else []
        assert list(issued[f"tls-{service}"]["names"]) == [names.host(service), *by_address]
        written = "".join(map(str, MessageToDict(resource.object["contents"])["value"].values()))
        found = re.findall(f"{MARK} (.+)", written)
        assert found.count("authority-root") <= 1, "its certificate, not its key"
        assert [name for name in found if name != "authority-root"] == [f"tls-{service}"] * 2, "certificate and key"


def test_a_spokes_side_of_its_link_is_that_of_the_earlier_version(fra: dict[str, Any], usa: dict[str, Any]) -> None:
    """Under other names it would be created beside what exists, which Keycloak refuses."""
    found = {
        name: [alias.spec.name for alias in r.aliases]
        for name, r in ((short(urn), r) for urn, r in fra.items())
        if name.startswith("link-to-usa-")
    }
    ends = {name: name.removeprefix("link-to-usa-") for name in found}
    assert {"idp", "idp-acpCOI", "broker", "people"} <= {*ends.values()}
    assert found == {name: ["link-people" if end == "people" else f"link-fra-{end}"] for name, end in ends.items()}
    assert not [r for urn, r in usa.items() if short(urn).startswith("link-to-") and r.aliases]


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_every_container_is_hardened(country: str, request: pytest.FixtureRequest) -> None:
    for name, resource in of_kind(request.getfixturevalue(country), CONTAINER).items():
        inputs = dict(resource.object)
        assert inputs["capabilities"]["drops"] == ["ALL"], name
        assert list(inputs["securityOpts"]) == ["no-new-privileges:true"], name
        assert inputs["readOnly"], name
        assert not inputs.get("privileged"), name
        assert inputs["user"].split(":")[0] not in ("", "0", "root"), name
        assert inputs["memory"] > 0
        assert float(inputs["cpus"]) > 0
        assert all(p["ip"] == "127.0.0.1" for p in inputs["ports"]), name
        assert inputs["healthcheck"]["tests"], name
        assert inputs["image"].startswith("sha256:"), f"{name}: by id, not by a name that moves"
        assert not [v for v in inputs["volumes"] if "hostPath" in v], f"{name}: no folder of the host"


def test_a_country_is_published_and_reached_at_its_address() -> None:
    resources = register("usa", address="127.0.0.2")
    text = {short(urn): json.dumps(MessageToDict(r.object)) for urn, r in resources.items()}
    containers = {name: dict(r.object) for name, r in of_kind(resources, CONTAINER).items()}
    assert {port["ip"] for inputs in containers.values() for port in inputs["ports"]} == {"127.0.0.2"}
    gates = of_kind(resources, "pulumi-python:dynamic/dive:Gate")
    assert {gate.object["ready"] for gate in gates.values()} == {"127.0.0.2"}
    # Each address that a resource gets is this one; inside a container, loopback is its own.
    inside = {name for name in text if name.rpartition("-")[2] in ("container", "files", "live", "probe", "gate")}
    specifications = {name for name in text if name.rpartition("-")[2] in ("checkpoint", "proof")}
    assert [name for name in {*text} - inside - specifications if "127.0.0.1" in text[name]] == []
    assert "https://127.0.0.2:8443" in text["probe-persons"]
    assert '"address": "127.0.0.2"' in text["orchestration"]


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_every_resource_keeps_the_rules_of_the_policy_pack(country: str, request: pytest.FixtureRequest) -> None:
    judged = set()
    for name, asked in ((short(u), r) for u, r in request.getfixturevalue(country).items()):
        resource = Resource(asked.type, read(MessageToDict(asked.object)), asked.protect)
        for rule in (rule for rule in RULES if resource.kind in rule.kinds):
            assert judge(rule, resource) == Judgement([]), f"{name}: {rule.name}"
            judged.add(rule.name)
    assert judged == {rule.name for rule in RULES} - {"judged-kinds"}


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_no_environment_variable_command_or_label_holds_a_secret(country: str, request: pytest.FixtureRequest) -> None:
    for name, resource in of_kind(request.getfixturevalue(country), CONTAINER).items():
        inputs = dict(resource.object)
        text = " ".join(str(inputs[k]) for k in ("envs", "command", "labels") if k in inputs)
        assert "x" * 32 not in text, name
        assert "PRIVATE KEY" not in text, name


DOCKER = "pulumi:providers:docker"
OF_DOCKER = (CONTAINER, "docker:index/network:Network")


@pytest.mark.parametrize("country", ["usa", "fra"])
def test_without_a_setting_the_engine_is_pulumis_default_one(country: str, request: pytest.FixtureRequest) -> None:
    """Its provider is in no state of an earlier version, and a reference to it would be a change of every resource."""
    resources = request.getfixturevalue(country)
    assert of_kind(resources, DOCKER) == {}
    assert {r.provider for kind in OF_DOCKER for r in of_kind(resources, kind).values()} == {""}


@pytest.mark.parametrize(
    ("engine", "certificates"), [("ssh://anne@host", ""), ("tcp://10.0.0.5:2376", "engine")], ids=["ssh", "TLS"]
)
def test_with_the_setting_everything_of_docker_is_declared_on_that_engine(
    fra: dict[str, Any], engine: str, certificates: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///another.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "another")
    folder = str(tmp_path / certificates) if certificates else ""
    if folder:
        Path(folder).mkdir()
        for file in FILES:
            (Path(folder) / file).touch()
    try:
        resources = register("fra", engine=engine, **({"engineCertificates": folder} if folder else {}))
    finally:
        engines.select(EngineSelection())
    [(urn, plugin)] = [(urn, r) for urn, r in resources.items() if r.type == DOCKER]
    assert dict(plugin.object) == {"host": engine, "certPath": folder, "context": ""}
    declared = {name: r for kind in OF_DOCKER for name, r in of_kind(resources, kind).items()}
    assert {r.provider for r in declared.values()} == {f"{urn}::engine-id"}
    before = {name: r.object for kind in OF_DOCKER for name, r in of_kind(fra, kind).items()}
    assert {name: r.object for name, r in declared.items()} == before, "nothing is replaced for it"
    assert resources.keys() - {urn} == fra.keys()


def test_a_preview_from_the_state_needs_neither_the_context_nor_the_certificates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(environment.NO_ENGINE, "yes")
    try:
        [plugin] = of_kind(register("fra", engine="context:of-another-machine"), DOCKER).values()
    finally:
        engines.select(EngineSelection())
    assert set(plugin.ignoreChanges) == {"host", "certPath"}, "those of the state are kept"
