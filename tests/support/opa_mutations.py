"""Every line of every policy and every value of data that OPA shows, changed one at a time: from the live server.

A change counts if OPA takes it: it refuses those of its local modules.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

Call = Callable[..., httpx.Response]  # (method, path, **more), as the token's owner


@dataclass(frozen=True)
class Mutation:
    """A request that changes one thing, and the one that undoes it: method, path, and arguments of httpx.

    `told`: text that the finding on `subject` contains. `kind` groups the coverage.
    """

    kind: str
    name: str
    subject: str
    told: str
    change: tuple[str, str, dict[str, Any]]
    undo: tuple[str, str, dict[str, Any]]

    def apply(self, call: Call) -> bool:
        """Return whether OPA takes it."""
        method, path, more = self.change
        return call(method, path, **more).is_success

    def revert(self, call: Call) -> None:
        method, path, more = self.undo
        call(method, path, **more).raise_for_status()

    def reverted(self, call: Call) -> bool:
        """Return whether someone else undid it: OPAL writes feeds every few seconds, and lost policies."""
        method, path, more = self.change
        answer = call("GET", path)
        if method == "DELETE":
            return answer.is_success
        held = answer.json()["result"]
        if method == "PUT":
            return bool(held["raw"] != more["content"])
        [operation] = more["json"]
        for key in operation["path"].split("/")[1:]:
            held = held[int(key)] if isinstance(held, list) else held[key.replace("~1", "/").replace("~0", "~")]
        return bool(held != operation["value"])


def policies(call: Call) -> Iterator[Mutation]:
    """Return for each policy its removal, and for each of its lines one that comments it out."""
    for module in call("GET", "/v1/policies").json()["result"]:
        name, text = module["id"].lstrip("/"), module["raw"]
        path = f"/v1/policies/{name}"
        undo = ("PUT", path, {"content": text})
        removed = ("DELETE", path, dict[str, Any]())
        yield Mutation("policy", f"policy {name}: removed", "OPA's policies", f"{name} missing", removed, undo)
        lines = text.splitlines(keepends=True)
        for place, line in enumerate(lines):
            if line.strip():
                altered = "".join([*lines[:place], f"# {line}", *lines[place + 1 :]])
                change = ("PUT", path, {"content": altered})
                yield Mutation(
                    "line", f"policy {name}: line {place + 1}", "OPA's policies", f"{name} changed", change, undo
                )


def data(call: Call) -> Iterator[Mutation]:
    """Return for each value of each feed one that gives it another value."""
    modules = call("GET", "/v1/policies").json()["result"]
    packages = [[term["value"] for term in module["ast"]["package"]["path"][1:]] for module in modules]
    computed = {tuple(package[:2]) for package in packages}  # the values of rules, which no one can write
    for root, feeds in call("GET", "/v1/data").json()["result"].items():
        for feed, held in feeds.items():
            if (root, feed) not in computed:
                for path, value in _leaves(held):
                    url = f"/v1/data/{root}/{feed}"
                    change, undo = (_replaced(url, path, v) for v in (_other(value), value))
                    name = f"data {root}/{feed}{path}"
                    yield Mutation("value", name, "OPA's data", f"{root}/{feed} changed", change, undo)


def _replaced(url: str, path: str, value: Any) -> tuple[str, str, dict[str, Any]]:
    return "PATCH", url, {"json": [{"op": "replace", "path": path, "value": value}]}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return each value that holds no other, by its path (RFC 6901)."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{place}")
    else:
        yield path, value


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else "x"  # empty or null
