"""The application: routes, and what stands before them: the path prefix, the API version, the
log, the last catch."""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldimport.engine.access_tokens import TokenScope
from ldimport.errors import LdimportError
from ldimport.server import imports, media
from ldimport.server.contract import OnEvent, RequestAnswered
from ldimport.server.endpoint import VERSIONS, Backend, Methods, Resource, Version, is_removed
from ldimport.server.responses import Refusal, refusal_of

_ROUTES: Mapping[str, Methods] = {
    "/api/{version}/import/images": {"POST": (TokenScope.WRITE, imports.start)},
    "/api/{version}/import/images/status": {"GET": (TokenScope.WRITE, imports.status)},
    "/api/{version}/projectConfig": {"GET": (TokenScope.CONFIG_READ, imports.config)},
    "/api/{version}/mediaLibrary": {"GET": (TokenScope.READ, media.find)},
    "/api/{version}/mediaLibrary/{id}": {
        "GET": (TokenScope.READ, media.one),
        "PATCH": (TokenScope.WRITE, media.patch),
    },
    "/api/{version}/images/{slug}": {"GET": (None, media.original)},
    "/health": {"GET": (None, imports.health)},
    "/openapi.json": {"GET": (None, imports.description)},
}
_OURS = re.compile(
    r"(?P<prefix>.*?)"
    r"(?P<path>/api/(?P<version>v\d{1,3}|beta|\d{4}-\d{2})(?:/.*)?|/health|/openapi\.json)",
    re.DOTALL,
)
_log = logging.getLogger(__name__)


def application(backend: Backend, on_event: OnEvent) -> ASGIApp:
    """The ASGI application over an engine; it closes nothing. A prefix such as ``/proxy/api`` is
    taken off; an API version that is not served never reaches a route; whatever is raised becomes
    an answer; each answered request is told to ``on_event``."""
    routes = [Route(path, Resource(backend, methods)) for path, methods in _ROUTES.items()]
    router = Router(routes, redirect_slashes=False, default=_no_route)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        state = scope["state"] = {"note": ""}
        try:
            scope["root_path"] = _admitted(scope["path"], state)
            await router(scope, receive, watched)
        except Exception as error:  # noqa: BLE001  the last catch: an answer all the same
            refusal, state["note"] = refusal_of(error), _note(error, scope)
            if status == 0:
                await refusal.response()(scope, receive, watched)
        finally:
            seconds = time.monotonic() - began
            on_event(
                RequestAnswered(scope["method"], scope["path"], status, seconds, state["note"])
            )

    return app


def _note(error: Exception, scope: Scope) -> str:
    """What came of a request, for the log."""
    if isinstance(error, Refusal):
        return error.note
    if isinstance(error, LdimportError):
        return error.message
    _log.error("%s %s", scope["method"], scope["path"], exc_info=error)
    return f"{type(error).__name__}: {error}"


async def _no_route(scope: Scope, receive: Receive, send: Send) -> None:
    raise Refusal(404, {"url": scope["path"]})


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
