"""All rules, and their table in docs/reference/policies.md."""

from policy import containers, data, identity
from policy.rule import Rule

RULES: tuple[Rule, ...] = (*containers.RULES, *identity.RULES, *data.RULES)


def table() -> str:
    """Return the rules as a Markdown table, the mandatory ones first."""
    rows = [
        f"| `{rule.name}` | {level} | {rule.description} | {rule.reason} | {', '.join(map(_short, rule.kinds))} |"
        for level in ("mandatory", "advisory")
        for rule in RULES
        if rule.level == level
    ]
    return "\n".join(["| rule | level | requirement | reason | resources |", "|---|---|---|---|---|", *rows]) + "\n"


def _short(kind: str) -> str:
    """Return the short name of a resource type: `docker:index/container:Container` -> `docker Container`."""
    package, _, name = kind.replace("pulumi-python:dynamic/", "").partition(":")
    return f"{package} {name.rpartition(':')[2]}"
