"""The policy engine of a country and its sources: OPA everywhere, the OPAL server at the hub, a client at each spoke.

The hub's backend administers policies and data, and signs them as a bundle of OPA. The hub's OPA polls it. The OPAL
server announces a new one; a spoke's OPAL client then fetches it, keeps it, and answers it to the spoke's OPA, which
polls that. Client and OPA each verify the signature with the key in the coalition document, and the client refuses what
is older than what it has. No one else writes to an OPA.

What OPA answers its clients with, its own authorization, and the rules of the country are a bundle in its own files.
OPA takes no other bundle that says anything about what that one owns; therefore the hub cannot replace them.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from dive_infra.catalog.spec import CA, CERTIFICATE, FILES, KEY, HealthCheck, Material, ServiceSpec, https_health
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.config.paths import ROOT
from dive_infra.crypto import pki
from dive_infra.identity import opal_token

OPA_IMAGE = "openpolicyagent/opa:1.22.2-static"
OPAL_SERVER_IMAGE = "permitio/opal-server:0.9.9"
OPAL_CLIENT_IMAGE = "permitio/opal-client-standalone:0.9.9"  # without an OPA inside

POLICIES = ROOT / "policies"
BUNDLE = "/api/opal/bundle.tar.gz"  # of the hub's backend: policies and data
DECISION = "/v1/data/national/answer"  # of every OPA: what its clients ask
NATIONAL = "national."  # starts the code of a check that is a rule of the country
_SOURCE = "dive"  # the name of the hub's bundle in an OPA
UID = 1000
_POLL = 4  # seconds between two polls for new policies
_POLL_AT_HOME = 2  # the same, of a spoke's OPA at its OPAL client
# Bytes of a request's body: OPA reads it before it looks at the token, and takes up to eighty times as much memory.
LARGEST_BODY = 64 * 1024

_LOCAL = f"{FILES}/local"  # a bundle
LOCAL = _LOCAL.lstrip("/")  # its modules are below
_ROOTS = ("national", "system/authz")  # what it owns
OPA_CONFIG = f"{FILES}/opa.yaml"
HUB_TOKEN = f"{FILES}/hub-token"
POLICY_KEY = f"{FILES}/policy.key"
COALITION = f"{FILES}/coalition.json"  # the coalition document, which the hub's backend answers
MEMBERS = f"{FILES}/members.json"  # whose tokens the hub takes: a member joins or leaves, and nothing restarts
_OPAL_MASTER = f"{FILES}/opal-master"
_GUNICORN = f"{FILES}/gunicorn_conf.py"
_COPIES = "/opal/backup"  # where OPAL's image has a place for them
COPY = f"{_COPIES}/hub.json"  # the hub's bundle, at a spoke: `files`, `tag`, and when the hub `confirmed` it last
HUB_KEY = f"{FILES}/hub-policies.pub"  # verifies it
_FEED_PORT = 7443  # of the OPAL client, within the country's networks: OPA asks there
_SIGNED_BY = "hub"  # the name of the key that signs, in an OPA
OPA_TOKENS = ("opa-token", "opa-read")  # the secrets whose holders OPA knows; none of them writes
NO_RULES: Mapping[str, str] = {}


def policies() -> dict[str, str]:
    """Return the Rego modules that are distributed, by path below `policies/`."""
    kept = {"tests", "local"}
    paths = (path for path in sorted(POLICIES.rglob("*.rego")) if kept.isdisjoint(path.relative_to(POLICIES).parts))
    return {str(path.relative_to(POLICIES)): path.read_text() for path in paths}


def deciders(is_hub: bool) -> tuple[str, ...]:
    """Return the services of a country that hold policies and data, in the order of a restart."""
    return ("opa",) if is_hub else ("opa", "opal-client")


def hub_key(settings: str) -> str:
    """Return the key with which an OPA verifies what the hub distributes, from its file `OPA_CONFIG`."""
    return str(json.loads(settings)["keys"][_SIGNED_BY]["key"])


def module_path(module: str) -> str:
    """Return the path of a module from its name in an OPA, where the name of its bundle comes before it.

    It is a path below `policies/`, or that of a local module in the container.
    """
    return module.lstrip("/").removeprefix(f"{_SOURCE}/").removeprefix(f"{LOCAL}/")


def distribution_files(material: Material) -> dict[str, str]:
    """Return what the hub's backend needs to distribute policies, beside its own files."""
    own = {POLICY_KEY: material.secrets["policy-key"], MEMBERS: _members(material), COALITION: material.coalition}
    return own | {f"{FILES}/policies/{path}": text for path, text in policies().items()}


def local_modules(tokens: Mapping[str, str], rules: Mapping[str, str]) -> dict[str, str]:
    """Return the modules that OPA has from its own files, by path without the first slash; `rules` by code."""
    own = {f"{LOCAL}/checks/{code}.rego": text for code, text in rules.items()}
    answer = (POLICIES / "local" / "answer.rego").read_text()
    return {f"{LOCAL}/access.rego": access(tokens), f"{LOCAL}/answer.rego": answer} | own


def opa(names: Names, hub: Names, rules: Mapping[str, str] = NO_RULES) -> ServiceSpec:
    """Return OPA, which knows its clients by their tokens, and polls for what the hub has signed.

    `rules` of the country itself: code -> Rego module (`catalog.national`).
    """
    port = names.port("opa")
    is_hub = names.country.is_hub
    feeder = hub.url("backend") if is_hub else f"https://{names.host('opal-client')}:{_FEED_PORT}"

    def files(material: Material) -> dict[str, str]:
        local = local_modules({name: material.secrets[name] for name in OPA_TOKENS}, rules)
        made = material.tls() | {f"/{path}": text for path, text in local.items()}
        made |= {f"{_LOCAL}/.manifest": json.dumps({"roots": _ROOTS, "rego_version": 1})}
        settings = {"server": {"decoding": {"max_length": LARGEST_BODY, "gzip": {"max_length": LARGEST_BODY}}}}
        if is_hub:
            key = material.secrets["policy-key"]
            made[HUB_TOKEN] = opal_token.mint_hub_token(key, hub.country.code)
            return made | {OPA_CONFIG: json.dumps(settings | _bundle(feeder, pki.public_key(key), _POLL, HUB_TOKEN))}
        key = material.policy_keys[hub.country.code]
        return made | {OPA_CONFIG: json.dumps(settings | _bundle(feeder, key, _POLL_AT_HOME))}

    # The image holds no shell: OPA asks itself. Of two expressions, a false one makes the query undefined, which fails.
    alive = {
        "method": "GET",
        "url": f"https://{LOOPBACK}:{port}/health",
        "tls_server_name": names.host("opa"),
        "tls_ca_cert_file": CA,
        "timeout": "3s",
    }
    query = f"answer := http.send({json.dumps(alive)}); answer.status_code == 200"
    return ServiceSpec(
        name="opa",
        image=OPA_IMAGE,
        uid=UID,
        files=files,
        secrets=(*OPA_TOKENS, *(("policy-key",) if is_hub else ())),
        command=(
            *("run", "--server", "--addr", f"0.0.0.0:{port}", "--config-file", OPA_CONFIG),
            *("--tls-cert-file", CERTIFICATE, "--tls-private-key-file", KEY),
            *("--authentication=token", "--authorization=basic", "--log-level=error", "--disable-telemetry"),
            *("--bundle", _LOCAL),
        ),
        health=HealthCheck(("/opa", "eval", "--fail", query)),
        memory_mb=256,
    )


def access(tokens: Mapping[str, str]) -> str:
    """Return OPA's own authorization: what the holder of each token, by the name of its secret, may do.

    OPA knows a token by its hash. If two secrets have one value, it may do what the weaker of them may.
    """
    weakest_last = [name for name in ("opa-read", "opa-token") if name in tokens]
    holders = {sha256(tokens[name].encode()).hexdigest(): name for name in weakest_last}
    return f"""package system.authz

default allow := {{
	"allowed": false,
	"reason": "expected a bearer token of this country's OPA that may do this: {", ".join(tokens)}",
}}

holder := {json.dumps(holders)}[crypto.sha256(input.identity)]

allow := {{"allowed": true}} if {{
	input.method == "GET"
	input.path == ["health"]
}}

allow := {{"allowed": true}} if {{
	holder in {{"opa-token", "opa-read"}}
	input.method == "POST"
	input.path == {json.dumps(DECISION.strip("/").split("/"))}
}}

allow := {{"allowed": true}} if {{
	holder == "opa-read"
	input.method == "GET"
	input.path[0] == "v1"
	input.path[1] in {{"policies", "data"}}
}}
"""


def _bundle(url: str, public_key: str, poll: int, token_path: str = "") -> dict[str, object]:
    """Return OPA's configuration: it polls this service, and takes what is signed with this key."""
    credentials = {"credentials": {"bearer": {"token_path": token_path}}} if token_path else {}
    return {
        "keys": {_SIGNED_BY: {"algorithm": "RS256", "key": public_key}},
        "services": {"hub": {"url": url, "tls": {"ca_cert": CA}, **credentials}},
        "bundles": {
            _SOURCE: {
                "service": "hub",
                "resource": BUNDLE.lstrip("/"),
                "polling": {"min_delay_seconds": 1, "max_delay_seconds": poll},
                "signing": {"keyid": _SIGNED_BY},
            }
        },
    }


def opal_server(names: Names, hub: Names) -> ServiceSpec:
    """Return the hub's OPAL server: it polls the backend, and announces what is new to the countries' clients."""
    port = names.port("opal-server")

    def files(material: Material) -> dict[str, str]:
        return material.tls() | {
            _GUNICORN: _configuration("server"),
            MEMBERS: _members(material),
            _OPAL_MASTER: material.secrets["opal-master"],
            HUB_TOKEN: opal_token.mint_hub_token(material.secrets["policy-key"], hub.country.code),
        }

    return ServiceSpec(
        name="opal-server",
        image=OPAL_SERVER_IMAGE,
        uid=UID,
        files=files,
        live=(MEMBERS,),
        secrets=("policy-key", "opal-master"),
        service_class="stretch",
        environment=_opal(port)
        | {
            "OPAL_POLICY_SOURCE_TYPE": "API",
            "OPAL_POLICY_BUNDLE_URL": f"{hub.url('backend')}{BUNDLE.rpartition('/')[0]}",
            "OPAL_POLICY_REPO_POLLING_INTERVAL": str(_POLL),
            "OPAL_POLICY_REPO_CLONE_PATH": "/tmp/policies",
            "OPAL_AUTH_JWKS_STATIC_DIR": "/tmp/jwks",
            "OPAL_AUTH_JWT_AUDIENCE": opal_token.OPAL_AUDIENCE,
            "OPAL_AUTH_JWT_ISSUER": hub.country.code,
        },
        health=https_health(names.host("opal-server"), port, "/healthcheck"),
        memory_mb=384,
        needs=("backend",),
        linked="partners",
    )


def opal_client(names: Names, hub: Names) -> ServiceSpec:
    """Return the OPAL client of a spoke, which signs the tokens that it shows the hub."""
    port = names.port("opal-client")

    def files(material: Material) -> dict[str, str]:
        own = {
            _GUNICORN: _configuration("client"),
            f"{FILES}/signature.py": _configuration("signature"),
            f"{FILES}/opal_token.py": Path(opal_token.__file__).read_text(),
            POLICY_KEY: material.secrets["policy-key"],
        }
        return material.tls() | own | {HUB_KEY: material.policy_keys[hub.country.code]}

    return ServiceSpec(
        name="opal-client",
        image=OPAL_CLIENT_IMAGE,
        uid=UID,
        files=files,
        secrets=("policy-key",),
        service_class="optional",
        environment=_opal(port)
        | {
            "OPAL_SERVER_URL": hub.url("opal-server"),
            "OPAL_DATA_UPDATER_ENABLED": "false",
            "OPAL_INLINE_OPA_ENABLED": "false",
            "OPAL_POLICY_STORE_TYPE": "MOCK",  # OPAL writes to no OPA
            "OPAL_CLIENT_STAT_ID": names.container("opal-client"),
            "COUNTRY": names.country.code,
            "FEED_PORT": str(_FEED_PORT),
            "HUB_BUNDLE_URL": f"{hub.url('backend')}{BUNDLE}",
            "HUB_BUNDLE_COPY": COPY,
        },
        health=https_health(names.host("opal-client"), port, "/healthy"),
        copies=_COPIES,
        memory_mb=384,
        linked="hub",  # also of a spoke that has cut the hub off: policies remain the hub's
        hosts=names.hosts_of(hub, "opal-server", "backend"),
    )


def _members(material: Material) -> str:
    return json.dumps(material.policy_keys, indent=1)


def _opal(port: int) -> dict[str, str]:
    """Return what server and client share: one worker, TLS by Gunicorn's configuration, trust in the coalition's CA."""
    return {
        "UVICORN_PORT": str(port),
        "UVICORN_NUM_WORKERS": "1",
        "GUNICORN_CONF": _GUNICORN,
        "SSL_CERT_FILE": CA,
        "OPAL_LOG_LEVEL": "WARNING",
        "OPAL_LOG_COLORIZE": "false",
        "OPAL_LOG_DIAGNOSE": "false",  # it would print the values of variables
        "HOME": "/tmp",
    }


def _configuration(role: str) -> str:
    return (Path(__file__).parent / "opal" / f"{role}.py").read_text()
