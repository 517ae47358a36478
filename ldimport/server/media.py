"""The media library over HTTP: looking entries up, and changing them (docs/livingdocs-api.md,
"Media library"); and its images, as they are stored or in another form."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import partial
from urllib.parse import quote

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response, StreamingResponse

from ldimport.engine import Engine, MediaEntry
from ldimport.engine.records import StoredImage, StoredRendition
from ldimport.errors import InvalidRequestError, Rejected
from ldimport.media.rendition import Rendition
from ldimport.model import ImageType, Json
from ldimport.server import body, variants
from ldimport.server.endpoint import Call, Later, Version
from ldimport.server.responses import MISSING, Refusal, no_such

_IDS = re.compile(r"[A-Za-z0-9-]{1,32}(?:,[A-Za-z0-9-]{1,32}){0,99}")
MOST_PATCHES = 200
"""Operations of one PATCH: after each of them the whole metadata is checked."""
_NOT = "Invalid type: expected {}"


def find(call: Call) -> Json:
    """Entries by media ids, or the one of an identity; those that are missing are left out."""
    found = _found(call.engine, call.request.query_params)
    return {call.version.list_key: [_to_json(call.engine, entry) for entry in found]}


def one(call: Call) -> Json:
    """One entry."""
    media_id = call.request.path_params["id"]
    entry = call.engine.media(media_id)
    if entry is None:
        raise no_such(f"MediaLibrary Entry does not exist (id: '{media_id}')")
    return _to_json(call.engine, entry)


def patch(call: Call) -> Json:
    """Change an entry."""
    operations, version, keep = _patch(body.parse(call.body), call.version)
    media_id = call.request.path_params["id"]
    call.engine.patch_media(media_id, operations, version, keep_updated_at=keep)
    return {"status": 200}


def _found(engine: Engine, query: QueryParams) -> list[MediaEntry]:
    """What a query asks for. Raises InvalidRequestError when it is not a whole question."""
    by_identity = "ids" not in query
    wrong = {}
    for name in ("externalId", "systemName"):
        if by_identity and name not in query:
            wrong[name] = MISSING.format(name)
        elif query.get(name) == "":
            wrong[name] = "must not be empty"
    if not by_identity and not _IDS.fullmatch(query["ids"]):
        wrong["ids"] = "must be 1 to 100 media ids with commas between"
    if wrong:
        raise InvalidRequestError(wrong)
    if by_identity:
        entries = [engine.find(query["systemName"], query["externalId"])]
    else:
        entries = [engine.media(each) for each in dict.fromkeys(query["ids"].split(","))]
    return [entry for entry in entries if entry is not None]


def _to_json(engine: Engine, entry: MediaEntry) -> dict[str, Json]:
    of = entry.asset
    return {
        "id": entry.id,
        "systemName": entry.system_name,
        "externalId": entry.external_id,
        "version": entry.version,
        "mediaType": entry.media_type,
        "asset": {
            "key": of.key,
            "url": engine.asset(entry).original_url,
            "mimeType": of.mime_type,
            "width": of.width,
            "height": of.height,
            "size": of.size,
            "filename": entry.title,
        },
        "metadata": dict(entry.metadata),
        "createdAt": _moment(entry.created_at),
        "updatedAt": _moment(entry.updated_at),
    }


def _moment(at: float) -> str:
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _patch(parsed: Json, api: Version) -> tuple[Sequence[Mapping[str, Json]], int | None, bool]:
    """Operations, version and ``preserveUpdatedAt`` of a PATCH. Raises InvalidRequestError by
    dotted path; what is wrong inside an operation is the engine's to say."""
    if not isinstance(parsed, dict):
        raise InvalidRequestError({"": _NOT.format("object")})
    known = ("version", "patches", *(("preserveUpdatedAt",) if api.preserves_updated_at else ()))
    wrong = {key[:60]: "Additional properties not allowed" for key in parsed if key not in known}
    patches, keep = parsed.get("patches"), parsed.get("preserveUpdatedAt", False)
    operations = patches if isinstance(patches, list) else []
    if "patches" not in parsed:
        wrong["patches"] = MISSING.format("patches")
    elif not isinstance(patches, list):
        wrong["patches"] = _NOT.format("array")
    elif not patches:
        wrong["patches"] = "must have at least 1 item"
    elif len(patches) > MOST_PATCHES:
        wrong["patches"] = f"has {len(patches):,} items, the limit is {MOST_PATCHES}"
    else:
        wrong |= {f"patches.{n}": _NOT.format("object")
                  for n, each in enumerate(operations) if not isinstance(each, dict)}  # fmt: skip
    if not isinstance(keep, bool):
        wrong["preserveUpdatedAt"] = _NOT.format("boolean")
    version = _number(parsed.get("version"))
    if version is None and parsed.get("version") is not None:
        wrong["version"] = _NOT.format("number")
    if wrong:
        raise InvalidRequestError(wrong)
    return [each for each in operations if isinstance(each, dict)], version, bool(keep)


def _number(value: Json) -> int | None:
    """A version: documented as a number and shown as a text."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)


_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "public, max-age=31536000, immutable",
}
_AUTO = {"Vary": "Accept", "Cache-Control": "public, max-age=86400"}
"""Where the format goes by the client: a later version may choose another one."""
_CHUNK = 1 << 16
_ONE_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")
_ENDINGS = {"image/webp": ".webp", "image/avif": ".avif",
            **{kind.mime: f".{kind.value}" for kind in ImageType}}  # fmt: skip
_ATTR_CHARS = "!#$&+-.^_`|~"  # RFC 8187, beside letters and digits
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._ ()-]+")


def image(call: Call) -> Response | Later:
    """A stored image: the original, or one in another size or format. No token: these are what the
    public sees. The ``id`` may be followed by ``?format=auto`` as in the API's page, or by
    ``&format=auto``. Raises Refusal 400 for a form that makes no sense, 404, 416 for a range
    outside of an original, 422 for an image that cannot be drawn so; what is not there yet is made
    later."""
    key, wish = call.required("id"), variants.wish(call.request.query_params)
    image = call.engine.original(key)
    if image is None:
        raise Refusal(404, "No image found.")
    form, renditions = wish.settled(image, call.request.headers), call.engine.renditions
    auto = _AUTO if wish.auto else {}
    etag = renditions.etag(image, form)
    if etag in _tags(call.request.headers):
        return Response(status_code=304, headers={**_ALWAYS, **auto, "ETag": f'"{etag}"'})

    def sent(find: Callable[[StoredImage, Rendition], StoredRendition | None]) -> Response | None:
        try:
            found = find(image, form)
        except Rejected as refused:
            if form.is_sized or not wish.auto:
                raise Refusal(422, {"message": refused.reason, "cause": refused.code}) from refused
            return _original(call, image, auto)  # nobody asked for more than the picture
        if found is None:
            return None
        if found.etag == image.etag:
            return _original(call, image, auto)
        return _rendition(call, image, found, auto)

    return sent(renditions.found) or Later(partial(sent, renditions.made))


def _rendition(
    call: Call, image: StoredImage, found: StoredRendition, auto: Mapping[str, str]
) -> Response:
    """Always whole; its bytes are the same for ever, too."""
    headers = {**_ALWAYS, **auto, "ETag": f'"{found.etag}"'}
    if "*" in _tags(call.request.headers):
        return Response(status_code=304, headers=headers)
    name = _stem(image.file_name, image.mime_type)
    headers["Content-Disposition"] = disposition(name, found.mime_type)
    headers["Content-Length"] = str(found.size)
    chunks = _chunks(found, 0, found.size)
    next(chunks)
    sent = chunks if call.request.method == "GET" else iter(())
    return StreamingResponse(sent, 200, headers, found.mime_type)


def _original(call: Call, image: StoredImage, auto: Mapping[str, str]) -> Response:
    """The original: whole, one range of it, or 304. Raises Refusal 416 for a range outside of it.

    At most one range is sent; other ``Range`` headers count as absent, as RFC 9110 14.2 allows:
    many small ranges of one file are an attack, not a viewer.
    """
    asked = call.request.headers
    headers = {**_ALWAYS, **auto, "ETag": f'"{image.etag}"', "Accept-Ranges": "bytes"}
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
    chunks = _chunks(image, begin, end)
    next(chunks)  # what cannot be opened is no answer; a generator begun closes its file if dropped
    sent = chunks if call.request.method == "GET" else iter(())
    return StreamingResponse(sent, 206 if part else 200, headers, image.mime_type)


def _chunks(image: StoredImage | StoredRendition, begin: int, end: int) -> Iterator[bytes]:
    with image.open() as file:
        if begin:
            file.seek(begin)
        yield b""
        while begin < end and (chunk := file.read(min(_CHUNK, end - begin))):
            begin += len(chunk)
            yield chunk


def disposition(name: str, mime_type: str) -> str:
    """``Content-Disposition`` with the file's name for any reader (RFC 6266 with 8187). An SVG is
    a download: shown by itself it could act as a page."""
    ending = _ENDINGS[mime_type]
    stem = (
        "".join(each for each in _stem(name, mime_type) if each.isprintable())[:120].strip()
        or "image"
    )
    plain = _NOT_PLAIN.sub("_", stem).strip(". ") or "image"
    kind = "attachment" if mime_type == ImageType.SVG.mime else "inline"
    full = quote(stem + ending, safe=_ATTR_CHARS)
    return f"{kind}; filename=\"{plain}{ending}\"; filename*=UTF-8''{full}"


def _stem(name: str, mime_type: str) -> str:
    ending = _ENDINGS[mime_type]
    return name[: -len(ending)] if name.lower().endswith(ending) else name


def _tags(asked: Headers) -> set[str]:
    """What ``If-None-Match`` names, without quotes."""
    tags = (tag.strip().removeprefix("W/") for tag in asked.get("if-none-match", "").split(","))
    return {tag.removeprefix('"').removesuffix('"') for tag in tags}


def _is_known(asked: Headers, image: StoredImage) -> bool:
    """Whether the client has it: ``If-None-Match`` decides, without it ``If-Modified-Since``
    (RFC 9110 13.1.3), which counts as absent when it is no date."""
    if "if-none-match" in asked:
        return not _tags(asked).isdisjoint({"*", image.etag})
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
