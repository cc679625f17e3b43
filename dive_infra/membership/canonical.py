"""JSON with exactly one form: the bytes that are signed, the text of a file, and the one reader of such files.

A file is accepted only as it was written, byte for byte; a changed space is refused like a changed value.
"""

import json
from collections import Counter
from typing import Any

from dive_infra.membership.refusals import Malformed, Source
from dive_infra.results.text import printable

LIMIT = 1024 * 1024  # bytes: a member takes some 3 KiB of a document


class _NotAccepted(ValueError):
    """JSON that this reader refuses, in words that follow a file's name."""


def canonical(value: object) -> bytes:
    """Return `value` as JSON in UTF-8: sorted keys, no spaces. It may hold anything of JSON except fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def text(value: object) -> str:
    """Return `value` as the text of a file: as `canonical`, in lines for people."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def read(content: bytes, source: Source) -> dict[str, Any]:
    """Return the object in a file that `text` wrote.

    Raises `Malformed` for more than 1 MiB, other encodings, repeated keys, fractions, anything but an object, and any
    other form of the same object.
    """
    if len(content) > LIMIT:
        raise Malformed(f"{source.name} has {len(content)} bytes", source.remedy, expected=f"at most {LIMIT}")
    try:
        value = json.loads(content.decode(), object_pairs_hook=_object, parse_float=_fraction, parse_constant=_fraction)
        same = text(value).encode() == content
    except UnicodeError:
        found = "is not UTF-8"
    except json.JSONDecodeError as error:
        found = f"is not JSON (line {error.lineno}, column {error.colno})"
    except _NotAccepted as error:
        found = str(error)
    except (ValueError, RecursionError):
        found = "is not usable JSON"
    else:
        if isinstance(value, dict) and same:
            return value
        found = "holds no JSON object"
        if isinstance(value, dict):
            found = "has other spaces, line ends, escapes or order of keys than a signed file"
    raise Malformed(f"{source.name} {found}", source.remedy, expected="a signed file, byte for byte")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    [(repeated, _)] = Counter(key for key, _ in pairs).most_common(1)
    raise _NotAccepted(f"has the key {printable(repeated)} twice")


def _fraction(number: str) -> Any:
    raise _NotAccepted(f"holds the number {number[:20]}, and only whole numbers are accepted")
