"""The inputs of a resource as the engine sends them, read into values in which secrets and unknowns are marked."""

from collections.abc import Iterator
from typing import Any

from policy.rule import SecretText, UnknownValue

# Constants of the engine's protocol: sdk/go/common/resource/{properties,plugin/rpc}.go.
_SIGN = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWNS = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a boolean
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # a text
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # a list
    "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
    "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
}


class Unknown:
    """A placeholder for a value that the engine does not know yet."""


class Fields(dict[str, Any]):
    """Named values; reading an unknown one raises `UnknownValue`."""

    def __getitem__(self, key: str) -> Any:
        return _known(key, super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        return _known(key, super().get(key, default))


class Items(list[Any]):
    """A list of values; reaching an unknown one raises `UnknownValue`."""

    def __iter__(self) -> Iterator[Any]:
        for number, value in enumerate(super().__iter__()):
            yield _known(str(number), value)


def _known(key: str, value: Any) -> Any:
    if isinstance(value, Unknown):
        raise UnknownValue(key)
    return value


def read(value: Any, secret: bool = False) -> Any:
    """Return a value of the protocol (of JSON's types) as a rule sees it."""
    if isinstance(value, dict):
        if value.get(_SIGN) in (_SECRET, _OUTPUT):
            marked = secret or value[_SIGN] == _SECRET or bool(value.get("secret"))
            return read(value["value"], marked) if "value" in value else Unknown()
        return Fields((key, read(inner, secret)) for key, inner in value.items())
    if isinstance(value, list):
        return Items(read(inner, secret) for inner in value)
    if isinstance(value, str):
        return Unknown() if value in UNKNOWNS else SecretText(value) if secret else value
    return value
