"""JSON responses, and refusals in the API's envelopes (docs/livingdocs-api.md, "Refusals")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

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

PHRASES: Mapping[int, str] = {
    **{status.value: status.phrase for status in HTTPStatus},
    413: "Payload Too Large",
    416: "Range Not Satisfiable",
    429: "Usage Limit Exceeded",
}
MISSING = "Missing required property: {}"

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Refusal(Exception):  # noqa: N818  an answer, not an error of the program
    """A request is refused with ``status``; ``details`` (or one ``message``) stand in the
    envelope, ``headers`` beside it; ``body`` takes the envelope's place. ``close``: the connection
    cannot be used further."""

    def __init__(
        self,
        status: int,
        details: Mapping[str, Json] | str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
        body: Json = None,
    ) -> None:
        super().__init__(f"{status} {PHRASES[status]}")
        self.status = status
        self.details = {"message": details} if isinstance(details, str) else details
        self.headers = {**(headers or {}), **({"Connection": "close"} if close else {})}
        self.body = body or error_to_json(status, PHRASES[status], self.details)

    @property
    def note(self) -> str:
        """The first of its details, for the log."""
        return next((str(text) for text in (self.details or {}).values()), "")

    def response(self) -> Response:
        """The envelope as a response."""
        return answer(self.body, self.status, self.headers)


def answer(
    body: Json | bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response, never cached; bytes are JSON already."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, {**_ALWAYS, **(headers or {})}, "application/json")


def no_such(what: str) -> Refusal:
    """404 for a thing that is not there."""
    return Refusal(404, {"name": "NotFound", "message": what})


def _invalid(error: InvalidRequestError) -> Refusal:
    return Refusal(400, {path or "message": text for path, text in error.details.items()})


def _quota(error: QuotaError) -> Refusal:
    wait = error.retry_after
    headers = {} if wait is None else {"Retry-After": str(int(wait) + 1)}
    body = quota_to_json(error.limit or 0, error.used or 0, error.trying or 0)
    return Refusal(429, headers=headers, body=body)


def _conflict(error: LdimportError) -> Refusal:
    return Refusal(409, {"name": "Conflict", "message": error.message})


def _later(error: TemporaryError) -> Refusal:
    return Refusal(507 if error.code == "disk-full" else 503, headers={"Retry-After": "60"})


_REFUSALS: Mapping[type[LdimportError], Callable[..., Refusal]] = {
    InvalidRequestError: _invalid,
    QuotaError: _quota,
    KeyConflictError: _conflict,
    ConflictError: _conflict,
    NotFoundError: lambda error: no_such(error.message),
    TemporaryError: _later,
}


def refusal_of(error: LdimportError) -> Refusal:
    """How what the engine refused or could not do is answered; 500 for what it should not say."""
    make = next((_REFUSALS[kind] for kind in type(error).__mro__ if kind in _REFUSALS), None)
    return Refusal(500) if make is None else make(error)
