"""The body of ``POST import/images``: written, read, and checked by dotted path."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from urllib.parse import urlsplit

from ldimport.errors import InvalidRequestError
from ldimport.model import (
    MAX_CONTEXT_BYTES,
    Image,
    ImportRequest,
    Integrity,
    JobOptions,
    Json,
    canonical_json,
)


def image_to_json(image: Image) -> dict[str, Json]:
    """One entry of ``images``, keys in the seed's order."""
    body: dict[str, Json] = {
        "url": image.url,
        "id": image.id,
        "fileName": image.file_name,
        "metadata": dict(image.metadata),
    }
    if image.media_type is not None:
        body["mediaType"] = image.media_type
    return body


def request_body(request: ImportRequest) -> bytes:
    """The whole body of ``POST import/images`` as canonical JSON; ``request.bodies`` are joined
    where they are there, so that no entry is rendered twice."""
    if len(request.bodies) != len(request.images):
        return canonical_json(request_to_json(request))
    frame = canonical_json(request_to_json(replace(request, images=(), bodies=())))
    head, _, tail = frame.rpartition(b'"images":[],"systemName":')
    return b'%b"images":[%b],"systemName":%b' % (head, b",".join(request.bodies), tail)


def options_to_json(options: JobOptions) -> str:
    """How the engine shall treat a job, as JSON text for the state file and the catalogue; equal
    options give equal texts."""
    return json.dumps(asdict(options), sort_keys=True)


def options_from_json(text: str) -> JobOptions:
    """What ``options_to_json`` wrote, or state files of before (``allowHosts``)."""
    body = json.loads(text)
    return JobOptions(
        tuple(body.get("allow_hosts", body.get("allowHosts", ()))),
        tuple(body.get("allow_files", body.get("allowFiles", ()))),
        Integrity(body["integrity"]),
        body["lenient"],
    )


def request_to_json(request: ImportRequest) -> dict[str, Json]:
    """The body of ``POST import/images``."""
    body: dict[str, Json] = {"systemName": request.system_name}
    if request.webhook is not None:
        body["webhook"] = request.webhook
    if request.context is not None:
        body["context"] = dict(request.context)
    body["images"] = [image_to_json(image) for image in request.images]
    return body


def encode(body: Json | Mapping[str, Json]) -> bytes:
    """Compact JSON as UTF-8; its length is what the body limits count."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def request_from_json(body: object, *, relative_urls: bool = False) -> ImportRequest:
    """Read and check a request body against every rule of the API that needs no project config.

    ``relative_urls`` admits paths of local files (embedded engine only). Raises
    InvalidRequestError with all findings (at most 100) keyed by dotted path.
    """
    check = _RequestCheck(relative_urls)
    request = check.request(body)
    if check.details:
        raise InvalidRequestError(check.details)
    return request


class _RequestCheck:
    """Collects findings by dotted path while reading a request."""

    MOST = 100

    def __init__(self, relative_urls: bool) -> None:
        self.details: dict[str, str] = {}
        self.relative_urls = relative_urls

    def request(self, body: object) -> ImportRequest:
        if not isinstance(body, dict):
            self._wrong("", "Invalid type: expected object")
            return ImportRequest("", ())
        self._no_others(body, "", ("systemName", "images"), ("webhook", "context"))
        system_name = self._text(body, "systemName", "")
        images = self._images(body.get("images"), "images" in body)
        webhook = body.get("webhook")
        if webhook is not None and not (isinstance(webhook, str) and is_http_url(webhook)):
            self._wrong("webhook", "must be an http or https URL")
        context = body.get("context")
        if context is not None:
            self._context(context)
        if self.details:
            return ImportRequest("", ())
        return ImportRequest(system_name, images, webhook, context)

    def _context(self, context: object) -> None:
        if not isinstance(context, dict):
            self._wrong("context", "Invalid type: expected object")
            return
        try:
            size = len(encode(context))
        except (ValueError, UnicodeEncodeError, RecursionError):
            self._wrong("context", "cannot be written as JSON")
            return
        if size > MAX_CONTEXT_BYTES:
            self._wrong("context", f"is {size} bytes of JSON, the limit is {MAX_CONTEXT_BYTES}")

    def _images(self, images: object, present: bool) -> tuple[Image, ...]:
        if not isinstance(images, list):
            if present:
                self._wrong("images", "Invalid type: expected array")
            return ()
        if not images:
            self._wrong("images", "must have at least 1 item")
        found: list[Image] = []
        first: dict[str, int] = {}
        for n, item in enumerate(images):
            if len(self.details) >= self.MOST:
                break
            image = self._image(item, f"images.{n}")
            if image is None:
                continue
            if image.id in first:
                self._wrong(f"images.{n}.id", f"is the same as images.{first[image.id]}.id")
            first.setdefault(image.id, n)
            found.append(image)
        return tuple(found)

    def _image(self, item: object, path: str) -> Image | None:
        if not isinstance(item, dict):
            self._wrong(path, "Invalid type: expected object")
            return None
        before = len(self.details)
        dot = f"{path}."
        self._no_others(item, dot, ("id", "url", "fileName", "metadata"), ("mediaType",))
        identifier = self._text(item, "id", dot)
        url = self._text(item, "url", dot)
        if url and not is_http_url(url) and not (self.relative_urls and is_relative(url)):
            what = "data URLs are not allowed" if url[:5].lower() == "data:" else "not a valid URL"
            self._wrong(f"{dot}url", f"must be an http or https URL ({what})")
        file_name = self._text(item, "fileName", dot)
        metadata = item.get("metadata")
        if "metadata" in item and not isinstance(metadata, dict):
            self._wrong(f"{dot}metadata", "Invalid type: expected object")
        media_type = item.get("mediaType")
        if media_type is not None and not isinstance(media_type, str):
            self._wrong(f"{dot}mediaType", "Invalid type: expected string")
        if len(self.details) > before:
            return None
        return Image(identifier, url, file_name, metadata or {}, media_type)

    def _text(self, body: Mapping[str, object], key: str, dot: str) -> str:
        value = body.get(key)
        if key not in body:
            return ""  # reported as missing
        if not isinstance(value, str):
            self._wrong(f"{dot}{key}", "Invalid type: expected string")
            return ""
        if not value:
            self._wrong(f"{dot}{key}", "must not be empty")
        elif not _encodable(value):
            self._wrong(f"{dot}{key}", "must be valid Unicode")
        return value

    def _no_others(
        self, body: Mapping[str, object], dot: str, required: Sequence[str], optional: Sequence[str]
    ) -> None:
        for key in required:
            if key not in body:
                self._wrong(f"{dot}{key}", f"Missing required property: {key}")
        for key in body:
            if key not in required and key not in optional:
                shown = key[:60].encode("utf-8", "replace").decode()
                self._wrong(f"{dot}{shown}", "Additional properties not allowed")

    def _wrong(self, path: str, text: str) -> None:
        self.details.setdefault(path, text)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[1-9][0-9]{0,3})?(?:/[!-\[\]-~]*)?")
"""What nearly all are like; taking them apart to say so would be most of the work."""


def is_http_url(text: str) -> bool:
    """Whether this is an absolute http(s) URL with a host, without blanks, control characters
    or backslashes (RFC 3986)."""
    if _PLAIN_URL.fullmatch(text):
        return len(text) <= 8_192
    if _NOT_IN_URL.search(text) or len(text) > 8_192 or not _encodable(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and _port_ok(parts.port)
    except ValueError:
        return False


def is_relative(text: str) -> bool:
    """Whether this is a relative path, as a manifest beside its images has it: no scheme, no
    leading slash or drive, no control characters or backslashes."""
    head = text.split("/", 1)[0]
    return bool(head) and ":" not in head and not _NOT_IN_PATH.search(text)


_NOT_IN_PATH = re.compile(r"[\x00-\x1f\x7f\\]")


def _port_ok(port: int | None) -> bool:
    return port is None or 0 < port < 65_536
