"""End a partner's access to a deployed country at once, before an update removes what the country had declared of it.

What is done is what that update would do as well: the live files of the services without the partner, and the own side
of the link in the realm ended.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dive_infra import engines
from dive_infra.automation.stack_state import plaintext
from dive_infra.catalog.applications import PARTNERS
from dive_infra.catalog.policy import MEMBERS
from dive_infra.checks.spec import ConfigurationSpec
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import REALM_REQUEST
from dive_infra.identity import users
from dive_infra.identity.departure import end_link
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin
from dive_infra.results.errors import DiveError

_LIVE_FILES = "dynamic/dive:LiveFiles"


def cut_off(state: Mapping[str, Any], spec: ConfigurationSpec, partners: Sequence[Names]) -> list[DiveError]:
    """End the access of all `partners` that are cut off, everywhere at the same time; return what failed.

    `state` is the exported state of the country, with secrets in plain text, which may be older than one that is cut
    off already; `spec` is what its CONFIGURATION declared.
    """
    ends: list[Callable[[], object]] = [lambda: _in_the_realm(spec, partners)]
    ends += [_writing(files, partners) for files in _live_files(state)]
    failed: list[DiveError] = []
    with ThreadPoolExecutor(len(ends)) as side_by_side:
        for end in [side_by_side.submit(end) for end in ends]:
            try:
                end.result()
            except DiveError as error:
                failed.append(error)
    return failed


def _in_the_realm(spec: ConfigurationSpec, partners: Sequence[Names]) -> None:
    access = KeycloakAccess.of(spec.names, spec.ca, spec.keycloak)
    with KeycloakAdmin(access, REALM_REQUEST) as admin:
        for partner in partners:
            end_link(admin, spec.names, partner)
            users.remove(admin, spec.names, [users.probe(spec.names, partner.country)])  # whose password it knows


def _live_files(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in (state.get("deployment") or {}).get("resources") or []:
        if str(resource["type"]).endswith(_LIVE_FILES):
            yield plaintext(resource["outputs"])


def _writing(files: Mapping[str, Any], partners: Sequence[Names]) -> Callable[[], object]:
    contents = dict(files["contents"])
    for partner in partners:
        contents = {path: without(partner, path, text) for path, text in contents.items()}
    volume, owner = str(files["volume"]), int(files["owner"])
    return lambda: engines.connect().write_files(volume, contents, owner, files["declared"], files["live"])


def without(partner: Names, path: str, text: str) -> str:
    """Return the text of a live file without a partner; a file that names no partner is left as it is."""
    code = partner.country.code
    if path == PARTNERS:
        found = json.loads(text)
        found["partners"] = [row for row in found["partners"] if row["code"] != code]
        found["identityOrigins"] = [url for url in found["identityOrigins"] if url != partner.url("keycloak")]
    elif path == MEMBERS:
        found = {member: key for member, key in json.loads(text).items() if member != code}
    else:
        return text
    return json.dumps(found, indent=1)
