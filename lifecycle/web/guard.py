"""The door of every local page: on the loopback address only, for who knows the token, sent by no other site.

The token is Jupyter's way: once in the address, then in a cookie. ``Host`` and ``Sec-Fetch-Site`` are checked, so that
neither another name for this machine nor another page in the same browser gets in, and no page may run a script of its
own text.
"""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lifecycle.errors import LifecycleError, UsageError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; frame-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def _nothing() -> None:
    pass


class Guard:
    """Lets in who knows the token, comes through the loopback name, and was not sent by another site.

    Parameters
    ----------
    app : ASGI application
    token : str
        Asked for once in the address (``?token=``), then kept in a cookie; or sent as ``Authorization: token ...``.
    port : int
        Part of the ``Host`` that is accepted, and of the cookie's name.
    name : str
        Of the pages, for the cookie.
    closing : callable, optional
        Ends what would keep the server from stopping, such as the streams of open pages.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, *, name: str, closing: Callable[[], None] = _nothing):
        self._app = app
        self._closing = closing
        self._token = token
        self._cookie = f"lifecycle-{name}-{port}"  # a browser keeps one jar for all ports of a host
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = self._refusal(request) or self._welcome(request)
        target: Callable[[Scope, Receive, Send], Awaitable[None]] = answer or self._app
        await target(scope, receive, _with_headers(send))

    def close(self) -> None:
        """End the event streams, so that the server can stop."""
        self._closing()

    def _refusal(self, request: Request) -> Response | None:
        client = request.client
        if client is not None and client.host not in (*LOOPBACK, "testclient"):
            return PlainTextResponse("loopback only", 403)
        if request.headers.get("host", "") not in self._hosts:
            return PlainTextResponse("wrong host", 403)
        site = request.headers.get("sec-fetch-site", "none")
        if site not in {"none", "same-origin"}:
            return PlainTextResponse("other site", 403)
        if request.method not in {"GET", "HEAD"} and request.headers.get("content-type") != "application/json":
            return PlainTextResponse("wrong type", 415)
        return None if self._knows(request) else PlainTextResponse("the token is missing or wrong", 403)

    def _knows(self, request: Request) -> bool:
        offered = [
            request.query_params.get("token", ""),
            request.cookies.get(self._cookie, ""),
            request.headers.get("authorization", "").removeprefix("token ").strip(),
        ]
        return any(hmac.compare_digest(word.encode(), self._token.encode()) for word in offered)

    def _welcome(self, request: Request) -> Response | None:
        """Move the token from the address into a cookie, so that it does not stay in the history."""
        if request.url.path != "/" or "token" not in request.query_params:
            return None
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            known = {name.lower() for name, _ in headers}
            for name, value in {**HEADERS, "Content-Security-Policy": PAGE_POLICY}.items():
                if name.lower().encode() not in known:
                    headers.append((name.lower().encode(), value.encode()))
            message = {**message, "headers": headers}
        await send(message)

    return sender


def serve(
    made: Callable[[str, int], Guard], *, port: int, token: str | None, told: Callable[[str], None], verb: str
) -> None:
    """Serve on the loopback address until interrupted.

    Parameters
    ----------
    made : callable of (token, port) to Guard
    port : int
        0 takes a free one.
    token : str or None
        None: a new random one.
    told : callable
        Is given the address to open, token included, as soon as the server listens.
    verb : str
        For the hint.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    import uvicorn

    door = listener(port, verb)
    chosen = int(door.getsockname()[1])
    secret = token or secrets.token_urlsafe(24)
    app = made(secret, chosen)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.close()  # open pages listen for ever, and the server waits for them
            super().handle_exit(sig, frame)

    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    told(f"http://127.0.0.1:{chosen}/?token={quote(secret)}")
    with suppress(KeyboardInterrupt):
        Server(config).run(sockets=[door])


def listener(port: int, verb: str) -> socket.socket:
    """Return a socket that listens on the loopback address.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
        found.listen(64)
    except OSError as error:
        found.close()
        raise UsageError(f"Port {port} is in use.", f"lifecycle {verb} --port 0") from error
    return found


async def say(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer with the fact and the hint of an error."""
    assert isinstance(error, LifecycleError)
    return JSONResponse({"fact": error.fact, "hint": error.hint}, 404)


async def hide(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer to an unexpected error: its text may hold anything, so it is not repeated."""
    return PlainTextResponse("internal error", 500)
