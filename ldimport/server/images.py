"""Stored originals over HTTP, safe for a browser whatever their bytes are."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from ldimport.engine.records import StoredImage
from ldimport.model import ImageType
from ldimport.server.responses import Refusal

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "public, max-age=31536000, immutable",
}
_ONE_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")
_ENDINGS = {kind.mime: f".{kind.value}" for kind in ImageType}
_ATTR_CHARS = "!#$&+-.^_`|~"  # RFC 8187, beside letters and digits
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._ ()-]+")


def original(image: StoredImage, if_none_match: str | None) -> Response:
    """The response with an original: whole, one range of it, or 304. The address of an original
    names its bytes for ever, so it may be cached for ever."""
    headers = {**_ALWAYS, "ETag": f'"{image.etag}"'}
    if if_none_match is not None and _matches(if_none_match, image.etag):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = disposition(image.file_name, image.mime_type)
    return _Original(image, headers)


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


def _matches(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return "*" in tags or f'"{etag}"' in tags


class _Original(FileResponse):
    """A file of which at most one range is sent; other ``Range`` headers count as absent, as
    RFC 9110 14.2 allows: many small ranges of one file are an attack, not a viewer."""

    def __init__(self, image: StoredImage, headers: dict[str, str]) -> None:
        super().__init__(image.path, headers=headers, media_type=image.mime_type)
        self._size = image.size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = MutableHeaders(scope=scope)
        fits = _fits(headers.get("range", ""), self._size)
        if fits is False and "if-range" not in headers:
            whole = {"Content-Range": f"bytes */{self._size}"}
            refusal = Refusal(416, "The image has no such bytes", headers=whole)
            await refusal.response()(scope, receive, send)
            return
        if not fits:
            del headers["range"]
        await super().__call__({**scope, "headers": headers.raw}, receive, send)


def _fits(header: str, size: int) -> bool | None:
    """Whether the one range that is asked for lies in a file; None when it is not one range."""
    found = _ONE_RANGE.fullmatch(header)
    if found is None:
        return None
    first, last, end = found.groups()
    if end is not None:
        return int(end) > 0
    if last and int(last) < int(first):
        return None
    return int(first) < size
