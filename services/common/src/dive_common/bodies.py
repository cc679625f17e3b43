"""How large a request's body may be. It is held in memory and read before its sender is known, so it must be small."""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dive_common import problems

LARGEST_BODY = 64 * 1024  # bytes


class LimitedBodies:
    """Answers 413 to a larger body: before the application runs if its length is declared, otherwise while it is read.

    The application must answer `HttpProblem`, which its `receive` raises.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif int(Headers(scope=scope).get("content-length", "0")) > LARGEST_BODY:  # the server has checked its form
            await problems.answer(Request(scope), problems.too_large(LARGEST_BODY))(scope, receive, send)
        else:
            await self._app(scope, _limited(receive), send)


def _limited(receive: Receive) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            raise problems.too_large(LARGEST_BODY)
        return message

    return counted
