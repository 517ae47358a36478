"""When no answer came: what httpx says, in words for a person."""

from __future__ import annotations

import socket
import ssl
import traceback
from collections.abc import Iterator
from typing import TypeVar

import httpx

from ldimport.client.messages import UnavailableError
from ldimport.errors import ConfigError, LdimportError

_Error = TypeVar("_Error", bound=BaseException)

CONNECT_SECONDS = 10.0

_NEVER_ARRIVED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


def explained(error: httpx.HTTPError, base: str, timeout: float) -> LdimportError:
    """The error to raise instead of ``error``: ConfigError for TLS, else UnavailableError."""
    tls = next((each for each in chain(error) if isinstance(each, ssl.SSLError)), None)
    if tls is not None and not isinstance(tls, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return _tls(tls, base)
    why, hint = _why(error, timeout), "run the same command again later; cron may simply repeat it"
    if isinstance(error, httpx.ProxyError):
        why, hint = f"the proxy refused: {error}", "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
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
    cause = next((each for each in chain(error) if isinstance(each, OSError)), None)
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
        hint = "if your organisation has a CA of its own, set SSL_CERT_FILE to its certificate"
        if "expired" in error.verify_message or "not yet valid" in error.verify_message:
            hint = "if it is valid, the clock of this machine is wrong"
    else:
        reason = (error.reason or "the handshake failed").replace("_", " ").lower()
        text = f"{base} speaks no TLS we understand: {reason}"
        hint = "does the server speak plain HTTP? then the address begins with http://"
    return ConfigError(text, hint=hint, code="tls")


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def bare(error: _Error) -> _Error:
    """``error`` with the local variables of finished frames dropped from its tracebacks: those
    of the HTTP library hold the request's headers, and some tools print locals."""
    for each in chain(error):
        traceback.clear_frames(each.__traceback__)
    return error
