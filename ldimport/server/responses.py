"""JSON responses, and refusals in the API's envelopes (docs/livingdocs-api.md, "Refusals")."""

from collections.abc import Mapping
from http import HTTPStatus
from itertools import islice

from starlette.responses import Response

from ldimport import wire
from ldimport.errors import (
    ConflictError,
    InvalidRequestError,
    KeyConflictError,
    NotFoundError,
    QuotaError,
    StateFileError,
    TemporaryError,
)
from ldimport.model import Json
from ldimport.request_check import MOST

PHRASES: Mapping[int, str] = {
    **{status.value: status.phrase for status in HTTPStatus},
    413: "Payload Too Large",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    429: "Usage Limit Exceeded",
}
DAMAGED = "The engine's catalogue cannot be used; the server's log says why"
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
        self.body = body or wire.error_to_json(status, PHRASES[status], self.details)

    @property
    def note(self) -> str:
        """The first of its details, for the log."""
        return next((str(text) for text in (self.details or {}).values()), "")

    def response(self) -> Response:
        """The envelope as a response."""
        return answer(self.body, self.status, self.headers)


def answer(
    body: Json | Response, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response, never cached; one that is whole already stays as it is."""
    if isinstance(body, Response):
        return body
    return Response(wire.encode(body), status, {**_ALWAYS, **(headers or {})}, "application/json")


def no_such(what: str) -> Refusal:
    """404 for a thing that is not there."""
    return Refusal(404, {"name": "NotFound", "message": what})


def refusal_of(error: Exception) -> Refusal:
    """How what was refused or could not be done is answered; 500 for what it should not say."""
    match error:
        case Refusal():
            return error
        case InvalidRequestError():
            found = islice(error.details.items(), MOST)
            return Refusal(400, {path or "message": text for path, text in found})
        case QuotaError(retry_after=wait):
            headers = {} if wait is None else {"Retry-After": str(int(wait) + 1)}
            body = wire.quota_to_json(error.limit or 0, error.used or 0, error.trying or 0)
            return Refusal(429, headers=headers, body=body)
        case KeyConflictError() | ConflictError():
            return Refusal(409, {"name": "Conflict", "message": error.message})
        case NotFoundError():
            return no_such(error.message)
        case TemporaryError():
            status = 507 if error.code == "disk-full" else 503
            return Refusal(status, headers={"Retry-After": "60"})
        case StateFileError():
            return Refusal(500, DAMAGED, body={"status": 500, "error": DAMAGED})
        case _:
            return Refusal(500)
