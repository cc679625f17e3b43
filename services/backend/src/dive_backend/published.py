"""What the country publishes, as others have signed it: its status, and at the hub the coalition document.

Anyone may read both, and verifies the signature.
"""

from pathlib import Path
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dive_common.problems import not_found, unavailable

_COLLECTION, _STATUS = "published", "status"


class Published:
    """The endpoints below `/.well-known/`; `coalition` is the file with the document, at the hub."""

    def __init__(self, database: Database[dict[str, Any]], coalition: Path | None) -> None:
        self._database, self._coalition = database, coalition

    def routes(self) -> list[Route]:
        found = [Route("/.well-known/dive-status", self.status)]
        if self._coalition:
            found.append(Route("/.well-known/dive-coalition", self.coalition))
        return found

    def status(self, _: Request) -> Response:
        try:
            found = self._database[_COLLECTION].find_one({"_id": _STATUS})
        except PyMongoError as error:
            raise unavailable("mongodb", error) from error
        if not found:
            raise not_found("the status of this country", "one that its deployment has published")
        return _answer(str(found["content"]))

    def coalition(self, _: Request) -> Response:
        assert self._coalition  # else there is no such route
        try:
            return _answer(self._coalition.read_text())
        except OSError as error:
            raise unavailable("coalition document", error) from error


def _answer(content: str) -> Response:
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-cache"})
