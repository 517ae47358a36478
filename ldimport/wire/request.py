"""The body of ``POST import/images``: written, read, and checked by dotted path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

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
from ldimport.url import is_http_url, is_relative

_text = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def encode(body: Json | Mapping[str, Json]) -> bytes:
    """Compact JSON as UTF-8; its length is what the body limits count."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def image_body(image: Image) -> bytes:
    """One entry of ``images`` as canonical JSON: what is sent, measured and kept."""
    return rendered(image)[0]


def rendered(image: Image, url: str | None = None) -> tuple[bytes, bytes]:
    """``image_body``, and all that it says but its id: equal texts ask for the same. Each value is
    rendered once; ``url`` takes the place of the image's own in the second."""
    name, metadata = _text(image.file_name), _text(dict(image.metadata))
    kind, place = _text(image.media_type), _text(image.url)
    said_place = place if url is None or url == image.url else _text(url)
    own_kind = "" if image.media_type is None else f',"mediaType":{kind}'
    body = (
        f'{{"fileName":{name},"id":{_text(image.id)}{own_kind},"metadata":{metadata},'
        f'"url":{place}}}'
    )
    said = f'{{"fileName":{name},"mediaType":{kind},"metadata":{metadata},"url":{said_place}}}'
    return body.encode("utf-8", "surrogatepass"), said.encode("utf-8", "surrogatepass")


def request_body(request: ImportRequest) -> bytes:
    """The whole body of ``POST import/images`` as canonical JSON; ``request.bodies`` are joined
    where they are there, so that no entry is rendered twice."""
    bodies: Iterable[bytes] = request.bodies
    if len(request.bodies) != len(request.images):
        bodies = map(image_body, request.images)
    frame: dict[str, Json] = {"systemName": request.system_name, "images": []}
    if request.webhook is not None:
        frame["webhook"] = request.webhook
    if request.context is not None:
        frame["context"] = dict(request.context)
    head, _, tail = canonical_json(frame).rpartition(b'"images":[],"systemName":')
    return b'%b"images":[%b],"systemName":%b' % (head, b",".join(bodies), tail)


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


def request_from_json(body: object, *, relative_urls: bool = False) -> ImportRequest:
    """Read and check a request body against every rule of the API that needs no project config.

    ``relative_urls`` admits paths of local files (embedded engine only). Raises
    InvalidRequestError with all findings (at most 100) keyed by dotted path.
    """
    if not isinstance(body, dict):
        raise InvalidRequestError({"": "Invalid type: expected object"})
    check = _Check(relative_urls)
    check.keys(body, "", ("systemName", "images"), ("webhook", "context"))
    items = body.get("images")
    images = check.images(check.read(items) if isinstance(items, list) else items)
    request = ImportRequest(body.get("systemName", ""), images, body.get("webhook"),
                            body.get("context"))  # fmt: skip
    check.frame(request)
    return request


def check_request(request: ImportRequest, *, relative_urls: bool = False) -> None:
    """The same findings as ``request_from_json``, for a request that never was JSON."""
    check = _Check(relative_urls)
    check.images(request.images)
    check.frame(request)


_HALF_PAIR = re.compile("[\ud800-\udfff]")


class _Check:
    """Collects findings by dotted path: of model objects, and of JSON on its way to them. The
    first finding at a path counts, so what is missing is not found empty too."""

    MOST = 100

    def __init__(self, relative_urls: bool) -> None:
        self._details: dict[str, str] = {}
        self._relative_urls = relative_urls

    def frame(self, request: ImportRequest) -> None:
        """What surrounds the images. Raises InvalidRequestError with all that was found."""
        self._text("systemName", request.system_name)
        webhook = request.webhook
        if webhook is not None and not (isinstance(webhook, str) and is_http_url(webhook)):
            self._wrong("webhook", "must be an http or https URL")
        if request.context is not None:
            self._context(request.context)
        if self._details:
            raise InvalidRequestError(self._details)

    def images(self, images: object) -> tuple[Image, ...]:
        """Each image and their ids; returns those without a finding, as far as was looked."""
        if not isinstance(images, Iterable) or isinstance(images, str | Mapping):
            self._wrong("images", "Invalid type: expected array")
            return ()
        found: list[Image] = []
        first: dict[str, int] = {}
        n, before = -1, len(self._details)
        for n, image in enumerate(images):
            if image is not None:
                self._image(image, f"images.{n}.")
            if len(self._details) == before:
                if image.id in first:
                    self._wrong(f"images.{n}.id", f"is the same as images.{first[image.id]}.id")
                first.setdefault(image.id, n)
                found.append(image)
            before = len(self._details)
            if before >= self.MOST:
                break
        if n < 0:
            self._wrong("images", "must have at least 1 item")
        return tuple(found)

    def read(self, items: Iterable[object]) -> Iterator[Image | None]:
        """Each entry of ``images`` as it stands there; None for what is no object."""
        for n, item in enumerate(items):
            if not isinstance(item, dict):
                self._wrong(f"images.{n}", "Invalid type: expected object")
                yield None
                continue
            self.keys(item, f"images.{n}.", ("id", "url", "fileName", "metadata"), ("mediaType",))
            fields = (item.get(key) for key in ("id", "url", "fileName", "metadata", "mediaType"))
            yield Image(*fields)  # type: ignore[arg-type]  # looked at in ``_image``

    def keys(
        self, body: Mapping[str, object], dot: str, required: Sequence[str], optional: Sequence[str]
    ) -> None:
        """All that must be there is, and nothing else."""
        for key in required:
            if key not in body:
                self._wrong(f"{dot}{key}", f"Missing required property: {key}")
        for key in body:
            if key not in required and key not in optional:
                shown = key[:60].encode("utf-8", "replace").decode()
                self._wrong(f"{dot}{shown}", "Additional properties not allowed")

    def _image(self, image: Image, dot: str) -> None:
        self._text(f"{dot}id", image.id)
        url = image.url
        if self._text(f"{dot}url", url) and not (
            is_http_url(url) or (self._relative_urls and is_relative(url))
        ):
            what = "data URLs are not allowed" if url[:5].lower() == "data:" else "not a valid URL"
            self._wrong(f"{dot}url", f"must be an http or https URL ({what})")
        self._text(f"{dot}fileName", image.file_name)
        if not isinstance(image.metadata, Mapping):
            self._wrong(f"{dot}metadata", "Invalid type: expected object")
        if image.media_type is not None and not isinstance(image.media_type, str):
            self._wrong(f"{dot}mediaType", "Invalid type: expected string")

    def _context(self, context: object) -> None:
        if not isinstance(context, Mapping):
            self._wrong("context", "Invalid type: expected object")
            return
        try:
            size = len(encode(dict(context)))
        except (ValueError, TypeError, UnicodeEncodeError, RecursionError):
            self._wrong("context", "cannot be written as JSON")
            return
        if size > MAX_CONTEXT_BYTES:
            self._wrong("context", f"is {size} bytes of JSON, the limit is {MAX_CONTEXT_BYTES}")

    def _text(self, path: str, value: object) -> bool:
        if not isinstance(value, str):
            self._wrong(path, "Invalid type: expected string")
        elif not value:
            self._wrong(path, "must not be empty")
        elif _HALF_PAIR.search(value):
            self._wrong(path, "must be valid Unicode")
        else:
            return True
        return False

    def _wrong(self, path: str, text: str) -> None:
        self._details.setdefault(path, text)
