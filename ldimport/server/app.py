"""The application: routes behind their front, refusals in the API's envelopes."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ldimport.errors import LdimportError
from ldimport.server.answers import Refusal, not_found
from ldimport.server.desk import Desk
from ldimport.server.gateway import Front, failed, refused
from ldimport.server.imports import Imports
from ldimport.server.media import Media
from ldimport.server.options import OnEvent


def application(desk: Desk, on_event: OnEvent) -> ASGIApp:
    """The ASGI application over an engine; it closes nothing."""
    routes = [*Imports(desk).routes(), *Media(desk).routes()]
    app = Starlette(
        routes=routes,
        exception_handlers={
            Refusal: refused,
            LdimportError: failed,
            HTTPException: _http,
            Exception: _bug,
        },
    )
    app.router.redirect_slashes = False
    return Front(app, on_event)


def _http(request: Request, error: Exception) -> Response:
    """What the router refuses: no such path, or not with this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        headers = dict(error.headers or {})
        text = f"{request.method} is not possible here"
        return refused(request, Refusal(405, {"method": text}, headers=headers))
    return refused(request, not_found(request.scope["path"]))


def _bug(request: Request, error: Exception) -> Response:
    return Refusal(500).response()
