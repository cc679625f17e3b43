"""The stack files of a coalition: what a new country's says, and its place in the hub's."""

import io
import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from dive_infra.config.countries import Country
from dive_infra.config.naming import DEFAULT_NAMESPACE
from dive_infra.config.settings import PROJECT, Settings, load

_SPOKES = f"{PROJECT}:spokes"


def spoke_file(hub: Settings, country: Country) -> str:
    """The text of `Pulumi.<code>.yaml`: the hub's stack, and what all countries of a coalition share with the hub.

    Raises `SettingsError` when the country can't be what these settings say.
    """
    names = hub.names.of(country)
    settings: dict[str, Any] = {f"{PROJECT}:hub": f"organization/{PROJECT}/{hub.country.lower()}"}
    if hub.namespace != DEFAULT_NAMESPACE:
        settings[f"{PROJECT}:namespace"] = hub.namespace
    if hub.domain:
        settings[f"{PROJECT}:domain"] = hub.domain
    if own := hub.partner_ports.get(country.code):  # the hub knows them already
        settings[f"{PROJECT}:ports"] = own
    if hub.ports:
        settings[f"{PROJECT}:partnerPorts"] = {hub.country: hub.ports}
    load(country.lower, settings)
    title = f"# {country.name} ({country.code}): {names.url('frontend')}\n"
    return title + _dump({"config": settings}, _yaml())


def approves(text: str, code: str) -> bool:
    """Whether the hub's stack file approves a country."""
    return code in _spokes(YAML(typ="safe").load(text))


def approving(text: str, code: str) -> str:
    """The hub's stack file with one more country in `dive:spokes`; everything else stays as it is, comments too."""
    yaml = _yaml(text)
    data = yaml.load(text)
    data = {} if data is None else data
    if data.get("config") is None:
        data["config"] = {}
    config = data["config"]
    known = config.get(_SPOKES)
    if isinstance(known, list):
        known.append(code)
    else:  # not there yet, or JSON as `pulumi config set` writes it
        spokes = [*_spokes(data), code]
        config[_SPOKES] = json.dumps(spokes) if isinstance(known, str) else spokes
    return _dump(data, yaml)


def _spokes(data: Mapping[str, Any] | None) -> list[str]:
    found = ((data or {}).get("config") or {}).get(_SPOKES) or []
    return json.loads(found) if isinstance(found, str) else list(found)


def _yaml(text: str = "") -> YAML:
    """A reader and writer that keeps comments, quotes and the indentation of `text`."""
    mapping = re.search(r"^( +)[^\s#-]", text, re.MULTILINE)
    items = re.search(r"^( *)[^\s#-][^\n]*:[^\S\n]*\n(?: *#[^\n]*\n)*( *)- ", text, re.MULTILINE)
    offset = len(items[2]) - len(items[1]) if items else 0
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # no line is broken that was not
    yaml.indent(mapping=len(mapping[1]) if mapping else 2, sequence=offset + 2, offset=offset)
    return yaml


def _dump(data: Mapping[str, Any], yaml: YAML) -> str:
    text = io.StringIO()
    yaml.dump(data, text)
    return text.getvalue()
