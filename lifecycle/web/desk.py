"""The server of the local pages: one address a page and a language, all of them behind the guard, none of them writing.

The pages are written by the report room; here they are only asked for. A thread looks at the workspaces while the
server runs. The previews of the templates are the pages of ``web/preview.py``, below ``/preview/N/``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import Receive, Scope, Send

from lifecycle.errors import LifecycleError
from lifecycle.web import guard
from lifecycle.web.guard import Guard
from lifecycle.web.preview import Gallery, Hub, preview_routes, watch


class Desk(Protocol):
    """What the server shows. ``workbench`` hands it over.

    ``watch`` looks at the workspaces until ``end`` is called; ``stamp`` is another word whenever something that is
    shown has changed. ``front`` and ``page`` write one page, ``asset`` a file that they load, ``gallery`` opens the
    previews of one workspace. ``number`` counts workspaces from 1.
    """

    @property
    def language(self) -> str: ...
    def watch(self) -> None: ...
    def end(self) -> None: ...
    def count(self) -> int: ...
    def stamp(self) -> str: ...
    def front(self, language: str) -> bytes: ...
    def page(self, number: int, name: str, language: str) -> bytes: ...
    def asset(self, name: str) -> tuple[bytes, str]: ...
    def gallery(self, number: int) -> Gallery: ...


def desk_app(desk: Desk, token: str, port: int) -> Guard:
    """Return the application: ASGI, with a method ``close`` that ends the streams of open previews.

    Parameters
    ----------
    desk : Desk
    token : str
    port : int
        As for :class:`lifecycle.web.guard.Guard`.
    """
    routes, previews = _Routes(desk), _Previews(desk)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        looking = threading.Thread(target=desk.watch, name="looking", daemon=True)
        looking.start()
        try:
            yield
        finally:
            desk.end()
            await previews.close()

    app = Starlette(
        routes=[
            Route("/", routes.home),
            Route("/state", routes.state),
            Route("/assets/{name}", routes.asset),
            Mount("/preview/{number:int}", previews),
            Route("/{language}/", routes.front),
            Route("/{language}/{number:int}/", routes.page),
            Route("/{language}/{number:int}/{name}", routes.page),
        ],
        lifespan=lifespan,
        exception_handlers={LifecycleError: guard.say, Exception: guard.hide},
    )
    return Guard(app, token, port, name="desk", closing=previews.tell_all)


def serve(desk: Desk, *, port: int = 0, token: str | None = None, told: Callable[[str], None] = print) -> None:
    """Serve the pages on the loopback address until interrupted; see :func:`lifecycle.web.guard.serve`."""
    guard.serve(
        lambda secret, chosen: desk_app(desk, secret, chosen), port=port, token=token, told=told, verb="serve"
    )  # fmt: skip


class _Routes:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def home(self, request: Request) -> Response:  # noqa: ARG002
        alone = "1/" if self._desk.count() == 1 else ""
        return RedirectResponse(f"/{self._desk.language}/{alone}", 303)

    async def front(self, request: Request) -> Response:
        return _html(await run_in_threadpool(self._desk.front, request.path_params["language"]))

    async def page(self, request: Request) -> Response:
        asked = request.path_params
        name = asked.get("name", "overview")
        return _html(await run_in_threadpool(self._desk.page, asked["number"], name, asked["language"]))

    async def state(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"stamp": self._desk.stamp()})

    async def asset(self, request: Request) -> Response:
        try:
            content, media_type = self._desk.asset(request.path_params["name"])
        except KeyError:
            return PlainTextResponse("not found", 404)
        return Response(content, media_type=media_type)


def _html(page: bytes) -> Response:
    return Response(page, media_type="text/html")


class _Previews:
    """The previews of each workspace: opened when they are first asked for, then watched while the server runs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: dict[int, tuple[Router, Hub, asyncio.Task[None]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = scope["path_params"]["number"]
        if number not in self._open:
            gallery, hub = await run_in_threadpool(self._desk.gallery, number), Hub()
            if number not in self._open:  # another request may have been quicker
                router = Router(preview_routes(gallery, hub), redirect_slashes=False)
                self._open[number] = router, hub, asyncio.create_task(watch(gallery, hub))
        await self._open[number][0](scope, receive, send)

    def tell_all(self) -> None:
        for _, hub, _ in self._open.values():
            hub.close()

    async def close(self) -> None:
        self.tell_all()
        for _, _, watching in self._open.values():
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
