"""All rules, and the table of them for people (docs/reference/policies.md)."""

from policy import containers, data, identity
from policy.rule import Rule

RULES: tuple[Rule, ...] = (*containers.RULES, *identity.RULES, *data.RULES)


def table() -> str:
    """The rules as Markdown: the mandatory ones first."""
    rows = [
        f"| `{rule.name}` | {level} | {rule.description} | {rule.reason} | {', '.join(map(_short, rule.kinds))} |"
        for level in ("mandatory", "advisory")
        for rule in RULES
        if rule.level == level
    ]
    return "\n".join(["| rule | level | what it says | why | judges |", "|---|---|---|---|---|", *rows]) + "\n"


def _short(kind: str) -> str:
    """`docker:index/container:Container` -> `docker Container`."""
    package, _, name = kind.replace("pulumi-python:dynamic/", "").partition(":")
    return f"{package} {name.rpartition(':')[2]}"
