"""Pulumi's environment on this machine: backend, passphrase, tools on PATH."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dive_infra.automation import stack_config
from dive_infra.config import environment as variables
from dive_infra.config import paths
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy
from dive_infra.toolchain.toolchain import Toolchain

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
_NO_PROXY = ("NO_PROXY", "no_proxy")


def pulumi_home() -> Path:
    """Return the folder in which Pulumi keeps its plugins."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


class StateError(DiveError):
    """The passphrase of a state or the folder of the stack files is missing."""


def passphrase_file() -> Path:
    """Return the file with this checkout's passphrase; creates it with mode 0600.

    Raises `StateError` if it is missing although a stack file is encrypted with it.
    """
    path = paths.HOME / "passphrase"
    if not path.exists():
        salted = [p.name for p in paths.STACKS.glob("Pulumi.*.yaml") if "encryptionsalt:" in p.read_text()]
        if salted:
            raise StateError(
                f".dive/{path.name} is missing, but {', '.join(sorted(salted))} is encrypted with it",
                Remedy.decide(
                    "restore it or set PULUMI_CONFIG_PASSPHRASE; to start over, remove the line `encryptionsalt` there"
                ),
            )
        paths.HOME.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path


def _keep_project() -> None:
    """Copy this checkout's `Pulumi.yaml` beside stack files elsewhere: Pulumi requires it there."""
    if paths.STACKS == paths.ROOT:
        return
    if not paths.STACKS.is_dir():
        raise StateError(
            f"{variables.STACKS} is {paths.STACKS}, which is not a folder",
            Remedy.decide(f"mkdir -p {paths.STACKS}, or unset {variables.STACKS}"),
            expected="one with stack files such as Pulumi.fra.yaml",
        )
    here, there = paths.ROOT / "Pulumi.yaml", paths.STACKS / "Pulumi.yaml"
    if not there.exists() or there.read_bytes() != here.read_bytes():
        there.write_bytes(here.read_bytes())


def environment(
    toolchain: Toolchain, engine: Mapping[str, str], given: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables to add to `given`, those of the engine among them; a backend and passphrase are kept."""
    _keep_project()
    added = tools(toolchain, given)
    if not given.get("PULUMI_BACKEND_URL"):
        state = paths.HOME / "state"
        paths.HOME.mkdir(mode=0o700, exist_ok=True)
        state.mkdir(exist_ok=True)
        added["PULUMI_BACKEND_URL"] = state.as_uri()
    if not _has_passphrase(given):
        added["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file())
    return added | dict(engine)


def reading(given: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """Return the variables for reading an existing state, None if none exists; creates nothing."""
    state, passphrase = paths.HOME / "state", paths.HOME / "passphrase"
    added: dict[str, str] = {}
    if not given.get("PULUMI_BACKEND_URL"):
        if not state.exists():
            return None
        added["PULUMI_BACKEND_URL"] = state.as_uri()
    if not _has_passphrase(given):
        # Without a passphrase the state may be encrypted with a cloud key; if not, Pulumi says so.
        added |= {"PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase)} if passphrase.exists() else {}
    return added


def _has_passphrase(given: Mapping[str, str]) -> bool:
    return "PULUMI_CONFIG_PASSPHRASE" in given or bool(given.get("PULUMI_CONFIG_PASSPHRASE_FILE"))


def _past_the_proxy(given: Mapping[str, str]) -> dict[str, str]:
    """Return `NO_PROXY` with the places of our countries, if there is a proxy: the plugin for Keycloak heeds it."""
    if not any(given.get(name) for name in _PROXIES):
        return {}
    known = next((given[name] for name in _NO_PROXY if given.get(name)), "")
    listed = ",".join(dict.fromkeys([*filter(None, known.split(",")), ".localhost", *stack_config.places()]))
    return dict.fromkeys(_NO_PROXY, listed)


def tools(toolchain: Toolchain, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables with which Pulumi and its subprocesses find their tools."""
    added = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    if "PULUMI_OPTION_POLICY_PACK" not in given:  # every preview and update is checked; empty disables it
        added["PULUMI_OPTION_POLICY_PACK"] = str(paths.ROOT / "policy")
    # Images often set it; each of the three Pythons of an update would then recompile some 900 files, two seconds.
    added["PYTHONDONTWRITEBYTECODE"] = ""
    # Without it the engine diffs one live resource at a time.
    added["PULUMI_PARALLEL_DIFF"] = given.get("PULUMI_PARALLEL_DIFF", "true")
    added |= _past_the_proxy(given)
    if toolchain.source == "built":
        added["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    # The environment comes first: older language hosts take the first `python3` on PATH.
    ours = [str(paths.ROOT / ".venv" / "bin"), *map(str, toolchain.bin_dirs)]
    rest = [p for p in given.get("PATH", "").split(os.pathsep) if p not in ours]
    added["PATH"] = os.pathsep.join([*ours, *rest])
    return added
