"""A rule, what it sees of a resource, and how it judges one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


class UnknownValue(Exception):
    """A rule reads a value that only the update will know; the message is its name."""


class SecretText(str):
    """A text that the program marked as secret: rules may read it, messages never show it."""

    __slots__ = ()

    def __str__(self) -> str:
        return "[secret]"

    def __repr__(self) -> str:
        return str(self)

    def __format__(self, form: str) -> str:
        return str(self)


@dataclass(frozen=True)
class Resource:
    """A resource as the engine registers it; `inputs` have their names on the wire (`validRedirectUris`).

    Reading a value that is still unknown raises `UnknownValue`; secret texts are `SecretText`.
    `disposable`: the stack's data may be lost (setting `dive:disposable`). `address`: where the stack's services are
    published, if not on loopback (setting `dive:address`).
    """

    kind: str
    inputs: Mapping[str, Any]
    protect: bool = False
    disposable: bool = False
    address: str = ""


@dataclass(frozen=True)
class Rule:
    """`find` yields each violation in a resource of one of `kinds` as "found; expected"."""

    name: str
    description: str
    reason: str
    kinds: Sequence[str]
    find: Callable[[Resource], Iterator[str]]
    level: Literal["mandatory", "advisory"] = "mandatory"


@dataclass(frozen=True)
class Judgement:
    """`undecided`: why the rule can only be judged by the update."""

    violations: Sequence[str] = ()
    undecided: str = ""


def judge(rule: Rule, resource: Resource) -> Judgement:
    """Return the violations of a rule; those found before an unknown value count too."""
    violations: list[str] = []
    try:
        violations += rule.find(resource) if resource.kind in rule.kinds else ()
    except UnknownValue as value:
        return Judgement(violations, f"{value} is still unknown; the update judges this rule")
    return Judgement(violations)


def listed(value: Any) -> Sequence[Any]:
    """Return a list input; empty if it is not given."""
    return value or []


def texts(value: Any) -> Sequence[str]:
    """Return a list of texts, given as a list or as a single text.

    Take `set(…)` of it before a membership test, so that each item is read and an unknown one raises.
    """
    return [value] if isinstance(value, str) else listed(value)
