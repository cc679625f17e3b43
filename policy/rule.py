"""What a rule is, what it sees of a resource, and how it is judged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


class NotKnownYet(Exception):
    """A rule looks at a value that only the update will know."""


class SecretText(str):
    """A text that the program marked as secret: it is looked at, and never shown."""

    __slots__ = ()

    def __str__(self) -> str:
        return "[secret]"

    def __repr__(self) -> str:
        return str(self)

    def __format__(self, form: str) -> str:
        return str(self)


@dataclass(frozen=True)
class Resource:
    """A resource as the engine registers it; `inputs` by their names on the wire (`validRedirectUris`).

    Looking at a value that is not known yet raises `NotKnownYet`; secret texts are `SecretText`.
    `disposable`: the stack says that its data may go (`dive:disposable`).
    """

    kind: str
    inputs: Mapping[str, Any]
    protect: bool = False
    disposable: bool = False


@dataclass(frozen=True)
class Rule:
    """`find` yields what is wrong with a resource of one of `kinds`: what was found, and what was expected."""

    name: str
    description: str
    reason: str
    kinds: Sequence[str]
    find: Callable[[Resource], Iterator[str]]
    level: Literal["mandatory", "advisory"] = "mandatory"


@dataclass(frozen=True)
class Judgement:
    """`undecided`: why the rule cannot be judged before the update."""

    violations: Sequence[str] = ()
    undecided: str = ""


def judge(rule: Rule, resource: Resource) -> Judgement:
    """What was found before a value that is not known yet counts all the same."""
    violations: list[str] = []
    try:
        violations += rule.find(resource) if resource.kind in rule.kinds else ()
    except NotKnownYet as value:
        return Judgement(violations, f"{value} is known in the update only, which judges it")
    return Judgement(violations)


def listed(value: Any) -> Sequence[Any]:
    """A list input; empty where it is not given."""
    return value or []


def texts(value: Any) -> Sequence[str]:
    """A list of texts, or a single one. `set(…)` before asking whether one is in it: that looks at each."""
    return [value] if isinstance(value, str) else listed(value)
