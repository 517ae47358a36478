"""Requests on the wire: one connection pool, limits on every answer, repeats with backoff."""

import logging
import math
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
import tenacity

from ldimport import __version__, wire
from ldimport.api_versions import farewell
from ldimport.authorities import TRUST_ANOTHER, check_ca_file
from ldimport.client.answers import AnswerReader, ApiAnswer, ApiCall, UnavailableError
from ldimport.client.patience import Patience, Tell
from ldimport.credentials import Secret
from ldimport.errors import ConfigError, LdimportError, TemporaryError
from ldimport.model import Json
from ldimport.url import endpoint, is_loopback

TRIES = 8
MAX_WAIT = 60.0
"""Seconds between two tries at most, whatever ``Retry-After`` says."""
LEAST_SILENCE = 0.5
CONNECT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64_000_000
ANSWER_TIMEOUTS = 10
"""A whole answer may take this many times the timeout, should it trickle."""

_Error = TypeVar("_Error", bound=BaseException)

_KEEP_SECONDS = 4.0  # Livingdocs closes idle connections after 5 s
_PROXIES = "look at HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "proxy", "socks")))
_NEVER_ARRIVED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Time: seconds of silence allowed, seconds spent on repeats, where time comes from, and
    when by ``clock`` nothing is waited for any more."""

    timeout: float
    patience: float
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    now: Callable[[], float]
    until: float = math.inf

    @property
    def silence(self) -> float:
        """Seconds of silence allowed from now on; after the end still enough for a quick answer."""
        return min(self.timeout, max(LEAST_SILENCE, self.until - self.clock()))


class Transport:
    """Sends what the client asks and gives back the JSON of the answer."""

    def __init__(
        self,
        base: str,
        version: str,
        token: Secret | None,
        policy: RetryPolicy,
        insecure: bool,
        network: httpx.BaseTransport | None,
        ca_file: str | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._base, self._version, self._policy = base, version, policy
        self._reader = AnswerReader(base, version, token, policy.now)
        self._patience = Patience(base, tell, policy.now)
        self._masking = _masking(token)
        self.clock_ahead: float | None = None
        certificates = _certificates(insecure, ca_file)
        try:
            self._http = httpx.Client(
                headers={"User-Agent": f"ldimport/{__version__}", "Accept": "application/json"},
                auth=None if token is None else _bearer(token),
                verify=certificates,
                trust_env=not is_loopback(base),  # no proxy leads to this very machine
                limits=httpx.Limits(keepalive_expiry=_KEEP_SECONDS),
                transport=network,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:  # they quote its address
            raise _unusable_proxy(error) from None
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._masking)

    def close(self) -> None:
        """Close the pool."""
        self._http.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._masking)

    def send(self, call: ApiCall) -> Json:
        """Ask, and ask again while that makes sense. Raises LdimportErrors only."""
        policy = self._policy
        started = policy.clock()
        ends = min(started + policy.patience, policy.until)

        def worth_it(error: BaseException) -> bool:
            return isinstance(error, UnavailableError) and (call.repeatable or not error.arrived)

        def enough(state: tenacity.RetryCallState) -> bool:
            late = policy.clock() + state.upcoming_sleep >= ends
            return late or state.attempt_number >= TRIES

        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception(worth_it),
            wait=_wait,
            stop=enough,
            sleep=policy.sleep,
            before_sleep=self._failed,
            reraise=True,
        )
        try:
            answer = again(self._once, call)
        except UnavailableError as error:
            tries = again.statistics.get("attempt_number", 1)
            raise _given_up(error, tries, policy.clock() - started) from _bare(error)
        except LdimportError as error:
            self._patience.answered()
            _bare(error)
            raise
        self._patience.answered()
        return answer

    def _failed(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        why = error.message if isinstance(error, UnavailableError) else str(error)
        self._patience.failed(why, state.upcoming_sleep)

    def _once(self, call: ApiCall) -> Json:
        silence = self._policy.silence
        try:
            with self._patience.asking():
                answer = self._exchange(call, silence)
        except httpx.HTTPError as error:
            raise _explained(error, self._base, silence) from error
        return self._reader.read(answer, call)

    def _exchange(self, call: ApiCall, silence: float) -> ApiAnswer:
        headers = {} if call.key is None else {"Idempotency-Key": call.key}
        if call.lenient:
            headers["Prefer"] = wire.LENIENT
        if call.body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        with self._http.stream(
            call.method,
            endpoint(self._base, self._version, call.path),
            params=call.params or None,
            content=call.body,
            headers=headers,
            timeout=httpx.Timeout(silence, connect=min(silence, CONNECT_SECONDS)),
        ) as response:
            body = self._body(response, silence)
        found = {name.lower(): value for name, value in response.headers.items()}
        self.clock_ahead = clock_ahead(found.get("date"), self._policy.now())
        self._patience.announce(farewell(found, self._version, self._policy.now()))
        return ApiAnswer(response.status_code, found, body)

    def _body(self, response: httpx.Response, silence: float) -> bytes:
        started = self._policy.clock()
        longest = ANSWER_TIMEOUTS * silence
        ends = min(started + longest, max(started + silence, self._policy.until))
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                text = f"{self._base} answers without end (more than {MAX_ANSWER_BYTES:,} bytes)"
                raise ConfigError(text, code="unexpected-answer")
            if self._policy.clock() > ends:
                text = f"{self._base} took more than {ends - started:.3g} s for one answer"
                raise UnavailableError(text, arrived=True, code="unreachable")
        return b"".join(parts)


def clock_ahead(date: str | None, now: float) -> float | None:
    """How many seconds the clock that wrote this ``Date`` (RFC 9110 6.6.1) is ahead of ``now``."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - now
    except (ValueError, OverflowError):
        return None


_backoff = tenacity.wait_random_exponential(multiplier=1, max=30)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, UnavailableError) else None
    return _backoff(state) if asked is None else min(asked, MAX_WAIT)


def _given_up(error: UnavailableError, tries: int, seconds: float) -> TemporaryError:
    spent = f", {tries} tries in {_duration(seconds)}" if tries > 1 else ""
    hint = error.hint or "run the same command again later; it goes on where it stopped"
    return TemporaryError(f"{error.message}{spent}", hint=hint, code=error.code, facts=error.facts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _certificates(insecure: bool, ca_file: str | None) -> ssl.SSLContext:
    """The certificates to trust: those of ``ca_file``, else as httpx finds them: SSL_CERT_FILE,
    SSL_CERT_DIR, certifi."""
    if ca_file is not None and not insecure:
        check_ca_file(ca_file)
        return ssl.create_default_context(cafile=ca_file)
    try:
        return httpx.create_ssl_context(verify=not insecure)
    except OSError as error:
        raise ConfigError(
            f"the certificates named by SSL_CERT_FILE or SSL_CERT_DIR cannot be used: "
            f"{error.strerror or error}",
            code="tls",
        ) from error


def _unusable_proxy(error: Exception) -> ConfigError:
    why = "is none of http:// or https://"
    if isinstance(error, ImportError):
        why = "speaks SOCKS, which needs pip install 'httpx[socks]'"
    text = f"the proxy that the environment names {why}"
    return ConfigError(text, hint=_PROXIES, code="proxy")


def _bearer(token: Secret) -> Callable[[httpx.Request], httpx.Request]:
    """Sets the Authorization header at the last moment, so that no other object holds it."""

    def authorised(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
        return request

    return authorised


def _masking(token: Secret | None) -> Callable[[logging.LogRecord], bool]:
    """Keeps the token out of the HTTP library's debug lines, should a server send it back."""

    def masked(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if token is not None and (shown := token.mask(text)) != text:
            record.msg, record.args = shown, ()
        return True

    return masked


# -- when no answer came: what httpx says, in words for a person ---------------------------


def _explained(error: httpx.HTTPError, base: str, timeout: float) -> LdimportError:
    """The error to raise instead of ``error``: ConfigError for TLS, else UnavailableError."""
    tls = next((each for each in _chain(error) if isinstance(each, ssl.SSLError)), None)
    if tls is not None and not isinstance(tls, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return _tls(tls, base)
    why, hint = _why(error, timeout), "run the same command again later; cron may simply repeat it"
    if isinstance(error, httpx.ProxyError):
        why, hint = f"the proxy refused: {error}", _PROXIES
    return UnavailableError(
        f"{base} did not answer: {why}",
        arrived=not isinstance(error, _NEVER_ARRIVED),
        code="unreachable",
        hint=hint,
    )


def _why(error: httpx.HTTPError, timeout: float) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {min(timeout, CONNECT_SECONDS):.3g} s"
    if isinstance(error, httpx.TimeoutException):
        return f"silent for {timeout:.3g} s"
    if isinstance(error, httpx.DecodingError):
        return "its answer was damaged on the way"
    cause = next((each for each in _chain(error) if isinstance(each, OSError)), None)
    if isinstance(cause, socket.gaierror):
        return "its name is not known to the DNS"
    if isinstance(cause, ConnectionError):
        return "connection refused" if isinstance(cause, ConnectionRefusedError) else "it hung up"
    if isinstance(error, httpx.RemoteProtocolError):
        return "it hung up, or does not speak HTTP"
    return (cause.strerror if cause is not None else None) or "the connection broke"


def _tls(error: ssl.SSLError, base: str) -> ConfigError:
    """A certificate that does not hold, or no TLS at all: never solved by trying again."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"The certificate of {base} is not valid: {error.verify_message}"
        hint = f"if your organisation has a CA of its own, {TRUST_ANOTHER}"
        if "expired" in error.verify_message or "not yet valid" in error.verify_message:
            hint = "if it is valid, the clock of this machine is wrong"
    else:
        reason = (error.reason or "the handshake failed").replace("_", " ").lower()
        text = f"{base} speaks no TLS we understand: {reason}"
        hint = "does the server speak plain HTTP? then the address begins with http://"
    return ConfigError(text, hint=hint, code="tls")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _bare(error: _Error) -> _Error:
    """``error`` with the local variables of finished frames dropped from its tracebacks: those
    of the HTTP library hold the request's headers, and some tools print locals."""
    for each in _chain(error):
        traceback.clear_frames(each.__traceback__)
    return error
