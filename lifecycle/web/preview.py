"""The preview server: a local page that shows the templates and follows every saved change.

It listens on the loopback address only, asks for a token as Jupyter does, checks ``Host`` and ``Sec-Fetch-Site``,
runs no inline script and shows mails in sandboxed frames. It never sends, fetches or writes anything but the
memory of what was copied.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Protocol
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
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
LARGEST_BODY = 10_000
CHECK_AFTER_SECONDS = 0.25
"""The page shows a change first; linting in the same moment would take the processor from it."""


class Gallery(Protocol):
    """What the server shows. The mail room has one; ``workbench`` hands it over.

    ``reload`` never raises: a template that cannot be read is part of the next ``snapshot``. ``check`` lints what
    was loaded and takes longer.
    """

    def reload(self) -> None: ...
    def check(self) -> None: ...
    def snapshot(self) -> Mapping[str, Any]: ...
    def view(self, template: str, fixture: str) -> Mapping[str, Any]: ...
    def frame(self, template: str, fixture: str, scheme: str) -> str: ...
    def changes(self, template: str) -> Mapping[str, Any]: ...
    def mark_copied(self, template: str) -> None: ...
    def page(self) -> str: ...
    def asset(self, name: str) -> tuple[bytes, str]: ...
    def watched(self) -> tuple[Path, ...]: ...


def preview_app(gallery: Gallery, token: str, port: int) -> Guard:
    """Return the application: ASGI, with a method ``close`` that ends the streams of open pages.

    Parameters
    ----------
    gallery : Gallery
    token : str
        Asked for once in the address (``?token=``), then kept in a cookie; or sent as ``Authorization: token ...``.
    port : int
        Part of the ``Host`` that is accepted.
    """
    hub = _Hub()
    routes = _Routes(gallery, hub)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        watcher = asyncio.create_task(_watch(gallery, hub))
        try:
            yield
        finally:
            hub.close()
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher

    app = Starlette(
        routes=[
            Route("/", routes.page),
            Route("/assets/{name}", routes.asset),
            Route("/frame", routes.frame),
            Route("/events", routes.events),
            Route("/api/snapshot", routes.snapshot),
            Route("/api/view", routes.view),
            Route("/api/changes", routes.changes),
            Route("/api/copied", routes.copied, methods=["POST"]),
        ],
        lifespan=lifespan,
        exception_handlers={LifecycleError: _told, Exception: _failed},
    )
    return Guard(app, hub, token, port)


def serve(gallery: Gallery, *, port: int = 0, token: str | None = None, told: Callable[[str], None] = print) -> None:
    """Serve the preview on the loopback address until interrupted.

    Parameters
    ----------
    gallery : Gallery
    port : int
        0 takes a free one.
    token : str, optional
        A new random one by default.
    told : callable
        Is given the address to open, token included, as soon as the server listens.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    import uvicorn

    listener = _listener(port)
    chosen = int(listener.getsockname()[1])
    secret = token or secrets.token_urlsafe(24)
    app = preview_app(gallery, secret, chosen)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.close()  # open pages listen for ever, and the server waits for them
            super().handle_exit(sig, frame)

    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    told(f"http://127.0.0.1:{chosen}/?token={quote(secret)}")
    with suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise UsageError(f"Port {port} is in use.", "lifecycle preview serve --port 0") from error
    return listener


class _Hub:
    """Tells every open page that something changed."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[str | None]] = set()

    def tell(self, event: str) -> None:
        for queue in self._queues:
            queue.put_nowait(event)

    def close(self) -> None:
        for queue in self._queues:
            queue.put_nowait(None)

    async def listen(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield "retry: 500\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), timeout=15)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if event is None:
                    return
                yield f"event: {event}\ndata: 1\n\n"
        finally:
            self._queues.discard(queue)


async def _watch(gallery: Gallery, hub: _Hub) -> None:
    from watchfiles import awatch

    folders = [folder for folder in gallery.watched() if folder.is_dir()]
    if not folders:
        return
    # step and debounce in milliseconds: a saved file is on the page well within 0.3 s
    async for _ in awatch(*folders, debounce=50, step=10, rust_timeout=500, yield_on_timeout=False):
        await run_in_threadpool(gallery.reload)
        hub.tell("changed")
        await asyncio.sleep(CHECK_AFTER_SECONDS)
        await run_in_threadpool(gallery.check)
        hub.tell("checked")


class _Routes:
    def __init__(self, gallery: Gallery, hub: _Hub) -> None:
        self._gallery = gallery
        self._hub = hub

    async def page(self, request: Request) -> Response:  # noqa: ARG002
        return Response(self._gallery.page(), media_type="text/html")

    async def asset(self, request: Request) -> Response:
        try:
            content, media_type = self._gallery.asset(request.path_params["name"])
        except KeyError:
            return PlainTextResponse("not found", 404)
        return Response(content, media_type=media_type)

    async def frame(self, request: Request) -> Response:
        asked = request.query_params
        html = await run_in_threadpool(
            self._gallery.frame, asked.get("template", ""), asked.get("fixture", ""), asked.get("scheme", "light")
        )
        return Response(html, media_type="text/html", headers={"Content-Security-Policy": FRAME_POLICY})

    async def snapshot(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(await run_in_threadpool(self._gallery.snapshot))

    async def view(self, request: Request) -> Response:
        asked = request.query_params
        found = await run_in_threadpool(self._gallery.view, asked.get("template", ""), asked.get("fixture", ""))
        return JSONResponse(found)

    async def changes(self, request: Request) -> Response:
        found = await run_in_threadpool(self._gallery.changes, request.query_params.get("template", ""))
        return JSONResponse(found)

    async def copied(self, request: Request) -> Response:
        body = await request.body()
        try:
            name = json.loads(body[:LARGEST_BODY])["template"]
        except (ValueError, KeyError, TypeError):
            return PlainTextResponse("bad request", 400)
        await run_in_threadpool(self._gallery.mark_copied, str(name))
        return JSONResponse({"done": True})

    async def events(self, request: Request) -> Response:  # noqa: ARG002
        return StreamingResponse(self._hub.listen(), media_type="text/event-stream")


async def _told(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, LifecycleError)
    return JSONResponse({"fact": error.fact, "hint": error.hint}, 404)


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    # the text of an unexpected error may hold anything, so it is not repeated
    return PlainTextResponse("internal error", 500)


class Guard:
    """Lets in who knows the token, comes through the loopback name, and was not sent by another site."""

    def __init__(self, app: ASGIApp, hub: _Hub, token: str, port: int) -> None:
        self._app = app
        self._hub = hub
        self._token = token
        self._cookie = f"lifecycle-preview-{port}"
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
        self._hub.close()

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
