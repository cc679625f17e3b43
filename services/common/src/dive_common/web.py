"""What the endpoints of all services share: the caller's address, new ids, and JSON that no one caches."""

from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse


def source_ip(request: Request) -> str:
    return request.client.host if request.client else ""


def new_id() -> str:
    return str(uuid4())


def uncached(body: object) -> JSONResponse:
    return JSONResponse(body, headers={"Cache-Control": "no-store"})
