"""The policy pack: each rule refuses what it is there for, passes what is right, and shows no secret."""

import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub

from policy import containers, data, identity
from policy.__main__ import PACK, VERSION, Rules, wire
from policy.rule import Judgement, Resource, judge
from policy.rules import RULES, table
from policy.wire import UNKNOWNS, read

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "policies.md"
BY_NAME = {rule.name: rule for rule in RULES}
DIGEST = "sha256:" + "0a" * 32
SECRET = "plain-canary-7f3a"

# One of each kind that keeps every rule.
GOOD: dict[str, dict[str, Any]] = {
    containers.CONTAINER: {
        "image": DIGEST,
        "ports": [{"internal": 5432.0, "external": 5432.0, "ip": "127.0.0.1"}],
        "healthcheck": {"tests": ["CMD", "pg_isready"]},
        "memory": 256.0,
        "cpus": "0.5",
        "capabilities": {"drops": ["ALL"]},
        "securityOpts": ["no-new-privileges:true"],
        "user": "999:999",
        "readOnly": True,
        "restart": "unless-stopped",
        "networkMode": "bridge",
        "volumes": [{"volumeName": "data", "containerPath": "/var/lib/data"}],
        "envs": ["POSTGRES_PASSWORD_FILE=/etc/dive/password", "TOKEN=/etc/dive/token", "KEY_FORMAT=pem", "SECRET=true"],
        "command": ["-c", "ssl=on"],
        "labels": [{"label": "dive.country", "value": "USA"}],
    },
    containers.REMOTE_IMAGE: {"name": f"quay.io:443/keycloak/keycloak@{DIGEST}"},
    containers.OUR_IMAGE: {"reference": "redis:7.4.7-bookworm", "recipe": "abc"},
    identity.REALM: {"sslRequired": "all", "securityDefenses": {"bruteForceDetection": {"maxLoginFailures": 5.0}}},
    identity.CLIENT: {
        "standardFlowEnabled": True,
        "pkceCodeChallengeMethod": "S256",
        "validRedirectUris": ["https://portal.usa.dive.localhost:3000/callback"],
        "validPostLogoutRedirectUris": ["+"],
        "webOrigins": ["+"],
    },
    identity.SAML_CLIENT: {"validRedirectUris": ["https://portal.usa.dive.localhost:3000/saml"]},
    identity.PARTNER: {
        "validateSignature": True,
        "tokenUrl": "https://idp.fra.dive.localhost:8453/token",
        "extraConfig": {"pkceEnabled": "true", "pkceMethod": "S256"},
    },
    data.VOLUME: {"name": "data"},
    data.OUR_VOLUME: {"volume": "data"},
    data.ROLE: {"name": "portal", "login": True, "superuser": False, "roles": ["readers"]},
    data.GRANT_ROLE: {"role": "portal", "grantRole": "readers"},
}

BAD: list[tuple[str, str, dict[str, Any]]] = [
    # rule, kind, what is other than in the good one (None: it is left out)
    *[
        ("image-exact", containers.CONTAINER, {"image": image})
        for image in ("nginx", "nginx:latest", "nginx:1", "nginx:stable-1.2", "host:5000/nginx", "sha256:beef", None)
    ],
    ("image-exact", containers.REMOTE_IMAGE, {"name": "quay.io/keycloak/keycloak:latest"}),
    ("image-exact", containers.OUR_IMAGE, {"reference": "dive/backend", "recipe": None}),
    ("ports-on-one-address", containers.CONTAINER, {"ports": [{"internal": 80.0, "ip": "0.0.0.0"}]}),
    ("ports-on-one-address", containers.CONTAINER, {"ports": [{"internal": 80.0}]}),
    ("ports-on-one-address", containers.CONTAINER, {"publishAllPorts": True}),
    ("health-check", containers.CONTAINER, {"healthcheck": None}),
    ("health-check", containers.CONTAINER, {"healthcheck": {"tests": ["NONE"]}}),
    ("limits", containers.CONTAINER, {"memory": None}),
    ("limits", containers.CONTAINER, {"memory": 0.0}),
    ("limits", containers.CONTAINER, {"cpus": None}),
    ("no-privileges", containers.CONTAINER, {"privileged": True}),
    ("no-privileges", containers.CONTAINER, {"capabilities": None}),
    ("no-privileges", containers.CONTAINER, {"capabilities": {"drops": ["ALL"], "adds": ["SYS_ADMIN"]}}),
    ("no-privileges", containers.CONTAINER, {"securityOpts": None}),
    (
        "no-privileges",
        containers.CONTAINER,
        {"securityOpts": ["no-new-privileges:true", "seccomp=unconfined"]},
    ),
    *[("no-privileges", containers.CONTAINER, {"user": user}) for user in (None, "0", "root", "0:999")],
    ("no-privileges", containers.CONTAINER, {"networkMode": "host"}),
    ("no-privileges", containers.CONTAINER, {"pidMode": "host"}),
    ("no-privileges", containers.CONTAINER, {"devices": [{"hostPath": "/dev/kvm"}]}),
    *[
        ("no-engine-socket", containers.CONTAINER, {"volumes": [{"hostPath": path, "containerPath": "/x"}]})
        for path in ("/var/run/docker.sock", "/run/", "/")
    ],
    (
        "no-engine-socket",
        containers.CONTAINER,
        {"mounts": [{"type": "bind", "source": "/run/podman/podman.sock", "target": "/x"}]},
    ),
    *[
        ("no-plain-secret", containers.CONTAINER, {"envs": [variable]})
        for variable in (
            f"POSTGRES_PASSWORD={SECRET}",
            f"client_secret={SECRET}",
            f"DATABASE=postgres://portal:{SECRET}@postgres/portal",
            "IDENTITY=-----BEGIN EC PRIVATE KEY-----",
            "HEADER=Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
        )
    ],
    ("no-plain-secret", containers.CONTAINER, {"command": ["--url", f"redis://:{SECRET}@redis"]}),
    ("no-plain-secret", containers.CONTAINER, {"labels": [{"label": "db", "value": f"redis://x:{SECRET}@redis"}]}),
    *[("judged-kinds", kind, {}) for kind in containers.UNSUPPORTED],
    ("no-host-folders", containers.CONTAINER, {"volumes": [{"hostPath": "/srv/data", "containerPath": "/x"}]}),
    ("read-only-root", containers.CONTAINER, {"readOnly": None}),
    ("restart", containers.CONTAINER, {"restart": "no"}),
    ("realm-brute-force", identity.REALM, {"securityDefenses": None}),
    ("realm-brute-force", identity.REALM, {"securityDefenses": {"headers": {}}}),
    (
        "realm-brute-force",
        identity.REALM,
        {"securityDefenses": {"bruteForceDetection": {"maxLoginFailures": 1000.0}}},
    ),
    ("realm-tls", identity.REALM, {"sslRequired": "none"}),
    ("pkce", identity.CLIENT, {"pkceCodeChallengeMethod": None}),
    ("pkce", identity.CLIENT, {"pkceCodeChallengeMethod": "plain"}),
    ("pkce", identity.PARTNER, {"extraConfig": {"pkceEnabled": "false", "pkceMethod": "S256"}}),
    *[
        ("redirects-exact", identity.CLIENT, {"validRedirectUris": [uri]})
        for uri in ("*", "https://portal.usa/*", "http://portal.usa/callback", "/callback", "https://")
    ],
    ("redirects-exact", identity.CLIENT, {"validPostLogoutRedirectUris": ["https://portal.usa/*"]}),
    ("redirects-exact", identity.CLIENT, {"webOrigins": ["*"]}),
    ("redirects-exact", identity.SAML_CLIENT, {"validRedirectUris": ["+"]}),
    ("no-weak-flows", identity.CLIENT, {"implicitFlowEnabled": True}),
    ("no-weak-flows", identity.CLIENT, {"directAccessGrantsEnabled": True}),
    ("partner-proven", identity.PARTNER, {"validateSignature": None}),
    ("partner-proven", identity.PARTNER, {"trustEmail": True}),
    ("partner-proven", identity.PARTNER, {"tokenUrl": "http://idp.fra/token"}),
    *[
        ("no-superusers", data.ROLE, {power: True})
        for power in ("superuser", "createRole", "createDatabase", "replication", "bypassRowLevelSecurity")
    ],
    ("no-superusers", data.ROLE, {"roles": ["pg_execute_server_program"]}),
    ("no-superusers", data.GRANT_ROLE, {"grantRole": "postgres"}),
]


def resource(kind: str, other: Mapping[str, Any], protect: bool = True) -> Resource:
    inputs = {k: v for k, v in {**GOOD.get(kind, {}), **other}.items() if v is not None}
    return Resource(kind, read(inputs), protect)


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_right_passes_every_rule(kind: str) -> None:
    assert {rule.name: judge(rule, resource(kind, {})) for rule in RULES} == {r.name: Judgement([]) for r in RULES}


@pytest.mark.parametrize(("name", "kind", "other"), BAD, ids=[f"{n}-{list(o.values())}"[:60] for n, _, o in BAD])
def test_a_violation_is_refused_by_its_rule_and_no_other(name: str, kind: str, other: dict[str, Any]) -> None:
    found = {rule.name: judge(rule, resource(kind, other)).violations for rule in RULES}
    also = {"no-host-folders"} if name == "no-engine-socket" else set()
    assert {rule for rule, violations in found.items() if violations} == {name, *also}
    assert all("expected" in violation for violation in found[name])
    assert SECRET not in str(found)


@pytest.mark.parametrize("kind", [data.VOLUME, data.OUR_VOLUME])
def test_an_unprotected_volume_is_refused_unless_its_stack_is_disposable(kind: str) -> None:
    rule = BY_NAME["volumes-protected"]
    assert judge(rule, Resource(kind, GOOD[kind], protect=False)).violations
    assert not judge(rule, Resource(kind, GOOD[kind], protect=False, disposable=True)).violations


@pytest.mark.parametrize(
    ("setting", "address", "kept"),
    [
        ("", "127.0.0.1", True),
        ("", "::1", True),
        ("", "192.0.2.7", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "127.0.0.1", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("0.0.0.0", "0.0.0.0", False),
        ("::", "::", False),
    ],
)
def test_a_port_is_published_at_the_address_of_the_settings_alone(setting: str, address: str, kept: bool) -> None:
    served, request = Rules(), wire.AnalyzeRequest(type=containers.CONTAINER)
    served.ConfigureStack(wire.AnalyzerStackConfigureRequest(config={"dive:address": setting}), None)
    request.properties.update({**GOOD[containers.CONTAINER], "ports": [{"internal": 80.0, "ip": address}]})
    assert [d.policyName for d in served.Analyze(request, None).diagnostics] == (
        [] if kept else ["ports-on-one-address"]
    )


def test_each_rule_is_violated_by_an_example() -> None:
    assert {name for name, _, _ in BAD} | {"volumes-protected"} == set(BY_NAME)
    assert len(BY_NAME) == len(RULES), "two rules of one name"
    assert all(rule.reason and rule.description and rule.kinds for rule in RULES)


def secret(value: str) -> dict[str, Any]:
    return {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": value}


def test_a_value_that_is_marked_as_secret_is_one_by_any_name_and_is_not_shown() -> None:
    for other in ({"envs": [secret(f"COLOUR={SECRET}")]}, {"command": [secret(SECRET)]}, {"user": secret("root")}):
        found = {rule.name: judge(rule, resource(containers.CONTAINER, other)).violations for rule in RULES}
        assert any(found.values())
        assert SECRET not in str(found)


def test_what_only_the_update_knows_is_left_to_the_update() -> None:
    [unknown, *_] = sorted(UNKNOWNS)
    for other in ({"image": unknown}, {"envs": [unknown]}, {"healthcheck": {"tests": unknown}}):
        found = [judge(rule, resource(containers.CONTAINER, other)) for rule in RULES]
        assert [f.undecided for f in found if f.undecided]
        assert not [f.violations for f in found if f.violations]


def test_what_is_found_before_an_unknown_value_counts() -> None:
    other = {"envs": [f"A_TOKEN={SECRET}", next(iter(UNKNOWNS))]}
    found = judge(BY_NAME["no-plain-secret"], resource(containers.CONTAINER, other))
    assert found.violations
    assert found.undecided


def test_the_engine_receives_the_level_of_each_violation_and_what_was_not_judged() -> None:
    served = Rules()
    request = wire.AnalyzeRequest(type=containers.CONTAINER, urn="urn", name="it")
    request.properties.update({**GOOD[containers.CONTAINER], "readOnly": False, "privileged": True, "image": "nginx"})
    request.properties["user"] = next(iter(UNKNOWNS))
    answer = served.Analyze(request, None)
    assert {(d.policyName, d.enforcementLevel) for d in answer.diagnostics} == {
        ("image-exact", wire.MANDATORY),
        ("no-privileges", wire.MANDATORY),
        ("read-only-root", wire.ADVISORY),
    }
    assert [n.policy_name for n in answer.not_applicable] == ["no-privileges"]
    assert [p.name for p in served.GetAnalyzerInfo(None, None).policies] == [rule.name for rule in RULES]


def test_the_stacks_decision_on_its_data_is_respected() -> None:
    served, request = Rules(), wire.AnalyzeRequest(type=data.VOLUME)
    assert served.Analyze(request, None).diagnostics
    served.ConfigureStack(wire.AnalyzerStackConfigureRequest(config={"dive:disposable": "true"}), None)
    assert not served.Analyze(request, None).diagnostics


def test_the_engine_finds_it_by_its_port_and_ends_it_silently() -> None:
    with socket.create_server(("127.0.0.1", 0)) as engine:  # it is watched, and has nothing to say
        command = [str(ROOT / "policy" / "pulumi-analyzer-policy-dive"), f"127.0.0.1:{engine.getsockname()[1]}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pack:
            try:
                assert pack.stdout
                with grpc.insecure_channel(f"127.0.0.1:{int(pack.stdout.readline())}") as line:
                    told = AnalyzerStub(line).GetAnalyzerInfo(Empty(), timeout=20)
                assert told.name == PACK
            finally:
                pack.send_signal(signal.SIGINT)
            out, err = pack.communicate(timeout=20)
    assert (pack.returncode, out, err) == (0, "", "")


def test_the_pack_says_of_itself_what_its_file_says() -> None:
    declared = yaml.safe_load((ROOT / "policy" / "PulumiPolicy.yaml").read_text())
    assert (declared["name"], declared["version"]) == (PACK, VERSION)
    [plugin] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["plugins"]["analyzers"]
    assert (ROOT / plugin["path"] / f"pulumi-analyzer-{plugin['name']}").stat().st_mode & 0o111
    assert plugin["name"] == f"policy-{declared['runtime']}"


def test_the_document_holds_the_table_of_the_rules(request: pytest.FixtureRequest) -> None:
    """`pytest tests/unit/test_policy.py --docs` writes it."""
    text = DOCUMENT.read_text()
    if request.config.getoption("--docs"):
        before, _, rest = text.partition("| rule |")
        after = rest.partition("\n\n")[2]
        DOCUMENT.write_text(f"{before}{table()}\n{after}")
    assert table() in DOCUMENT.read_text()
