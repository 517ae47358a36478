"""libcurl's errors in words for a person, and whether they may pass by themselves."""

from __future__ import annotations

import re

import pycurl

from ldimport.causes import Cause
from ldimport.errors import Rejected

_NOT_REACHED = {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST}
_WEIRD_SERVER_REPLY, _TOO_LARGE = 8, 100  # pycurl has no names for these
_BROKEN_HTTP = {_WEIRD_SERVER_REPLY, pycurl.E_BAD_CONTENT_ENCODING}
_LOST_ON_THE_WAY = {pycurl.E_GOT_NOTHING, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR}
_LOST = re.compile(r"SYSCALL|reset|unexpected eof|Recv failure|Send failure", re.IGNORECASE)
_MALFORMED = re.compile(r"chunk|header", re.IGNORECASE)


def failure(error: int, text: str, place: str, seconds: float, connected: bool) -> Rejected:
    """What libcurl's ``error`` (its message is ``text``) means for an exchange with ``place``
    that might take ``seconds`` and was ``connected`` or not. Its message is shown only where it
    cannot hold a URL."""
    timed_out = error == pycurl.E_OPERATION_TIMEDOUT
    if error in _NOT_REACHED or (timed_out and not connected):
        return Rejected(Cause.UNREACHABLE, f"could not connect to {place}")
    if timed_out:
        return Rejected(Cause.TIMEOUT, f"{place} took longer than {seconds:.3g} s to send the file")
    if error == pycurl.E_PARTIAL_FILE:
        return Rejected(
            Cause.INCOMPLETE, f"connection closed by {place} before the whole file arrived"
        )
    if error in _LOST_ON_THE_WAY and not _MALFORMED.search(text):
        return Rejected(Cause.CONNECTION_LOST, f"connection closed by {place}")
    return _secure(error, text, place) or _protocol(error, text, place)


def _secure(error: int, text: str, place: str) -> Rejected | None:
    if error == pycurl.E_SSL_CONNECT_ERROR and _LOST.search(text):
        return Rejected(Cause.CONNECTION_LOST, f"connection closed by {place}")
    if error in (pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION):
        return Rejected(Cause.TLS, f"no secure connection: {text.strip()} ({place})")
    return None


def _protocol(error: int, text: str, place: str) -> Rejected:
    if error == pycurl.E_UNSUPPORTED_PROTOCOL:
        return Rejected(Cause.BAD_HTTP, f"origin does not answer in HTTP ({place})")
    if error == _TOO_LARGE:
        return Rejected(
            Cause.BAD_HTTP, f"origin sends headers that are too large or too many ({place})"
        )
    if error in _BROKEN_HTTP or error in _LOST_ON_THE_WAY:
        why = f": {text.strip()}" if text.strip() else ""
        return Rejected(Cause.BAD_HTTP, f"origin breaks the rules of HTTP{why} ({place})")
    return Rejected(Cause.TRANSFER, f"the transfer from {place} failed (libcurl error {error})")
