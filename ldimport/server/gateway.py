"""What stands before the routes: the path prefix, the API version, the log, the last catch."""

from __future__ import annotations

import logging
import re
import time

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldimport.errors import LdimportError
from ldimport.server.answers import Refusal, not_found, of_error
from ldimport.server.options import OnEvent, Request
from ldimport.server.versions import VERSIONS, Version, is_removed

NOTE = "note"
"""Key in a request's state: what came of it, for the log."""

_OURS = re.compile(
    r"(?P<prefix>.*?)"
    r"(?P<path>/api/(?P<version>v\d{1,3}|beta|\d{4}-\d{2})(?:/.*)?|/health|/openapi\.json)",
    re.DOTALL,
)
_log = logging.getLogger(__name__)


class Front:
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
        exchange = _Exchange(send)
        scope["state"] = {**scope.get("state", {}), NOTE: ""}
        try:
            await self._route(scope, receive, exchange.send)
        except Exception as error:  # noqa: BLE001  the last catch: an answer all the same
            scope["state"][NOTE] = f"{type(error).__name__}: {error}"
            _log.exception("%s %s", scope["method"], scope["path"])
            await exchange.fail(scope, receive)
        finally:
            self._on_event(exchange.event(scope))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = _OURS.fullmatch(scope["path"])
            if found is None:
                raise not_found(scope["path"])
            if found["version"] is not None:
                scope["state"]["version"] = _version(found["version"], found["path"])
        except Refusal as refusal:
            scope["state"][NOTE] = refusal.note
            await refusal.response()(scope, receive, send)
            return
        scope["root_path"] = found["prefix"]
        await self._app(scope, receive, send)


def _version(name: str, path: str) -> Version:
    if name in VERSIONS:
        return Version(name)
    if is_removed(name):
        text = f"API version {name} has been removed; there are {', '.join(VERSIONS)}"
        raise Refusal(410, {"message": text})
    raise not_found(path)


class _Exchange:
    """One request and what was sent to it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._began = time.monotonic()
        self._status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        await self._send(message)

    async def fail(self, scope: Scope, receive: Receive) -> None:
        if self._status == 0:
            await Refusal(500).response()(scope, receive, self.send)

    def event(self, scope: Scope) -> Request:
        seconds = time.monotonic() - self._began
        return Request(scope["method"], scope["path"], self._status, seconds, scope["state"][NOTE])


def refused(request: HttpRequest, error: Exception) -> Response:
    """Exception handler: a refusal becomes its envelope."""
    assert isinstance(error, Refusal)
    request.scope["state"][NOTE] = error.note
    return error.response()


def failed(request: HttpRequest, error: Exception) -> Response:
    """Exception handler: an error of the engine becomes the answer documented for it."""
    assert isinstance(error, LdimportError)
    request.scope["state"][NOTE] = error.message
    return of_error(error)
