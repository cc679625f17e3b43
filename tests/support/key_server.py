"""A stand-in for Keycloak that knows key providers alone, and generates a key for each that is created."""

import base64
from itertools import count
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.identity.comparison import Live
from dive_infra.identity.key_providers import TYPE, shipped
from dive_infra.identity.keycloak_admin import NotFound

Json = dict[str, Any]


class KeyServer:
    """Usable as an admin session. It starts with the realms of `names`, as Keycloak ships them."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.providers: dict[str, list[Json]] = {}
        self.writes: list[str] = []
        self._numbers = count(1)
        for realm, providers in shipped(names).items():
            self.providers[realm] = []
            for provider in providers.values():
                self.post(f"/realms/{realm}/components", {**provider, "parentId": f"id of {realm}"})

    def __enter__(self) -> "KeyServer":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, path: str, **query: str) -> Any:
        realm, _, rest = path.removeprefix("/realms/").partition("/")
        if realm not in self.providers:
            raise NotFound(path)
        if rest == "keys":
            return {"keys": [provider["key"] for provider in self.providers[realm]]}
        if rest == "components":
            assert query == {"type": TYPE}
            return list(self.providers[realm])
        assert not rest
        return {"id": f"id of {realm}"}

    def post(self, path: str, body: Json) -> str:
        realm, _, rest = path.removeprefix("/realms/").partition("/")
        assert rest == "components"
        assert body["parentId"] == f"id of {realm}"
        assert not body["config"].keys() & {"privateKey", "secret"}
        number = next(self._numbers)
        self.providers[realm].append({**body, "id": f"component-{number}", "key": self._key(number, body["name"])})
        self.writes.append(f"create {realm}/{body['name']}")
        return f"component-{number}"

    def delete(self, path: str) -> None:
        realm, _, rest = path.removeprefix("/realms/").partition("/")
        gone = next(c for c in self.providers[realm] if c["id"] == rest.removeprefix("components/"))
        self.providers[realm].remove(gone)
        self.writes.append(f"delete {realm}/{gone['name']}")

    def replace(self, realm: str, name: str, **values: str) -> str:
        """Put another key in the place of a provider's; return its id."""
        provider = next(c for c in self.providers[realm] if c["name"] == name)
        provider["key"] = {**self._key(next(self._numbers), name), "providerId": provider["id"], **values}
        return str(provider["key"]["kid"])

    @property
    def live(self) -> Live:
        exports = {realm: {"components": {TYPE: providers}} for realm, providers in self.providers.items()}
        return Live(tuple(self.providers), exports, {})

    @staticmethod
    def _key(number: int, name: str) -> Json:
        key = {"providerId": f"component-{number}", "kid": f"kid-{number}", "status": "ACTIVE", "use": "SIG"}
        if name.startswith("rsa"):
            return {**key, "algorithm": "RS256", "publicKey": base64.b64encode(f"public {number}".encode()).decode()}
        return {**key, "algorithm": "HS512"}
