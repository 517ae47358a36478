"""What a fetch begins with and ends in, and what an origin's answer means for an image: its bytes,
another place, or no, and for how long."""

import re
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from ldimport.causes import Cause
from ldimport.errors import Rejected, over_bytes
from ldimport.net.exchange import Answer

REDIRECTS = frozenset((301, 302, 303, 307, 308))
MAX_RETRY_AFTER = 30.0
"""Seconds an origin may ask us to wait within the tries of one image."""

_FIRST_WAIT = 0.5
_WAIT_FACTOR = 4.0
_GZIP = frozenset(("gzip", "x-gzip"))
_COMPRESSIONS = _GZIP | {"deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz", "exi",
                         "bzip2", "xz", "lzma", "pack200-gzip"}  # fmt: skip
"""Codings that change the bytes: IANA's list, and what servers use beside it."""
_GZIP_MAGIC = b"\x1f\x8b"
_PLAIN = re.compile(r"[\x20-\x7e]{1,1000}")


class FetchSource(NamedTuple):
    """A URL to fetch. With ``etag`` or ``last_modified`` (as the origin gave them) it is asked
    whether anything changed. ``tag`` is the caller's own and comes back untouched."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    tag: object = None

    @property
    def conditions(self) -> list[str]:
        """Request headers that ask whether anything changed; values that would not survive a
        header line are left out."""
        if not self.etag and not self.last_modified:
            return []
        pairs = (("If-None-Match", self.etag), ("If-Modified-Since", self.last_modified))
        return [f"{name}: {value}" for name, value in pairs if value and _PLAIN.fullmatch(value)]


class Fetched(NamedTuple):
    """The bytes of a source, or ``not_modified`` with none; ``notes`` as in ``model.Facts``."""

    source: FetchSource
    body: bytes
    etag: str | None
    last_modified: str | None
    not_modified: bool
    notes: tuple[str, ...] = ()


class NotFetched(NamedTuple):
    """A source that was given up, and why."""

    source: FetchSource
    rejected: Rejected


class Postponed(NamedTuple):
    """A source that was not tried, since its host stalls and enough others wait there."""

    source: FetchSource


FetchOutcome = Fetched | NotFetched | Postponed


def screen_image(status: int, headers: Mapping[str, str], max_bytes: int) -> Rejected | None:
    """A look at the headers that refuses, before any body is read, what is too large by its own
    account and what is compressed in a way that we do not read."""
    if status != 200:
        return None
    for coding in _compressions(headers):
        if coding not in _GZIP:
            reason = f"origin sent the file compressed ({coding}), although asked not to"
            return Rejected(Cause.ENCODED_BODY, reason)
    declared = headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > max_bytes:
        return over_bytes(f"{int(declared):,} bytes", max_bytes)
    return None


def fetched(source: FetchSource, answer: Answer, max_bytes: int, user_agent: str = "") -> Fetched:
    """The image that an answer brings, or that it has not changed. Raises Rejected for any other
    status (403 may be for who asks: it names ``user_agent``), and if the bytes are too many, none,
    or not all there."""
    not_modified = answer.status == 304 and bool(source.etag or source.last_modified)
    if answer.status != 200 and not not_modified:
        why = Cause.ORIGIN_STATUS.with_(status=answer.status)
        told = f" to the User-Agent “{user_agent}”" if answer.status == 403 and user_agent else ""
        raise Rejected(why, f"origin answered {answer.status}{told}")
    body = b"" if not_modified else _body(answer, max_bytes)
    notes: tuple[str, ...] = ()
    for _ in _compressions(answer.headers):
        if body.startswith(_GZIP_MAGIC):  # else it says so, and is not
            body, notes = _unpacked(body, max_bytes), (Cause.UNPACKED.code,)
    etag, last_modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    return Fetched(source, body, etag, last_modified, not_modified, notes)


def _body(answer: Answer, max_bytes: int) -> bytes:
    if answer.cut:
        raise over_bytes(f"more than {max_bytes:,} bytes", max_bytes)
    if answer.broken is not None:
        raise answer.broken
    if not answer.body:
        raise Rejected(Cause.EMPTY, "origin sent an empty file")
    return answer.body


def _compressions(headers: Mapping[str, str]) -> list[str]:
    """The compressions that ``Content-Encoding`` names. What names none (``none``, ``UTF-8``,
    ``aws-chunked``: object stores repeat what they were told at the upload) changes no byte."""
    if "content-encoding" not in headers:
        return []
    named = headers["content-encoding"].lower().split(",")
    return [coding for coding in map(str.strip, named) if coding in _COMPRESSIONS]


def _unpacked(packed: bytes, max_bytes: int) -> bytes:
    """The content of gzip; bytes behind its end count for nothing, as in browsers. Raises Rejected
    ``too-many-bytes``, ``incomplete`` or ``encoded-body``."""
    stream = zlib.decompressobj(wbits=31)
    try:
        body = stream.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise Rejected(Cause.ENCODED_BODY, "origin sent the file as damaged gzip") from error
    if len(body) > max_bytes:
        raise over_bytes(f"more than {max_bytes:,} bytes", max_bytes)
    if not stream.eof:
        raise Rejected(Cause.INCOMPLETE, "origin sent the file as gzip, and not all of it")
    return body


def backoff(tries: int, chance: float) -> float:
    """Seconds to wait after ``tries`` tries; ``chance`` (0 to 1) spreads those who wait."""
    return _FIRST_WAIT * _WAIT_FACTOR ** (tries - 1) * (0.5 + chance / 2)
