"""A call, its raw answer, and what that means: its JSON, or the error that says what to do."""

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

import orjson

from ldimport import retry_after, wire
from ldimport.api_versions import advised
from ldimport.credentials import Secret, expires
from ldimport.errors import (
    AuthError,
    ConfigError,
    InvalidRequestError,
    KeyConflictError,
    LdimportError,
    QuotaError,
    RefusedError,
    TemporaryError,
    TooLargeError,
    UnexpectedAnswerError,
)
from ldimport.model import Json
from ldimport.url import endpoint, host_of, without_secrets

_RENEW = (
    "make a new one in Project Setup → API Clients with public-api:write and "
    "public-api:config:read, then run the same command again"
)
_NO_API = "is /proxy/api missing in the address?"
_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_MOST_SECONDS = 7 * 86_400
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request below ``/api/<version>/``. ``scope`` is what the token needs for it;
    ``repeatable`` whether it may be sent again when it may have arrived the first time;
    ``lenient``: with this preference."""

    method: str
    path: str
    scope: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    key: str | None = None
    repeatable: bool = True
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What came back, whole. ``headers`` are by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class UnavailableError(TemporaryError):
    """It may work in a moment. ``arrived``: the server may have acted on the request;
    ``retry_after``: seconds it asked to wait."""

    def __init__(
        self, message: str, *, arrived: bool, retry_after: float | None = None, **others: Any
    ) -> None:
        super().__init__(message, **others)
        self.arrived = arrived
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answers of one server: its address and API version, and the token it got (to
    keep it out of messages)."""

    base: str
    version: str
    token: Secret | None
    now: Callable[[], float]

    def read(self, answer: ApiAnswer, call: ApiCall) -> Json:
        """The JSON of a success. Raises the LdimportError that fits anything else."""
        if not 200 <= answer.status < 300:
            raise _FailedAnswer(self, answer, call).error()
        if answer.status == HTTPStatus.NO_CONTENT:
            return None
        with suppress(orjson.JSONDecodeError):  # which is quick, and takes less
            quick: Json = orjson.loads(answer.body)
            return quick
        try:
            text = answer.body.decode("utf-8-sig")  # never UTF-16, as by itself
            body: Json = json.loads(text)
            if _HALF_OF_A_PAIR.search(text):  # which no text may hold
                pairs = json.dumps(body, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
                body = json.loads(pairs.decode("utf-16-le", "replace"))
        except (ValueError, RecursionError) as error:
            whole = isinstance(error, RecursionError) or type(error) is ValueError
            whole = whole and "json" in answer.media_type
            failed = _FailedAnswer(self, answer, call)
            raise (failed.beyond() if whole else failed.not_json()) from None
        return body


@dataclass
class _FailedAnswer:
    """An answer that is no success, made into the error that fits."""

    reader: AnswerReader
    answer: ApiAnswer
    call: ApiCall

    def error(self) -> LdimportError:
        status = self.answer.status
        if status == 429 and (quota := self._quota()) is not None:
            return quota
        if status in (408, 425, 429) or status >= 500:
            return self._unavailable()
        kind = 300 if 300 <= status < 400 else status
        error = _ERRORS.get(kind, _FailedAnswer.other)(self)
        error.facts = {"where": self._where, **error.facts}
        if request_id := self.answer.headers.get("x-request-id"):
            error.facts["request id"] = self._words(request_id)
        return error

    def unauthorized(self) -> LdimportError:
        token = self.reader.token
        if token is None:
            text = f"{self.host} asks for a token ({self.status}) and there is none"
            hint = "put it into the environment: LDIMPORT_TOKEN=…, or name a file by tokenFile"
            return AuthError(text, hint=hint)
        why, hint = self._expiry(token)
        if token.source:
            why += f" · read from {token.source}"
        text = f"{self.host} refused the token ({self.status})"
        return AuthError(text, hint=hint, facts={"why": why})

    def _expiry(self, token: Secret) -> tuple[str, str]:
        ends = expires(token.reveal())
        if ends is not None and ends <= self.reader.now():
            day = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%d %H:%M UTC")
            return f"the token expired {day}", f"token expired: it ended {day}; {_RENEW}"
        why = f"the server says: {self.said}" if self.said else "the server gave no reason"
        return why, f"token expired: {_RENEW}" if "expired" in self.said.lower() else _RENEW

    def forbidden(self) -> LdimportError:
        if self.answer.body and self.body is None:
            return ConfigError(
                f"something in front of {self.reader.base} refused the request (403, but not as "
                "the API)",
                hint="a firewall or proxy may want this machine's address on its list",
                code="blocked",
            )
        scope = self.call.scope
        return AuthError(
            f"The token lacks the scope {scope} (403)",
            hint=f"make a token with {scope} in Project Setup → API Clients",
            code="forbidden",
            facts={"why": self.said} if self.said else None,
        )

    def not_found(self) -> LdimportError:
        if self.body is None and self.answer.body:
            return self.not_json()
        details = wire.error_details(self.body)
        if details.get("name") == "NotFound":
            return RefusedError(self._words(details.get("message", "not found")), code="not-found")
        text = f"{self._url} does not exist on this server (404)"
        hint = f"{_NO_API} or is apiVersion {self.reader.version} wrong?"
        return ConfigError(text, hint=hint, code="no-such-route")

    def conflict(self) -> LdimportError:
        if self.call.key is not None:
            text = self.said or "the key of this batch was used for another one"
            return KeyConflictError(f"{self.host} refused the batch (409): {text}")
        text = self.said or "the entry has changed meanwhile"
        return RefusedError(f"{self.host} refused (409): {text}", code="conflict")

    def gone(self) -> LdimportError:
        text = f"API {self.reader.version} has been removed from this server (410)"
        hint = f"set apiVersion to a newer one, such as {advised(self.reader.now())}"
        return RefusedError(text, hint=hint, code="api-gone")

    def too_large(self) -> LdimportError:
        size = len(self.call.body or b"")
        text = f"{self.host} takes no batch of {size:,} bytes (413)"
        return TooLargeError(text, size=size, hint="send smaller batches: --batch-size")

    def invalid(self) -> LdimportError:
        details = wire.error_details(self.body).items()
        what = "batch" if self.call.path == "import/images" else "request"
        said = self.said or "without saying why"
        return InvalidRequestError(
            {self._words(path): self._words(text) for path, text in details},
            f"{self.host} refused the {what} ({self.answer.status}): {said}",
        )

    def other(self) -> LdimportError:
        text = f"{self.host} refused the request ({self.status})"
        return RefusedError(f"{text}: {self.said}" if self.said else text)

    def redirect(self) -> LdimportError:
        goal = self._words(self.answer.headers.get("location", "")).split("?")[0]
        text = f"{self._url} sends us elsewhere ({self.answer.status}): {goal or 'without a place'}"
        hint = "set the target to the address of the API itself; the token goes nowhere else"
        return ConfigError(text, hint=hint, code="redirect")

    def _quota(self) -> QuotaError | None:
        error = wire.quota_from_json(self.body, self._retry_after)
        named = wire.envelope(self.body).get("error") == "Usage Limit Exceeded"
        return error if named or error.limit is not None else None

    def _unavailable(self) -> UnavailableError:
        busy = self.answer.status in (429, 503)
        return UnavailableError(
            f"{self.reader.base} is not available for now ({self.status})",
            arrived=not busy,
            code="busy" if busy else "server-error",
            hint="run the same command again later; cron may simply repeat it",
            retry_after=self._retry_after,
            facts={"where": self._where},
        )

    def beyond(self) -> LdimportError:
        """JSON that is whole and no program of ours reads."""
        text = f"{self._url} answered with JSON nested too deeply, or with a number too long"
        return UnexpectedAnswerError(text, hint="tell whoever runs the server")

    def not_json(self) -> LdimportError:
        status, media_type = self.answer.status, self.answer.media_type
        body = self.answer.body.strip()
        if status < 300 and (not body or "json" in media_type):
            text = f"the answer of {self.reader.base} was {'cut off' if body else 'empty'}"
            return UnavailableError(text, arrived=True, code="broken-answer")
        web = "html" in media_type or body[:1] == b"<"
        kind = "a web page" if web else (media_type or "something unknown")
        text = f"{self._url} answered with {kind}, not with the API ({status} {media_type})"
        return ConfigError(text, hint=_NO_API, code="not-json")

    # -- words --

    @cached_property
    def body(self) -> Any:
        """The JSON of the answer, None where it is none."""
        try:
            return json.loads(self.answer.body)
        except (ValueError, RecursionError):
            return None

    @property
    def status(self) -> str:
        try:
            return f"{self.answer.status} {HTTPStatus(self.answer.status).phrase}"
        except ValueError:
            return str(self.answer.status)

    @property
    def host(self) -> str:
        return host_of(self.reader.base)

    @cached_property
    def said(self) -> str:
        """The server's own words, whichever of its envelopes they came in."""
        details = wire.error_details(self.body)
        for key in ("message", "access_token"):
            if key in details:
                return self._words(details[key])
        if details:
            path, text = next(iter(details.items()))
            return self._words(f"{path}: {text}")
        error = wire.envelope(self.body).get("error")
        return self._words(error) if isinstance(error, str) else ""

    def _words(self, text: str) -> str:
        """One short line without control signs, the token and what URLs should not show."""
        token = self.reader.token
        line = " ".join((text if token is None else token.mask(text)).split())
        return without_secrets("".join(sign for sign in line if sign.isprintable()))[:_LONGEST]

    @property
    def _url(self) -> str:
        return endpoint(self.reader.base, self.reader.version, self.call.path)

    @property
    def _where(self) -> str:
        return f"{self.call.method} {self._url}"

    @property
    def _retry_after(self) -> float | None:
        """Seconds as the server says; None where it does not, or names more than a week."""
        text = self.answer.headers.get("retry-after")
        wanted = retry_after.seconds(text, self.reader.now(), math.inf)
        return wanted if wanted is not None and wanted <= _MOST_SECONDS else None


_ERRORS: dict[int, Callable[[_FailedAnswer], LdimportError]] = {
    300: _FailedAnswer.redirect,
    400: _FailedAnswer.invalid,
    401: _FailedAnswer.unauthorized,
    403: _FailedAnswer.forbidden,
    404: _FailedAnswer.not_found,
    409: _FailedAnswer.conflict,
    410: _FailedAnswer.gone,
    413: _FailedAnswer.too_large,
    422: _FailedAnswer.invalid,
}
