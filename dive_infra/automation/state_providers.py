"""Refusal of a state that would have Pulumi run a program that is not ours.

Pulumi starts the plugins that a state names, and the process of our providers loads each of them from the pickle in the
state. A pickle and a plugin may be any program, and nothing protects a state against those who may write it. So nothing
is loaded here: what the state holds is compared with what our program writes, byte by byte.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from dive_infra.config import providers
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import printable
from dive_infra.toolchain.toolchain import PLUGINS

_PLUGIN = "pulumi:providers:"
_PLUGINS = frozenset({*PLUGINS, "pulumi-python", "pulumi"})  # the last is in the engine: it reads other stacks
# Settings of a plugin with which it is another program, or starts one; the first four Pulumi's, the last of docker's.
_OTHER_PROGRAM = ("name", "parameterization", "pluginDownloadURL", "envVarMappings", "sshOpts")
_SHOWN = 3
_LENGTH = 60  # of a text that someone else has chosen


class ForeignProviders(DiveError):
    """A state holds providers that this program does not write."""


def refuse_foreign(stack: str, state: Mapping[str, Any]) -> None:
    """Raise `ForeignProviders` unless this program wrote every provider in an exported state. Runs nothing of it.

    `state` has its secrets in plain text: a provider that is encrypted in it is foreign, since ours are not secret.
    """
    found = foreign(state)
    if not found:
        return
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise ForeignProviders(
        f"the state of {stack} names programs that are not ours: {'; '.join(found[:_SHOWN])}{more}; "
        "nothing of them was run",
        Remedy.decide(
            "find out who can write this state, and restore one from before: "
            f"pulumi stack import -s {stack} --file BACKUP, then: ./dive up {stack.upper()}"
        ),
        expected="the providers of dive_infra/config/providers.py and the plugins of this version alone",
    )


def foreign(state: Mapping[str, Any]) -> list[str]:
    """Return the providers and plugins in an exported state that this program does not write, in words."""
    return list(dict.fromkeys(_foreign(state)))


def _foreign(state: Mapping[str, Any]) -> Iterator[str]:
    deployment = state.get("deployment") or {}
    pending = (operation["resource"] for operation in deployment.get("pending_operations") or [])
    for resource in (*(deployment.get("resources") or []), *pending):
        name, kind = resource["urn"].rpartition("::")[2], resource["type"]
        for values in (resource.get("inputs") or {}, resource.get("outputs") or {}):
            if kind.startswith(_PLUGIN):
                why = _foreign_plugin(kind.removeprefix(_PLUGIN), values)
            elif "__provider" in values:
                why = _foreign_provider(kind.rpartition(":")[2], values["__provider"])
            else:
                continue
            if why:
                yield f"{_short(name)} has {why}"


def _foreign_provider(resource: str, value: Any) -> str:
    """Return what a resource has instead of our provider, in words; empty if it is ours."""
    if isinstance(value, Mapping) and isinstance(value.get("plaintext"), str):  # a secret; JSON adds quotes alone
        value = value["plaintext"].removeprefix('"').removesuffix('"')
    if not isinstance(value, str):
        return (
            "an encrypted provider" if isinstance(value, Mapping) and "ciphertext" in value else "no text as provider"
        )
    if value in {base64.b64encode(pickle).decode() for pickle in providers.pickles(resource)}:
        return ""
    return f"the provider {_words(value)}"


def _foreign_plugin(package: str, values: Mapping[str, Any]) -> str:
    """Return the plugin, or the setting of it, that the program does not use; empty if there is none."""
    if package not in _PLUGINS:
        return f"the plugin {_short(package)}"
    internal = values.get("__internal")
    for settings in (values, internal if isinstance(internal, Mapping) else {}):
        for key in _OTHER_PROGRAM:
            if settings.get(key):
                return f"the setting {key} of the plugin {package}"
    return ""


def _words(encoded: str) -> str:
    """Return the first texts in a pickle, such as the module and the class that it names, without loading it."""
    import pickletools  # in a refusal alone: it takes longer than the check

    words: list[str] = []
    try:
        for _, argument, _ in pickletools.genops(base64.b64decode(encoded)):
            words += [_short(argument)] if isinstance(argument, str) else []
    except ValueError:
        words.append("no pickle")
    return " ".join(words[:_SHOWN]) or "without a name"


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LENGTH else f"{shown[:_LENGTH]}…"
