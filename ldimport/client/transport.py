"""Requests on the wire: one connection pool, limits on every answer, repeats with backoff."""

from __future__ import annotations

import logging
import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import tenacity

from ldimport import __version__
from ldimport.client.answers import AnswerReader
from ldimport.client.messages import ApiAnswer, ApiCall, UnavailableError
from ldimport.client.network_errors import CONNECT_SECONDS, bare, explained
from ldimport.credentials import Secret
from ldimport.errors import ConfigError, LdimportError, TemporaryError
from ldimport.model import Json
from ldimport.url import endpoint, is_loopback

TRIES = 8
MAX_WAIT = 60.0
"""Seconds between two tries at most, whatever ``Retry-After`` says."""
LEAST_SILENCE = 0.5
MAX_ANSWER_BYTES = 64_000_000
ANSWER_TIMEOUTS = 10
"""A whole answer may take this many times the timeout, should it trickle."""

_KEEP_SECONDS = 4.0  # Livingdocs closes idle connections after 5 s
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "proxy", "socks")))


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
    ) -> None:
        self._base, self._version, self._policy = base, version, policy
        self._reader = AnswerReader(base, version, token, policy.now)
        self._masking = _masking(token)
        self._http = httpx.Client(
            headers={"User-Agent": f"ldimport/{__version__}", "Accept": "application/json"},
            auth=None if token is None else _bearer(token),
            verify=_certificates(insecure),
            trust_env=not is_loopback(base),  # no proxy leads to this very machine
            limits=httpx.Limits(keepalive_expiry=_KEEP_SECONDS),
            transport=network,
        )
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
            reraise=True,
        )
        try:
            return again(self._once, call)
        except UnavailableError as error:
            tries = again.statistics.get("attempt_number", 1)
            raise _given_up(error, tries, policy.clock() - started) from bare(error)
        except LdimportError as error:
            bare(error)
            raise

    def _once(self, call: ApiCall) -> Json:
        silence = self._policy.silence
        try:
            answer = self._exchange(call, silence)
        except httpx.HTTPError as error:
            raise explained(error, self._base, silence) from error
        return self._reader.read(answer, call)

    def _exchange(self, call: ApiCall, silence: float) -> ApiAnswer:
        headers = {} if call.key is None else {"Idempotency-Key": call.key}
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
                raise ConfigError(
                    f"{self._base} answers without end (more than {MAX_ANSWER_BYTES:,} bytes)",
                    code="unexpected-answer",
                )
            if self._policy.clock() > ends:
                raise UnavailableError(
                    f"{self._base} took more than {ends - started:.3g} s for one answer",
                    arrived=True,
                    code="unreachable",
                )
        return b"".join(parts)


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


def _certificates(insecure: bool) -> ssl.SSLContext:
    """The certificates to trust, as httpx finds them: SSL_CERT_FILE, SSL_CERT_DIR, certifi."""
    try:
        return httpx.create_ssl_context(verify=not insecure)
    except OSError as error:
        raise ConfigError(
            f"the certificates named by SSL_CERT_FILE or SSL_CERT_DIR cannot be used: "
            f"{error.strerror or error}",
            code="tls",
        ) from error


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
