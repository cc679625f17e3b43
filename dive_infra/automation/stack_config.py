"""The stack files of a coalition (`Pulumi.fra.yaml`): which exist, what they declare, and how a country is added."""

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml
from ruamel.yaml import YAML

from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES, HUB_CODE, Country, parse
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.config.environment import STACKS
from dive_infra.config.naming import DEFAULT_NAMESPACE
from dive_infra.config.settings import PROJECT, Settings, SettingsError, load
from dive_infra.results.remedy import Remedy

_SECRETS = f"{PROJECT}:secrets"
_ENGINE, _CERTIFICATES = f"{PROJECT}:engine", f"{PROJECT}:engineCertificates"
_PLACES = re.compile(rf"""(?m)^\s+{PROJECT}:(domain|address):\s*["']?([a-z0-9.-]+)""")


def country_codes(wanted: Iterable[str]) -> list[str]:
    """Return the codes in capitals, each once, the hub first; raises `UnknownCountry`."""
    codes = dict.fromkeys(parse(code.upper()).code for code in wanted)
    return sorted(codes, key=lambda code: code != HUB_CODE)  # the others in the order given


def all_codes() -> list[str]:
    """Return the codes of all countries with a stack file, the hub first."""
    stacks = [path.name.split(".")[1].upper() for path in paths.STACKS.glob("Pulumi.*.yaml")]
    return sorted((c for c in stacks if c in COUNTRIES), key=lambda code: (code != HUB_CODE, code))


def places() -> list[str]:
    """Return the domains that the stack files name, each after a dot, and the addresses; what cannot be read has none.

    These are the forms of `NO_PROXY`.
    """
    texts = (path.read_text(errors="replace") for path in paths.STACKS.glob("Pulumi.*.yaml"))
    found = {place for text in texts for place in _PLACES.findall(text)}
    return sorted(f".{value}" if key == "domain" else value for key, value in found)


def engine() -> EngineSelection:
    """Return the engine that the stack files of this folder name; a process works with one.

    Files that cannot be read name none here. Raises `SettingsError` if the others differ, or name it wrongly.
    """
    texts = {path.name: path.read_text(errors="replace") for path in map(paths.stack_file, map(str.lower, all_codes()))}
    if not any(_ENGINE in text for text in texts.values()):  # reading YAML takes longer than the rest of a start
        return EngineSelection()
    found = {name: named for name, text in texts.items() if (named := _engine_of(text))}
    if len({*found.values()}) > 1:
        raise SettingsError(
            f"{_ENGINE} differs: {'; '.join(f'{name}: {named}' for name, named in found.items())}",
            Remedy.decide(f"take one checkout, or one {STACKS} folder, for each engine"),
            expected="the same in all stack files of a folder",
        )
    name, named = next(iter(found.items()), ("", EngineSelection()))
    if named.flaw:
        raise SettingsError(f"{name}: {PROJECT}:{named.flaw}")
    return named


def _engine_of(text: str) -> EngineSelection | None:
    try:
        config = (yaml.safe_load(text) or {}).get("config") or {}
        return EngineSelection(str(config.get(_ENGINE) or ""), str(config.get(_CERTIFICATES) or ""))
    except (yaml.YAMLError, AttributeError):
        return None


def read_settings(code: str) -> Settings:
    """Return the settings that the stack file of a country declares, without its secrets; raises `SettingsError`."""
    path = paths.stack_file(code.lower())
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        present = ", ".join(sorted(p.name for p in paths.STACKS.glob("Pulumi.*.yaml"))) or "none"
        raise SettingsError(
            f"{path.name} does not exist, so {code} is not a country of this coalition; found {present}",
            Remedy.run(f"./dive new {code}"),
        ) from None
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path.name} cannot be read as YAML: {error}") from None
    configuration = content.get("config") or {}
    # Encrypted here; the program decrypts and checks them.
    return load(code.lower(), {key: value for key, value in configuration.items() if key != _SECRETS})


def file_text(hub: Settings | None, country: Country) -> str:
    """Return the text of a new `Pulumi.<code>.yaml`, with the settings shared by the coalition if its hub is known.

    It has the engine of the other stack files here. Raises `SettingsError` if the country cannot be added with these
    settings.
    """
    shared = engine()
    given = {_ENGINE: shared.address, _CERTIFICATES: shared.certificates}
    settings: dict[str, Any] = {key: value for key, value in given.items() if value}
    if hub and hub.test_users:
        settings[f"{PROJECT}:testUsers"] = True
    if hub and hub.namespace != DEFAULT_NAMESPACE:
        settings[f"{PROJECT}:namespace"] = hub.namespace
    if hub and hub.domain:
        settings[f"{PROJECT}:domain"] = hub.domain
    if hub and hub.address:
        settings[f"{PROJECT}:address"] = hub.address
    names = load(country.lower, settings).names
    title = f"# {country.name} ({country.code}): {names.url('frontend')}\n"
    return title + _dump({"config": settings}, _yaml())


def approves(text: str, code: str) -> bool:
    """Return True if the hub's stack file approves the country."""
    return code in _listed(YAML(typ="safe").load(text), "spokes")


def added(text: str, key: str, code: str) -> str:
    """Return a stack file with one more country in the list `dive:<key>`; comments and layout are kept."""
    return _changed(text, key, lambda codes: codes.append(code))


def removed(text: str, key: str, code: str) -> str:
    """Return a stack file with one country less in the list `dive:<key>`; comments and layout are kept."""
    return _changed(text, key, lambda codes: codes.remove(code))


def replaced(text: str, key: str, values: Sequence[int]) -> str:
    """Return a stack file with other values in the list `dive:<key>`; comments and layout are kept."""

    def change(found: list[Any]) -> None:
        found[:] = values

    return _changed(text, key, change)


def _changed(text: str, key: str, change: Callable[[list[Any]], None]) -> str:
    writer = _yaml(text)
    data = writer.load(text)
    data = {} if data is None else data
    if data.get("config") is None:
        data["config"] = {}
    config, name = data["config"], f"{PROJECT}:{key}"
    known = config.get(name)
    # Otherwise it is missing, or JSON as `pulumi config set` writes it.
    codes = known if isinstance(known, list) else _listed(data, key)
    change(codes)
    if codes:
        config[name] = json.dumps(codes) if isinstance(known, str) else codes
    else:
        del config[name]
    return _dump(data, writer)


def _listed(data: Mapping[str, Any] | None, key: str) -> list[str]:
    found = ((data or {}).get("config") or {}).get(f"{PROJECT}:{key}") or []
    return json.loads(found) if isinstance(found, str) else list(found)


def _yaml(text: str = "") -> YAML:
    """Return a reader and writer that keeps comments, quotes and the indentation of `text`."""
    mapping = re.search(r"^( +)[^\s#-]", text, re.MULTILINE)
    items = re.search(r"^( *)[^\s#-][^\n]*:[^\S\n]*\n(?: *#[^\n]*\n)*( *)- ", text, re.MULTILINE)
    offset = len(items[2]) - len(items[1]) if items else 0
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 4096  # no line is wrapped
    writer.indent(mapping=len(mapping[1]) if mapping else 2, sequence=offset + 2, offset=offset)
    return writer


def _dump(data: Mapping[str, Any], writer: YAML) -> str:
    text = io.StringIO()
    writer.dump(data, text)
    return text.getvalue()
