"""The application: routes, and what stands before them: the path prefix, the API version, the
log, the last catch."""

import logging
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, unquote_to_bytes

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldimport.api_versions import versions
from ldimport.engine.access_tokens import TokenScope
from ldimport.errors import LdimportError
from ldimport.model import MAX_ID
from ldimport.request_check import NOT_UNICODE
from ldimport.server import imports, media
from ldimport.server.contract import OnEvent, RequestAnswered
from ldimport.server.endpoint import Backend, Methods, Resource, Version, is_removed
from ldimport.server.pages.site import Site
from ldimport.server.responses import Refusal, refusal_of
from ldimport.system import scarce
from ldimport.url import without_secrets

_IMAGE = "/api/{version}/images/{slug}"
_ROUTES: Mapping[str, Methods] = {
    "/api/{version}/import/images": {"POST": (TokenScope.WRITE, imports.start)},
    "/api/{version}/import/images/status": {"GET": (TokenScope.WRITE, imports.status)},
    "/api/{version}/projectConfig": {"GET": (TokenScope.CONFIG_READ, imports.config)},
    "/api/{version}/mediaLibrary": {"GET": (TokenScope.READ, media.find)},
    "/api/{version}/mediaLibrary/{id}": {
        "GET": (TokenScope.READ, media.one),
        "PATCH": (TokenScope.WRITE, media.patch),
    },
    _IMAGE: {"GET": (None, media.image)},
    "/health": {"GET": (None, imports.health)},
    "/openapi.json": {"GET": (None, imports.description)},
}
_OURS = re.compile(
    r"(?P<prefix>(?:/[A-Za-z0-9._~-]+)*?)"
    r"(?P<path>/api/(?P<version>v\d{1,3}|beta|\d{4}-\d{2})(?:/.*)?|/health|/openapi\.json)",
    re.DOTALL,
)
_SERVER = re.compile(r"(?:https?:)?//[^/]*", re.IGNORECASE)
_ONCE = (b"authorization", b"idempotency-key", b"content-type", b"content-encoding", b"range")
"""Headers that decide something: of two that differ, somebody before us may have read the other.
So it is with every parameter of a query."""
MOST_TOLD = 500
"""Characters of a path or a note that are told; somebody without a token may fill a log by them."""
_log = logging.getLogger(__name__)


def application(
    backend: Backend, site: Site, on_event: OnEvent, *, only_images: bool = False
) -> ASGIApp:
    """The ASGI application over an engine and its pages; it closes nothing. Of the API
    ``only_images`` leaves what pages need. A prefix such as ``/proxy/api`` is taken off; an API
    version that is not served never reaches a route; whatever is raised becomes an answer; each
    answered request is told to ``on_event``."""
    pages, api = site.app(), _api(backend, {_IMAGE: _ROUTES[_IMAGE]} if only_images else _ROUTES)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                version = scope["state"].get("version")
                if version and "slug" not in scope.get("path_params", ()):  # images stay for ever
                    farewell = version.farewell(backend.engine.now())
                    message["headers"] = [*message["headers"], *_raw(farewell)]
            await send(message)

        scope["state"] = {"note": ""}
        try:
            check_head(scope, backend.options.header_limit)
            if site.takes(scope["path"]):
                await pages(scope, receive, watched)
            else:
                _admit(scope, versions(backend.engine.now()))
                await api(scope, receive, watched)
        except Exception as met:  # noqa: BLE001  the last catch: an answer all the same
            error = scarce(met) or met
            refusal, scope["state"]["note"] = refusal_of(error), _note(error, scope)
            backend.engine.notice(error)
            if status == 0:
                await refusal.response()(scope, receive, watched)
        finally:
            told = (scope["path"], scope["state"]["note"])
            path, note = (without_secrets(text)[:MOST_TOLD] for text in told)
            seconds = time.monotonic() - began
            on_event(RequestAnswered(scope["method"][:20], path, status, seconds, note))

    return app


def _api(backend: Backend, paths: Mapping[str, Methods]) -> Router:
    routes = [Route(path, Resource(backend, methods)) for path, methods in paths.items()]
    return Router(routes, redirect_slashes=False, default=_no_route)


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


def check_head(scope: Scope, limit: int) -> None:
    """What h11 lets through though two readers may understand it differently (RFC 9112 6.1), or
    because all of it came at once, or since it knows nothing of texts: those of path and query
    are valid Unicode, those of the query have a bound. Raises Refusal 400 or 431."""
    names = [name for name, _ in scope["headers"]]
    size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    line = (scope["method"], scope["raw_path"], scope["query_string"])
    if size + sum(map(len, line)) > limit:
        text = f"The head of the request is larger than {limit} bytes"
        raise Refusal(431, text, close=True)
    if b"transfer-encoding" in names and (
        b"content-length" in names or scope["http_version"] == "1.0"
    ):
        raise Refusal(400, "Where the body ends is not clear", close=True)
    query = [(unquote(part.partition(b"=")[0].decode())[:60], part)
             for part in scope["query_string"].split(b"&") if part]  # fmt: skip
    once = [*(name.decode() for name in names if name in _ONCE), *(name for name, _ in query)]
    if twice := [name for name, count in Counter(once).items() if count > 1]:
        raise Refusal(400, dict.fromkeys(twice, "must stand once"), close=True)
    for name, text in (("url", scope["raw_path"]), *query):
        try:
            said = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            raise Refusal(400, {name: NOT_UNICODE}) from None
        if name != "url" and len(said) > len(f"{name}=") + MAX_ID:
            raise Refusal(400, {name: f"has more than {MAX_ID:,} characters"})


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _admit(scope: Scope, known: Sequence[str]) -> None:
    """Take a server's name, as proxies are told it (RFC 9112 3.2.2), off the path, then find its
    prefix and its API version, one of ``known``. Raises Refusal for a path that is not ours."""
    state, path = scope["state"], scope["path"]
    if server := _SERVER.match(path):
        path = scope["path"] = path[server.end() :]
    found = _OURS.fullmatch(path)
    if found is None:
        raise Refusal(404, {"url": path})
    name: str | None = found["version"]
    scope["root_path"] = found["prefix"]
    if name is not None and name in known:
        state["version"] = Version(name)
    elif name is not None and is_removed(name):
        text = f"API version {name} has been removed; there are {', '.join(known)}"
        raise Refusal(410, text)
    elif name is not None:
        raise Refusal(404, {"url": found["path"]})
