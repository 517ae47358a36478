"""The application: routes, and what stands before them: the path prefix, the API version, the
log, the last catch; refusals in the API's envelopes."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldimport.errors import LdimportError
from ldimport.server.backend import Backend
from ldimport.server.events import OnEvent, RequestAnswered
from ldimport.server.imports import Imports
from ldimport.server.media import Media
from ldimport.server.responses import Refusal, refusal_of
from ldimport.server.versions import VERSIONS, Version, is_removed

NOTE = "note"
"""Key in a request's state: what came of it, for the log."""

_OURS = re.compile(
    r"(?P<prefix>.*?)"
    r"(?P<path>/api/(?P<version>v\d{1,3}|beta|\d{4}-\d{2})(?:/.*)?|/health|/openapi\.json)",
    re.DOTALL,
)
_log = logging.getLogger(__name__)


def application(backend: Backend, on_event: OnEvent) -> ASGIApp:
    """The ASGI application over an engine; it closes nothing."""
    app = Starlette(
        routes=[*Imports(backend).routes(), *Media(backend).routes()],
        exception_handlers={
            Refusal: _refused,
            LdimportError: _refused,
            HTTPException: _refused,
            Exception: lambda *_: Refusal(500).response(),
        },
    )
    app.router.redirect_slashes = False
    return Gateway(app, on_event)


def _refused(request: Request, error: Exception) -> Response:
    """Exception handler: what is raised becomes its envelope, and is noted for the log."""
    refusal = _refusal(request, error)
    note = error.message if isinstance(error, LdimportError) else refusal.note
    request.scope["state"][NOTE] = note
    return refusal.response()


def _refusal(request: Request, error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, LdimportError):
        return refusal_of(error)
    assert isinstance(error, HTTPException)  # the router's: no such path, or not this method
    if error.status_code != 405:
        return Refusal(404, {"url": request.scope["path"]})
    text = f"{request.method} is not possible here"
    return Refusal(405, {"method": text}, headers=error.headers)


class Gateway:
    """Wraps the routes. A prefix such as ``/proxy/api`` is taken off; an API version that is not
    served never reaches a route; each answered request is told to ``on_event``."""

    def __init__(self, app: ASGIApp, on_event: OnEvent) -> None:
        self._app = app
        self._on_event = on_event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        state = scope["state"] = {**scope.get("state", {}), NOTE: ""}
        try:
            scope["root_path"] = _admitted(scope["path"], state)
            await self._app(scope, receive, watched)
        except Refusal as refusal:
            state[NOTE] = refusal.note
            await refusal.response()(scope, receive, watched)
        except Exception as error:  # noqa: BLE001  the last catch: an answer all the same
            _log.exception("%s %s", scope["method"], scope["path"])
            if status == 0:
                await Refusal(500).response()(scope, receive, watched)
            state[NOTE] = f"{type(error).__name__}: {error}"
        finally:
            seconds = time.monotonic() - began
            self._on_event(
                RequestAnswered(scope["method"], scope["path"], status, seconds, state[NOTE])
            )


def _admitted(path: str, state: dict[str, Any]) -> str:
    """The prefix of a path that is ours; its API version is put into ``state``."""
    found = _OURS.fullmatch(path)
    if found is None:
        raise Refusal(404, {"url": path})
    name: str | None = found["version"]
    if name in VERSIONS:
        state["version"] = Version(name)
    elif name is not None and is_removed(name):
        text = f"API version {name} has been removed; there are {', '.join(VERSIONS)}"
        raise Refusal(410, text)
    elif name is not None:
        raise Refusal(404, {"url": found["path"]})
    return found["prefix"]
