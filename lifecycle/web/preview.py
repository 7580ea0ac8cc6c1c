"""The preview server: a local page that shows the templates and follows every saved change.

It stands behind the guard (``web/guard.py``) and shows mails in sandboxed frames. It never sends, fetches or writes
anything but the memory of what was copied.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lifecycle.errors import LifecycleError
from lifecycle.web import guard
from lifecycle.web.guard import FRAME_POLICY, Guard

LARGEST_BODY = 10_000
CHECK_AFTER_SECONDS = 0.2
"""The page shows a change first; linting in the same moment would take the processor from it. The next change does
not wait for it."""


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
    def compared(self, template: str) -> Mapping[str, Any]: ...
    def mail_frame(self, scheme: str) -> str: ...
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
    hub = Hub()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        watcher = asyncio.create_task(watch(gallery, hub))
        try:
            yield
        finally:
            hub.close()
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher

    app = Starlette(
        routes=preview_routes(gallery, hub),
        lifespan=lifespan,
        exception_handlers={LifecycleError: guard.say, Exception: guard.hide},
    )
    return Guard(app, token, port, name="preview", closing=hub.close)


def preview_routes(gallery: Gallery, hub: Hub) -> list[Route]:
    """Return the pages of one gallery, for the root of a server or below a path of another one."""
    routes = _Routes(gallery, hub)
    return [
        Route("/", routes.page),
        Route("/assets/{name}", routes.asset),
        Route("/frame", routes.frame),
        Route("/events", routes.events),
        Route("/api/snapshot", routes.snapshot),
        Route("/api/view", routes.view),
        Route("/api/changes", routes.changes),
        Route("/api/compared", routes.compared),
        Route("/mail", routes.mail),
        Route("/api/copied", routes.copied, methods=["POST"]),
    ]


def serve(gallery: Gallery, *, port: int = 0, token: str | None = None, told: Callable[[str], None] = print) -> None:
    """Serve the preview on the loopback address until interrupted; see :func:`lifecycle.web.guard.serve`."""
    guard.serve(
        lambda secret, chosen: preview_app(gallery, secret, chosen),
        port=port,
        token=token,
        told=told,
        verb="preview serve",
    )


class Hub:
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


async def watch(gallery: Gallery, hub: Hub) -> None:
    """Load the gallery anew whenever one of its files is saved, and tell the open pages."""
    from watchfiles import awatch

    folders = [folder for folder in gallery.watched() if folder.is_dir()]
    if not folders:
        return
    checking: asyncio.Task[None] | None = None
    # step and debounce in milliseconds: a saved file is on the page well within 0.3 s
    async for _ in awatch(*folders, debounce=50, step=5, rust_timeout=500, yield_on_timeout=False):
        await run_in_threadpool(gallery.reload)
        hub.tell("changed")
        if checking is not None:
            checking.cancel()
        checking = asyncio.create_task(_check(gallery, hub))


async def _check(gallery: Gallery, hub: Hub) -> None:
    await asyncio.sleep(CHECK_AFTER_SECONDS)
    await run_in_threadpool(gallery.check)
    hub.tell("checked")


class _Routes:
    def __init__(self, gallery: Gallery, hub: Hub) -> None:
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

    async def compared(self, request: Request) -> Response:
        found = await run_in_threadpool(self._gallery.compared, request.query_params.get("template", ""))
        return JSONResponse(found)

    async def mail(self, request: Request) -> Response:
        html = self._gallery.mail_frame(request.query_params.get("scheme", "light"))
        return Response(html, media_type="text/html", headers={"Content-Security-Policy": FRAME_POLICY})

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
