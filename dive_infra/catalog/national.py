"""The rules of a country: Rego files in a folder that its stack file names, one check each.

They belong to the declaration of the country, and reach its OPA with OPA's own files (`catalog.policy`).
"""

import re
from pathlib import Path

from dive_infra.config import paths
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import UP, Remedy

PACKAGE = "national.checks"
_CODE = re.compile(r"[a-z][a-z0-9_]*")
_TESTS = "_test"


class RulesRefused(DiveError):
    """The rules of a country cannot be deployed; the message names the file, what was found and what was expected."""


def refused(where: str, found: str, expected: str) -> RulesRefused:
    remedy = Remedy.decide(f"correct it as docs/how-to/add-national-rules.md says, then: {UP}")
    return RulesRefused(f"dive:rules: {where}: {found}", remedy, expected=expected)


def read(folder: str) -> dict[str, str]:
    """Return the rules below a folder beside the stack files, code -> module; none for an empty name.

    Tests (`…_test.rego`) are left out. Raise `RulesRefused` for a folder without rules, and for a file that is not one.
    """
    if not folder:
        return {}
    found = sorted(p for p in (paths.STACKS / folder).rglob("*.rego") if not p.stem.endswith(_TESTS))
    if not found:
        raise refused(folder, "no file *.rego", "a folder with rules beside the stack file, or no setting")
    return {path.stem: _rule(path, paths.STACKS / folder) for path in found}


def _rule(path: Path, folder: Path) -> str:
    name = str(path.relative_to(folder))
    if path.parent != folder or not _CODE.fullmatch(path.stem):
        raise refused(name, "is not the name of a rule", "<code>.rego in the folder itself, as night_shift.rego")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise refused(name, f"cannot be read ({error})", "a text that this user may read") from None
    statements = (line.strip() for line in text.splitlines())
    first = next((line for line in statements if line and not line.startswith("#")), "nothing")
    if first != (wanted := f"package {PACKAGE}.{path.stem}"):
        raise refused(name, first, f"{wanted} as its first statement")
    return text
