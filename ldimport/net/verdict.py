"""What an origin's answer means for an image: its bytes, another place, or no, and for how long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.net.exchange import Answer, Screen

REDIRECTS = frozenset((301, 302, 303, 307, 308))
MAX_RETRY_AFTER = 30.0
"""Seconds an origin may ask us to wait within the tries of one image."""

_FIRST_WAIT = 0.5
_WAIT_FACTOR = 4.0


def screen_images(max_bytes: int) -> Screen:
    """A look at the headers that refuses, before any body is read, what is too large by its own
    account and what is encoded: a few kilobytes of gzip may stand for gigabytes."""

    def screen(status: int, headers: Mapping[str, str]) -> Rejected | None:
        if status != 200:
            return None
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            return Rejected(
                Cause.ENCODED_BODY, "origin sent the file encoded, although asked not to"
            )
        declared = headers.get("content-length", "")
        if declared.isdecimal() and len(declared) < 20 and int(declared) > max_bytes:
            return over_bytes(f"{int(declared):,} bytes", max_bytes)
        return None

    return screen


def over_bytes(size: str, max_bytes: int) -> Rejected:
    """The refusal of a file of ``size`` (in words)."""
    return Rejected(Cause.TOO_MANY_BYTES, f"the file has {size}, the limit is {max_bytes:,}")


def image_body(answer: Answer, max_bytes: int) -> bytes:
    """The bytes of a 200. Raises Rejected if they are too many, none, or not all there."""
    if answer.cut:
        raise over_bytes(f"more than {max_bytes:,} bytes", max_bytes)
    if answer.broken is not None:
        raise answer.broken
    if not answer.body:
        raise Rejected(Cause.EMPTY, "origin sent an empty file")
    return answer.body


def refused_status(status: int) -> Rejected:
    """The refusal for a status that brings no image, retryable if it is a passing one."""
    return Rejected(Cause.ORIGIN_STATUS.with_(status=status), f"origin answered {status}")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that ``Retry-After`` (seconds or a date) asks to wait at ``now`` (Unix seconds),
    capped; None if there is none or it makes no sense."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,20}", text):
        return min(float(text), MAX_RETRY_AFTER)
    try:
        wanted = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wanted, 0.0), MAX_RETRY_AFTER)


def backoff(tries: int, chance: float) -> float:
    """Seconds to wait after ``tries`` tries; ``chance`` (0 to 1) spreads those who wait."""
    return _FIRST_WAIT * _WAIT_FACTOR ** (tries - 1) * (0.5 + chance / 2)


def conditions(etag: str | None, last_modified: str | None) -> list[str]:
    """Request headers that ask whether anything changed; values that would not survive a
    header line are left out."""
    pairs = (("If-None-Match", etag), ("If-Modified-Since", last_modified))
    return [f"{name}: {value}" for name, value in pairs if value and _PLAIN.fullmatch(value)]


_PLAIN = re.compile(r"[\x20-\x7e]{1,1000}")
