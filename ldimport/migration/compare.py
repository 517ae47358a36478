"""Is what a media library has of an image what was sent? All that is kept of an entry that arrived
are short digests of its fields (``batch.parts``), so what is found is digested the same way."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ldimport.migration.batch import part_key, part_value, split_parts
from ldimport.migration.proof import Differences, Expected
from ldimport.model import Asset, ExifPrecedence, Json

_CORE = tuple(part_key(name, core=True) for name in ("url", "fileName", "mediaType"))
_NOTHING: tuple[Json, ...] = (None, "", [], {})
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00:?00)")
_MIME = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Properties:
    """What the project says of metadata, by media type: the ``names`` of its properties, and those
    that the file's own metadata may have ``filled``. Unknown: neither."""

    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    filled: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def all_names(self) -> frozenset[str]:
        """Every property of any media type."""
        return frozenset().union(*self.names.values())


def differences(expected: Expected, found: Asset, properties: Properties) -> Differences:
    """By field, what should be there and what is. Sides may be swapped: some servers turn images
    as their EXIF says, or count the sides of the stored one (docs/livingdocs-api.md, "Media
    library")."""
    told: dict[str, tuple[Json, Json]] = {}
    if expected.media_id and expected.media_id != found.media_id:
        told["mediaId"] = (expected.media_id, found.media_id)
    told |= _sizes(expected, found)
    if expected.certain and expected.parts is not None:
        told |= _fields(expected, found, properties)
    return told


def _sizes(expected: Expected, found: Asset) -> Iterator[tuple[str, tuple[Json, Json]]]:
    before = (expected.width, expected.height)
    now = (found.width, found.height)
    known = None not in before and None not in now
    if known and now not in (before, before[::-1]):
        for name, was, now_ in zip(("width", "height"), before, now, strict=True):
            if was != now_:
                yield name, (was, now_)
    if (
        expected.mime_type
        and found.mime_type
        and _mime(expected.mime_type) != _mime(found.mime_type)
    ):
        yield "mimeType", (expected.mime_type, found.mime_type)
    if None not in (expected.size, found.size) and expected.size != found.size:
        yield "size", (expected.size, found.size)


def _mime(text: str) -> str:
    plain = text.split(";")[0].strip().lower()
    return _MIME.get(plain, plain)


def _fields(
    expected: Expected, found: Asset, properties: Properties
) -> Iterator[tuple[str, tuple[Json, Json]]]:
    """Differences of media type and metadata; of what is more than was sent nothing is said: the
    file's own metadata may have filled it."""
    sent = split_parts(expected.parts or b"")
    kind = sent.get(_CORE[2])
    if found.media_type is not None and kind not in (None, *_digests(None, found.media_type)):
        yield "mediaType", (None, found.media_type)
    by_file = frozenset[str]()
    if _file_wins(expected):
        by_file = properties.filled.get(found.media_type or "", by_file)
    names = {part_key(name): name for name in (*properties.all_names(), *found.metadata)}
    for key, value in sent.items():
        name = names.get(key)
        if key in _CORE or name in by_file:
            continue
        there = None if name is None else found.metadata.get(name)
        if value not in _digests(*([there] if there not in _NOTHING else _NOTHING)):
            yield f"metadata.{name or '?'}", (None, there)
    yield from _title(expected, found, properties, sent)


def _title(
    expected: Expected, found: Asset, properties: Properties, sent: Mapping[bytes, bytes]
) -> Iterator[tuple[str, tuple[Json, Json]]]:
    """A title that was not sent is the fileName, unless the file's own metadata may fill it."""
    title, kind = found.metadata.get("title"), found.media_type or ""
    was_sent = sent.get(part_key("title")) not in (None, *_digests(*_NOTHING))
    open_ = kind not in properties.filled or "title" in properties.filled[kind]
    expected_ones = (*_NOTHING, expected.file_name, expected.title)
    if title not in expected_ones and not (was_sent or open_):
        yield "metadata.title", (expected.file_name, title)


def _file_wins(expected: Expected) -> bool:
    options = json.loads(expected.options) if expected.options else {}
    return options.get("exif_precedence") == ExifPrecedence.FILE


def _digests(*values: Json) -> set[bytes]:
    return {part_value(form) for value in values for form in _forms(value)}


def _forms(value: Json) -> Iterator[Json]:
    """A value, and the ways to write the same moment."""
    yield value
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        parts = [""] if not (found[3] or "").strip("0") else []
        fraction = (found[3] or "").rstrip("0")
        parts += [f".{fraction:0<{n}}" for n in (1, 3, 6) if len(fraction) <= n]
        for part in parts:
            for zone in ("Z", "+00:00"):
                yield f"{found[1]}T{found[2]}{part}{zone}"
