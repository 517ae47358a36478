"""The pages as a part of an application: their paths, and threads of their own, so that whoever
looks keeps nobody who imports waiting."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ldimport.engine.access_tokens import TokenScope
from ldimport.errors import LdimportError
from ldimport.server.endpoint import Backend
from ldimport.server.pages import archives, jobs, library
from ldimport.server.pages.view import ArchiveSource, PageRequest, as_bearer, check_host, static
from ldimport.server.responses import Refusal, refusal_of

VIEWERS = 2
"""Threads; each has a connection to the catalogue."""
_View = Callable[[PageRequest], Response]
_VIEWS: Mapping[str, _View] = {
    "/": jobs.overview,
    "/jobs": jobs.overview,
    "/jobs/{id}": jobs.one,
    "/library": library.gallery,
    "/library/{id}": library.one,
}
_OF_ARCHIVES: Mapping[str, _View] = {
    "/migration": archives.overview,
    "/migration/archive": archives.one,
}


class Site:
    """The pages of what ``backend`` serves, and of ``archives`` where they are given. ``close``
    ends its threads."""

    def __init__(self, backend: Backend, archives: ArchiveSource | None = None) -> None:
        self._backend = backend
        self._archives = archives
        self._viewers = ThreadPoolExecutor(VIEWERS, "viewer")
        views = {**_VIEWS, **(_OF_ARCHIVES if archives else {})}
        routes = [Route("/static/{name}", _Get(self, None))]
        routes += [Route("/.json", _Get(self, jobs.overview))]
        routes += [Route("/jobs/{id}.csv", _Get(self, jobs.table))]
        for path, view in views.items():
            routes += [Route(f"{path}.json", _Get(self, view))] if path != "/" else []
            routes.append(Route(path, _Get(self, view)))
        self._router = Router(routes, redirect_slashes=False)

    def close(self) -> None:
        """Wait for looks under way, end the threads."""
        self._viewers.shutdown()

    def app(self) -> ASGIApp:
        """The application of all that ``takes`` says yes to."""
        return self._router

    def takes(self, path: str) -> bool:
        """Whether a path is one of a page."""
        heads = ("/static/", "/jobs", "/library", "/migration")
        return path in ("/", "/.json") or path.startswith(heads)

    async def answer(self, request: Request, view: _View | None) -> Response:
        """The answer to one request; whatever cannot be shown is an answer too."""
        if request.method not in ("GET", "HEAD"):
            headers = {"Allow": "GET, HEAD"}
            raise Refusal(405, {"method": "pages only read"}, headers=headers)
        machine = request.url.path.endswith((".json", ".csv"))
        backend = self._backend
        look = PageRequest(
            request, backend.engine, backend.options, self._archives, machine=machine
        )
        in_thread = asyncio.get_running_loop().run_in_executor
        return await in_thread(self._viewers, self._seen, look, view)

    def _seen(self, look: PageRequest, view: _View | None) -> Response:
        try:
            self._admit(look)
            if view is None:
                return static(look.request.path_params["name"], look.request)
            return view(look)
        except (Refusal, LdimportError) as error:
            self._backend.engine.notice(error)
            return look.refused(refusal_of(error))

    def _admit(self, look: PageRequest) -> None:
        """Raises Refusal for who may not look."""
        if check_host(look.request, look.options):
            return
        try:
            header = as_bearer(look.request.headers.get("authorization"))
            self._backend.check(header, TokenScope.READ)
        except Refusal as refusal:
            asks = {"WWW-Authenticate": 'Basic realm="ldimport: the password is a token"'}
            raise Refusal(refusal.status, refusal.details, headers=asks) from None


class _Get:
    """One page, as an ASGI application."""

    def __init__(self, site: Site, view: _View | None) -> None:
        self._site, self._view = site, view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        response = await self._site.answer(Request(scope, receive), self._view)
        await response(scope, receive, send)
