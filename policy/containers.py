"""Rules on what runs on the engine: its image, its network exposure, its privileges."""

import re
from collections.abc import Iterator
from typing import Any

from policy.rule import Resource, Rule, SecretText, listed, texts

CONTAINER = "docker:index/container:Container"
REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
OUR_IMAGE = "pulumi-python:dynamic/dive:Image"
UNSUPPORTED = (
    "docker:index/image:Image",
    "docker:index/plugin:Plugin",
    "docker:index/service:Service",
)

_LOOPBACK = ("127.0.0.1", "::1")
_EVERY = (None, "", "0.0.0.0", "::")  # noqa: S104 (compared with, not bound to)
_ID = re.compile(r"sha256:[0-9a-f]{64}")
_EXACT = re.compile(r"v?\d+(\.\d+)+([-.+_][\w.+-]*)?")
_SECRET_NAME = re.compile(r"(PASS(WORD|WD|PHRASE)?|SECRET|TOKEN|CREDENTIALS?|(PRIVATE|API|ACCESS|SIGNING)_?KEY)$", re.I)
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"  # PEM
    r"|\w+://[^/\s:@]*:[^/\s@]+@"  # a password in a URL
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JWT
    r"|\b(gh[pousr]|glpat|xox[abp])[_-]\w{10,}|\bAKIA[0-9A-Z]{16}\b"  # keys of public services
)
_HARMLESS = re.compile(r"true|false|\d{0,6}|/\S*", re.I)  # never a secret: a switch, a small number, a path
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
_ABOVE_SOCKETS = ("/", "/run", "/var", "/var/run", "/run/docker", "/run/containerd", "/run/podman")
_NAMESPACES = ("networkMode", "pidMode", "ipcMode", "usernsMode")


def _image(resource: Resource) -> Iterator[str]:
    key = {CONTAINER: "image", REMOTE_IMAGE: "name", OUR_IMAGE: "reference"}[resource.kind]
    reference = resource.inputs.get(key) or ""
    if resource.kind == OUR_IMAGE and reference.startswith("dive/") and resource.inputs.get("recipe"):
        return  # built from this checkout; the hash of its recipe is its version
    if not _exact(reference):
        yield f"{key} is {reference!r}; expected an exact version (postgres:18.1), a digest (…@sha256:…) or an image id"


def _exact(reference: str) -> bool:
    name, _, digest = reference.rpartition("@")
    if _ID.fullmatch(digest):
        return bool(name) or "@" not in reference
    last = reference.rpartition("/")[2]
    return bool(_EXACT.fullmatch(last.partition(":")[2]))


def _ports(resource: Resource) -> Iterator[str]:
    expected = resource.address or _LOOPBACK[0]
    for port in listed(resource.inputs.get("ports")):
        address = port.get("ip")
        if address in _EVERY or address not in (*_LOOPBACK, resource.address):
            found = "all addresses" if address in _EVERY else address
            yield f"port {port['internal']:g} is bound to {found}; expected {expected}"
    if resource.inputs.get("publishAllPorts"):
        yield f"publishAllPorts is true; expected individual ports on {expected}"


def _health(resource: Resource) -> Iterator[str]:
    tests = list(texts((resource.inputs.get("healthcheck") or {}).get("tests")))
    if len(tests) < 2 or tests[0] not in ("CMD", "CMD-SHELL"):
        yield f"healthcheck is {tests or 'not set'}; expected tests such as ['CMD', 'pg_isready']"


def _limits(resource: Resource) -> Iterator[str]:
    inputs = resource.inputs
    if not _positive(inputs.get("memory")):
        yield "memory is not limited; expected a number of megabytes"
    if not any(_positive(inputs.get(key)) for key in ("cpus", "cpuQuota")):
        yield "processor time is not limited; expected cpus or cpuQuota"


def _positive(value: Any) -> bool:
    try:
        return float(value or 0) > 0
    except ValueError:
        return False


def _privileges(resource: Resource) -> Iterator[str]:
    inputs = resource.inputs
    capabilities = inputs.get("capabilities") or {}
    if inputs.get("privileged"):
        yield "privileged is true; expected false"
    if "ALL" not in set(texts(capabilities.get("drops"))):
        yield "capabilities are not dropped; expected drops: [ALL]"
    if adds := texts(capabilities.get("adds")):
        yield f"capabilities {', '.join(adds)} are added; expected none"
    options = texts(inputs.get("securityOpts"))
    if not {"no-new-privileges", "no-new-privileges:true"} & set(options):
        yield "processes can gain privileges; expected securityOpts: [no-new-privileges:true]"
    if loose := [option for option in options if option.endswith(("unconfined", "label=disable", "label:disable"))]:
        yield f"securityOpts hold {', '.join(loose)}; expected the engine's default profiles"
    if (inputs.get("user") or "").partition(":")[0] in ("", "0", "root"):
        yield f"user is {inputs.get('user') or 'not set'}; expected a user other than root"
    for key in _NAMESPACES:
        if (inputs.get(key) or "").startswith(("host", "container:")):
            yield f"{key} is {inputs[key]}; expected a namespace of its own"
    if listed(inputs.get("devices")):
        yield "devices of the host are passed in; expected none"


def _host_paths(resource: Resource) -> Iterator[str]:
    for volume in listed(resource.inputs.get("volumes")):
        if volume.get("hostPath"):
            yield volume["hostPath"]
    for mount in listed(resource.inputs.get("mounts")):
        if mount.get("type") == "bind":
            yield mount.get("source") or ""


def _socket(resource: Resource) -> Iterator[str]:
    for path in _host_paths(resource):
        bare = path.rstrip("/") or "/"
        if bare.endswith(_SOCKETS) or bare in _ABOVE_SOCKETS:
            yield f"{path} of the host is mounted; expected no path to the engine's socket"


def _folders(resource: Resource) -> Iterator[str]:
    for path in _host_paths(resource):
        yield f"{path} of the host is mounted; expected a volume"


def _secrets(resource: Resource) -> Iterator[str]:
    """Yield the violations by name; the value is never shown."""
    for variable in texts(resource.inputs.get("envs")):
        name, _, value = variable.partition("=")
        named = _SECRET_NAME.search(name) and not _HARMLESS.fullmatch(value)
        if named or _secret(variable):
            yield f"the variable {name} holds a secret; expected a file, and its path in {name}_FILE"
    for key in ("command", "entrypoints"):
        if any(map(_secret, texts(resource.inputs.get(key)))):
            yield f"the {key} holds a secret; expected a file"
    for label in listed(resource.inputs.get("labels")):
        if _secret(label.get("value") or ""):
            yield f"the label {label.get('label')} holds a secret; expected a file"


def _secret(text: str) -> bool:
    return isinstance(text, SecretText) or bool(_SECRET_VALUE.search(text))


def _root(resource: Resource) -> Iterator[str]:
    if not resource.inputs.get("readOnly"):
        yield "the root file system is writable; expected readOnly: true, and tmpfs for directories that need writing"


def _restart(resource: Resource) -> Iterator[str]:
    if resource.inputs.get("restart") in (None, "", "no"):
        yield "restart is not set; expected unless-stopped, always or on-failure"


def _unsupported(resource: Resource) -> Iterator[str]:
    yield f"{resource.kind} is outside these rules; expected a Container, with its image as a RemoteImage"


RULES = (
    Rule(
        "image-exact",
        "An image is named by an exact version, a digest or its id.",
        "Only then does the reviewed image run: a moving tag changes the program without a change here.",
        (CONTAINER, REMOTE_IMAGE, OUR_IMAGE),
        _image,
    ),
    Rule(
        "ports-on-one-address",
        "A port is published on the loopback address alone, or on the one that `dive:address` names.",
        "A port on all addresses is open to the network, because Docker bypasses the host's firewall.",
        (CONTAINER,),
        _ports,
    ),
    Rule(
        "health-check",
        "A container has a health check.",
        "Without one, a container counts as deployed even if its service does not work.",
        (CONTAINER,),
        _health,
    ),
    Rule(
        "limits",
        "A container's memory and processor time are limited.",
        "A runaway service must not take down the country's other services.",
        (CONTAINER,),
        _limits,
    ),
    Rule(
        "no-privileges",
        "A container has no privileges: no root, no capabilities, no namespace of the host, no way to gain more.",
        "An attacker in one service must not be able to go further.",
        (CONTAINER,),
        _privileges,
    ),
    Rule(
        "no-engine-socket",
        "No container reaches the engine's socket.",
        "Access to the engine is root on the host, and exposes the secrets of every country on it.",
        (CONTAINER,),
        _socket,
    ),
    Rule(
        "no-plain-secret",
        "No variable, command or label of a container holds a secret.",
        "All three appear in the state, in `docker inspect` and in crash reports; a file of mode 0400 does not.",
        (CONTAINER,),
        _secrets,
    ),
    Rule(
        "judged-kinds",
        "Everything that runs is declared as a container.",
        "Swarm services, engine plugins and images built during a deployment would bypass every rule here.",
        UNSUPPORTED,
        _unsupported,
    ),
    Rule(
        "no-host-folders",
        "A container mounts volumes, not host folders.",
        "A host folder ties the service to one host and can change unnoticed. Some tools need one, hence a warning.",
        (CONTAINER,),
        _folders,
        "advisory",
    ),
    Rule(
        "read-only-root",
        "A container's root file system is read-only.",
        "An attacker cannot persist changes. Not every image supports it, hence a warning.",
        (CONTAINER,),
        _root,
        "advisory",
    ),
    Rule(
        "restart",
        "A container restarts after a crash and after a reboot of the host.",
        "Otherwise a power cut stops the service until someone acts. A container that runs once needs none: a warning.",
        (CONTAINER,),
        _restart,
        "advisory",
    ),
)
