"""What a raw answer means: the JSON in it, or the error that says what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from ldimport import retry_after, wire
from ldimport.client.ask import Answer, Ask, UnavailableError
from ldimport.credentials import Secret, expires
from ldimport.errors import (
    AuthError,
    ConfigError,
    InvalidRequestError,
    KeyConflictError,
    LdimportError,
    QuotaError,
    RefusedError,
    TooLargeError,
)
from ldimport.model import Json
from ldimport.url import endpoint, host_of

_RENEW = (
    "make a new one in Project Setup → API Clients with public-api:write and "
    "public-api:config:read, then run the same command again"
)
_NO_API = "is /proxy/api missing in the address?"
_MOST_SECONDS = 7 * 86_400
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the answers of one server: its address and API version, and the token it got (to
    keep it out of messages)."""

    base: str
    version: str
    token: Secret | None
    now: Callable[[], float]

    def read(self, answer: Answer, ask: Ask) -> Json:
        """The JSON of a success. Raises the LdimportError that fits anything else."""
        if not 200 <= answer.status < 300:
            raise self.refusal(answer, ask)
        if answer.status == HTTPStatus.NO_CONTENT:
            return None
        try:
            body: Json = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self._not_json(answer, ask) from None
        return body

    def refusal(self, answer: Answer, ask: Ask) -> LdimportError:
        """The error for a status that is no success."""
        body, status = _body(answer), answer.status
        if status == 429 and (quota := self._quota(body, answer)) is not None:
            return quota
        if status in (408, 425, 429) or status >= 500:
            return self._unavailable(answer, ask)
        make = _REFUSALS.get(status, Reader._other)
        if 300 <= status < 400:
            make = Reader._redirect
        error = make(self, answer, ask, body)
        error.facts = {"where": self._where(ask), **error.facts}
        if request_id := answer.headers.get("x-request-id"):
            error.facts["request id"] = self._words(request_id)
        return error

    # -- no success --

    def _unauthorized(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        host = host_of(self.base)
        if self.token is None:
            return AuthError(
                f"{host} asks for a token ({_status(answer)}) and there is none",
                hint="put it into the environment: LDIMPORT_TOKEN=…, or name a file by tokenFile",
            )
        said = self._said(body)
        why, hint = self._expiry(expires(self.token.reveal()), said)
        if self.token.source:
            why += f" · read from {self.token.source}"
        return AuthError(
            f"{host} refused the token ({_status(answer)})", hint=hint, facts={"why": why}
        )

    def _expiry(self, ends: float | None, said: str) -> tuple[str, str]:
        if ends is not None and ends <= self.now():
            day = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%d %H:%M UTC")
            return f"the token expired {day}", f"token expired: it ended {day}; {_RENEW}"
        if "expired" in said.lower():
            return f"the server says: {said}", f"token expired: {_RENEW}"
        if said:
            return f"the server says: {said}", _RENEW
        return "the server gave no reason", _RENEW

    def _forbidden(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        if answer.body and body is None:
            return ConfigError(
                f"something in front of {self.base} refused the request (403, but not as the API)",
                hint="a firewall or proxy may want this machine's address on its list",
                code="blocked",
            )
        return AuthError(
            f"The token lacks the scope {ask.scope} (403)",
            hint=f"make a token with {ask.scope} in Project Setup → API Clients",
            code="forbidden",
            facts={"why": self._said(body)} if self._said(body) else None,
        )

    def _not_found(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        if body is None and answer.body:
            return self._not_json(answer, ask)
        details = wire.error_details(body)
        if details.get("name") == "NotFound":
            return RefusedError(self._words(details.get("message", "not found")), code="not-found")
        return ConfigError(
            f"{self._url(ask)} does not exist on this server (404)",
            hint=f"{_NO_API} or is apiVersion {self.version} wrong?",
            code="no-such-route",
        )

    def _conflict(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        if ask.key is not None:
            text = self._said(body) or "the key of this batch was used for another one"
            return KeyConflictError(f"{host_of(self.base)} refused the batch (409): {text}")
        text = self._said(body) or "the entry has changed meanwhile"
        return RefusedError(f"{host_of(self.base)} refused (409): {text}", code="conflict")

    def _gone(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        return RefusedError(
            f"API {self.version} has been removed from this server (410)",
            hint="set apiVersion to a newer one, such as 2026-07",
            code="api-gone",
        )

    def _too_large(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        size = len(ask.body or b"")
        return TooLargeError(
            f"{host_of(self.base)} takes no batch of {size:,} bytes (413)",
            size=size,
            hint="send smaller batches: --batch-size",
        )

    def _invalid(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        details = {
            self._words(path): self._words(text) for path, text in wire.error_details(body).items()
        }
        what = "batch" if ask.path == "import/images" else "request"
        said = self._said(body) or "without saying why"
        message = f"{host_of(self.base)} refused the {what} ({answer.status}): {said}"
        return InvalidRequestError(details, message)

    def _redirect(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        goal = self._words(answer.headers.get("location", "")).split("?")[0]
        return ConfigError(
            f"{self._url(ask)} sends us elsewhere ({answer.status}): {goal or 'without a place'}",
            hint="set the target to the address of the API itself; the token goes nowhere else",
            code="redirect",
        )

    def _other(self, answer: Answer, ask: Ask, body: object) -> LdimportError:
        said = self._said(body)
        text = f"{host_of(self.base)} refused the request ({_status(answer)})"
        return RefusedError(f"{text}: {said}" if said else text)

    def _quota(self, body: object, answer: Answer) -> QuotaError | None:
        error = wire.quota_from_json(body, self._retry_after(answer))
        first = body[0] if isinstance(body, list) and body else body
        named = isinstance(first, dict) and first.get("error") == "Usage Limit Exceeded"
        return error if named or error.limit is not None else None

    def _unavailable(self, answer: Answer, ask: Ask) -> UnavailableError:
        return UnavailableError(
            f"{self.base} is not available for now ({_status(answer)})",
            arrived=answer.status not in (429, 503),
            code="busy" if answer.status in (429, 503) else "server-error",
            hint="run the same command again later; cron may simply repeat it",
            retry_after=self._retry_after(answer),
            facts={"where": self._where(ask)},
        )

    def _not_json(self, answer: Answer, ask: Ask) -> LdimportError:
        if answer.status < 300 and (not answer.body.strip() or "json" in answer.media_type):
            what = "cut off" if answer.body.strip() else "empty"
            return UnavailableError(
                f"the answer of {self.base} was {what}", arrived=True, code="broken-answer"
            )
        web = "html" in answer.media_type or answer.body.lstrip()[:1] == b"<"
        kind = "a web page" if web else (answer.media_type or "something unknown")
        return ConfigError(
            f"{self._url(ask)} answered with {kind}, not with the API "
            f"({answer.status} {answer.media_type})",
            hint=_NO_API,
            code="not-json",
        )

    # -- words --

    def _said(self, body: object) -> str:
        """The server's own words, whichever of its envelopes they came in."""
        first = body[0] if isinstance(body, list) and body else body
        details = wire.error_details(body)
        for key in ("message", "access_token"):
            if key in details:
                return self._words(details[key])
        if details:
            path, text = next(iter(details.items()))
            return self._words(f"{path}: {text}")
        error = first.get("error") if isinstance(first, dict) else None
        return self._words(error) if isinstance(error, str) else ""

    def _words(self, text: str) -> str:
        """One short line without control signs, and without the token."""
        masked = self.token.mask(text) if self.token is not None else text
        line = " ".join(masked.split())
        return "".join(sign for sign in line if sign.isprintable())[:_LONGEST]

    def _url(self, ask: Ask) -> str:
        return endpoint(self.base, self.version, ask.path)

    def _where(self, ask: Ask) -> str:
        return f"{ask.method} {self._url(ask)}"

    def _retry_after(self, answer: Answer) -> float | None:
        """Seconds as the server says; None where it does not, or names more than a week."""
        wanted = retry_after.seconds(answer.headers.get("retry-after"), self.now(), math.inf)
        return wanted if wanted is not None and wanted <= _MOST_SECONDS else None


_REFUSALS: dict[int, Callable[[Reader, Answer, Ask, Any], LdimportError]] = {
    400: Reader._invalid,
    401: Reader._unauthorized,
    403: Reader._forbidden,
    404: Reader._not_found,
    409: Reader._conflict,
    410: Reader._gone,
    413: Reader._too_large,
    422: Reader._invalid,
}


def _body(answer: Answer) -> Any:
    """The JSON of an error answer, None where it is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _status(answer: Answer) -> str:
    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return str(answer.status)
