"""Is the body of ``POST import/images`` acceptable: every rule of the API that needs no project
config, as JSON or as model objects, with findings by dotted path."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ldimport.errors import InvalidRequestError
from ldimport.model import (
    MAX_CONTEXT_BYTES,
    MAX_ID,
    MAX_NAME,
    MAX_VALUE,
    Image,
    ImportRequest,
    Json,
)
from ldimport.url import MAX_LENGTH, is_http_url, is_relative
from ldimport.wire import characters, encode

MOST = 100
"""Findings about images, about; then nobody looks further."""

_KEYS = ("id", "url", "fileName", "metadata", "mediaType")
_REQUIRED = frozenset(_KEYS[:4])
NOT_UNICODE = "must be valid Unicode"
_TYPE = "Invalid type: expected {}"
_TOO_LONG = "has {:,} characters, the limit is {:,}"
_NO_JSON = "cannot be written as JSON"
HALF_PAIR = re.compile("[\ud800-\udfff]")


def request_from_json(body: object, *, relative_urls: bool = False) -> ImportRequest:
    """Read and check a request body. ``relative_urls`` admits paths of local files (embedded
    engine only). Raises InvalidRequestError with all findings (at most 100)."""
    if not isinstance(body, dict):
        raise InvalidRequestError({"": _TYPE.format("object")})
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


def shown(key: str) -> str:
    """A key that somebody made up, as part of a path."""
    return key[:60].encode("utf-8", "replace").decode()


def _ordinary(image: Image) -> bool:
    """Whether nothing is to be found in an image, as far as one look tells."""
    id_, url, name, kind = image.id, image.url, image.file_name, image.media_type
    if not type(id_) is type(url) is type(name) is str or kind is not None:
        return False
    if not (0 < len(id_) <= MAX_ID and 0 < len(name) <= MAX_NAME and is_http_url(url)):
        return False
    if type(image.metadata) is not dict:
        return False
    for key, value in image.metadata.items():
        if type(value) is not str or len(value) > MAX_VALUE or len(key) > MAX_NAME:
            return False
    text = id_ + url + name
    return text.isascii() or HALF_PAIR.search(text) is None


class _Check:
    """Collects findings: of model objects, and of JSON on its way to them. The first finding at a
    path counts, so what is missing is not found empty too."""

    def __init__(self, relative_urls: bool) -> None:
        self._details: dict[str, str] = {}
        self._relative_urls = relative_urls

    def frame(self, request: ImportRequest) -> None:
        """What surrounds the images. Raises InvalidRequestError with all that was found."""
        self._text("systemName", request.system_name)
        webhook, context = request.webhook, request.context
        if webhook is not None and (
            self._text("webhook", webhook, MAX_LENGTH) and not is_http_url(webhook)
        ):
            self._wrong("webhook", "must be an http or https URL")
        if context is not None and self._typed("context", context, Mapping, "object"):
            self._context(context)
        if self._details:
            raise InvalidRequestError(self._details)

    def images(self, images: object) -> tuple[Image, ...]:
        """Each image and their ids; returns those without a finding, as far as was looked."""
        if isinstance(images, str | Mapping) or not isinstance(images, Iterable):
            self._wrong("images", _TYPE.format("array"))
            return ()
        found: list[Image] = []
        first: dict[str, int] = {}
        n, before = -1, len(self._details)
        for n, image in enumerate(images):
            if image is not None:
                self._image(image, f"images.{n}.")
            if len(self._details) == before:
                if first.setdefault(image.id, n) < n:
                    self._wrong(f"images.{n}.id", f"is the same as images.{first[image.id]}.id")
                found.append(image)
            before = len(self._details)
            if before >= MOST:
                break
        if n < 0:
            self._wrong("images", "must have at least 1 item")
        return tuple(found)

    def read(self, items: Iterable[object]) -> Iterator[Image | None]:
        """Each entry of ``images`` as it stands there; None for what is no object."""
        for n, item in enumerate(items):
            if type(item) is dict and item.keys() == _REQUIRED:
                yield Image(item["id"], item["url"], item["fileName"], item["metadata"])
                continue
            if not isinstance(item, dict):
                self._wrong(f"images.{n}", _TYPE.format("object"))
                yield None
                continue
            self.keys(item, f"images.{n}.", _KEYS[:4], _KEYS[4:])
            yield Image(*map(item.get, _KEYS))  # type: ignore[arg-type]  # see ``_image``

    def keys(
        self, body: Mapping[str, object], dot: str, required: Sequence[str], others: Sequence[str]
    ) -> None:
        """All that must be there is, and nothing else."""
        for key in required:
            if key not in body:
                self._wrong(f"{dot}{key}", f"Missing required property: {key}")
        for key in body:
            if key not in required and key not in others:
                self._wrong(f"{dot}{shown(key)}", "Additional properties not allowed")

    def _image(self, image: Image, dot: str) -> None:
        if _ordinary(image):
            return
        self._text(f"{dot}id", image.id, MAX_ID)
        url = image.url
        if self._text(f"{dot}url", url, MAX_LENGTH) and not (
            is_http_url(url) or (self._relative_urls and is_relative(url))
        ):
            what = "data URLs are not allowed" if url[:5].lower() == "data:" else "not a valid URL"
            self._wrong(f"{dot}url", f"must be an http or https URL ({what})")
        self._text(f"{dot}fileName", image.file_name)
        if self._typed(f"{dot}metadata", image.metadata, Mapping, "object"):
            self._metadata(f"{dot}metadata", image.metadata)
        if image.media_type is not None:
            self._text(f"{dot}mediaType", image.media_type)

    def _metadata(self, path: str, metadata: Mapping[str, Json]) -> None:
        for name, value in metadata.items():
            if len(name) > MAX_NAME:
                self._wrong(path, f"a name {_TOO_LONG.format(len(name), MAX_NAME)}")
            try:
                if (size := characters(value)) > MAX_VALUE:
                    self._wrong(f"{path}.{shown(name)}", _TOO_LONG.format(size, MAX_VALUE))
            except (ValueError, RecursionError):
                self._wrong(f"{path}.{shown(name)}", _NO_JSON)

    def _context(self, context: Mapping[str, Json]) -> None:
        try:
            size = len(encode(dict(context)))
        except (ValueError, TypeError, RecursionError):
            self._wrong("context", _NO_JSON)
            return
        if size > MAX_CONTEXT_BYTES:
            self._wrong("context", f"is {size} bytes of JSON, the limit is {MAX_CONTEXT_BYTES}")

    def _text(self, path: str, value: str, most: int = MAX_NAME) -> bool:
        if not self._typed(path, value, str, "string"):
            return False
        if not value:
            self._wrong(path, "must not be empty")
        elif len(value) > most:
            self._wrong(path, _TOO_LONG.format(len(value), most))
        elif HALF_PAIR.search(value):
            self._wrong(path, NOT_UNICODE)
        return path not in self._details

    def _typed(self, path: str, value: object, kind: type, word: str) -> bool:
        if not isinstance(value, kind):
            self._wrong(path, _TYPE.format(word))
        return isinstance(value, kind)

    def _wrong(self, path: str, text: str) -> None:
        self._details.setdefault(path, text)
