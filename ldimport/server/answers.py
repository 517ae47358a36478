"""Answers: JSON, and the API's error envelopes (livingdocs.md 1.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from starlette.responses import Response

from ldimport.errors import (
    ConflictError,
    InvalidRequestError,
    KeyConflictError,
    LdimportError,
    NotFoundError,
    QuotaError,
    TemporaryError,
)
from ldimport.model import Json
from ldimport.wire import error_to_json, quota_to_json

PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    429: "Usage Limit Exceeded",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Refusal(Exception):  # noqa: N818  an answer, not an error of the program
    """A request is refused with ``status``; ``details`` stand in the envelope, ``headers`` beside
    it. ``close``: the connection cannot be used further."""

    def __init__(
        self,
        status: int,
        details: Mapping[str, Json] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(f"{status} {PHRASES[status]}")
        self.status = status
        self.details = details
        self.headers = dict(headers or {})
        if close:
            self.headers["Connection"] = "close"

    @property
    def note(self) -> str:
        """The first of its details, for the log."""
        return next((str(text) for text in (self.details or {}).values()), "")

    def response(self) -> Response:
        """The envelope as a response."""
        body = error_to_json(self.status, PHRASES[self.status], self.details)
        return answer(body, self.status, self.headers)


def answer(
    body: Json | bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response, never cached; bytes are JSON already."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, {**_ALWAYS, **(headers or {})}, "application/json")


def not_found(path: str) -> Refusal:
    """404 for a path that leads nowhere."""
    return Refusal(404, {"url": path})


def no_such(name: str, what: str) -> Refusal:
    """404 for a thing that is not there (``NotFound``)."""
    return Refusal(404, {"name": name, "message": what})


def of_error(error: LdimportError) -> Response:
    """The response to what the engine refused or could not do."""
    make = next((make for kind, make in _ERRORS if isinstance(error, kind)), _unexpected)
    return make(error)


def _invalid(error: LdimportError) -> Response:
    assert isinstance(error, InvalidRequestError)
    details: dict[str, Json] = {path or "message": text for path, text in error.details.items()}
    return Refusal(400, details).response()


def _quota(error: LdimportError) -> Response:
    assert isinstance(error, QuotaError)
    wait = {} if error.retry_after is None else {"Retry-After": str(int(error.retry_after) + 1)}
    body = quota_to_json(error.limit or 0, error.used or 0, error.trying or 0)
    return answer(body, 429, wait)


def _conflict(error: LdimportError) -> Response:
    return Refusal(409, {"name": "Conflict", "message": error.message}).response()


def _not_found(error: LdimportError) -> Response:
    return no_such("NotFound", error.message).response()


def _later(error: LdimportError) -> Response:
    status = 507 if error.code == "disk-full" else 503
    return Refusal(status, headers={"Retry-After": "60"}).response()


def _unexpected(error: LdimportError) -> Response:
    return Refusal(500).response()


_ERRORS: tuple[tuple[type[LdimportError], Callable[[LdimportError], Response]], ...] = (
    (InvalidRequestError, _invalid),
    (QuotaError, _quota),
    (KeyConflictError, _conflict),
    (ConflictError, _conflict),
    (NotFoundError, _not_found),
    (TemporaryError, _later),
)
