"""Stored originals over HTTP, safe for a browser whatever their bytes are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from io import BufferedIOBase
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from ldimport.engine.records import StoredImage
from ldimport.model import ImageType
from ldimport.server.endpoint import Call
from ldimport.server.responses import Refusal

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "public, max-age=31536000, immutable",
}
_CHUNK = 1 << 16
_ONE_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")
_ENDINGS = {kind.mime: f".{kind.value}" for kind in ImageType}
_ATTR_CHARS = "!#$&+-.^_`|~"  # RFC 8187, beside letters and digits
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._ ()-]+")


def original(call: Call) -> Response:
    """A stored original: whole, one range of it, or 304. No token: these are what the public sees.
    The ``id`` may be followed by ``?format=auto`` as in the API's page, or by ``&format=auto``; it
    names the bytes for ever, so they may be cached for ever. Raises Refusal 404, or 416 for a
    range outside of it.

    At most one range is sent; other ``Range`` headers count as absent, as RFC 9110 14.2 allows:
    many small ranges of one file are an attack, not a viewer.
    """
    image, asked = call.engine.original(call.required("id")), call.request.headers
    if image is None:
        raise Refusal(404, "No image found.")
    headers = {**_ALWAYS, "ETag": f'"{image.etag}"', "Accept-Ranges": "bytes"}
    headers["Last-Modified"] = formatdate(image.stored_at, usegmt=True)
    if _is_known(asked, image):
        return Response(status_code=304, headers=headers)
    part = _range(asked.get("range", ""), image.size)
    mine = (None, headers["ETag"], headers["Last-Modified"])
    if part is not None and asked.get("if-range") not in mine:
        part = None
    begin, end = part or (0, image.size)
    if begin >= end:
        whole = {"Content-Range": f"bytes */{image.size}"}
        raise Refusal(416, "The image has no such bytes", headers=whole)
    if part is not None:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{image.size}"
    headers["Content-Disposition"] = disposition(image.file_name, image.mime_type)
    headers["Content-Length"] = str(end - begin)
    chunks = _chunks(image.open(), begin, end) if call.request.method == "GET" else iter(())
    return StreamingResponse(chunks, 206 if part else 200, headers, image.mime_type)


def _chunks(file: BufferedIOBase, begin: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(begin)
        while begin < end and (chunk := file.read(min(_CHUNK, end - begin))):
            begin += len(chunk)
            yield chunk


def disposition(name: str, mime_type: str) -> str:
    """``Content-Disposition`` with the file's name for any reader (RFC 6266 with 8187). An SVG is
    a download: shown by itself it could act as a page."""
    ending = _ENDINGS[mime_type]
    stem = name[: -len(ending)] if name.lower().endswith(ending) else name
    stem = "".join(each for each in stem if each.isprintable())[:120].strip() or "image"
    plain = _NOT_PLAIN.sub("_", stem).strip(". ") or "image"
    kind = "attachment" if mime_type == ImageType.SVG.mime else "inline"
    full = quote(stem + ending, safe=_ATTR_CHARS)
    return f"{kind}; filename=\"{plain}{ending}\"; filename*=UTF-8''{full}"


def _is_known(asked: Headers, image: StoredImage) -> bool:
    """Whether the client has it: ``If-None-Match`` decides, without it ``If-Modified-Since``
    (RFC 9110 13.1.3), which counts as absent when it is no date."""
    if (header := asked.get("if-none-match")) is not None:
        tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
        return "*" in tags or f'"{image.etag}"' in tags
    try:
        since = parsedate_to_datetime(asked.get("if-modified-since", "")).replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    return int(image.stored_at) <= since.timestamp()


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Begin and end of the one range that is asked for, not before its begin; None when it is not
    one range."""
    found = _ONE_RANGE.fullmatch(header)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return max(0, size - int(suffix)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
