"""The vocabulary as frozen types and enums. Imports nothing else of ours.

Names follow the Livingdocs import API (docs/livingdocs-api.md) and the field's terms: manifest,
entry, batch, job, result, asset, external id. JSON stays outside: ``wire`` turns it into these.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import NamedTuple, Union

import orjson

Json = Union[None, bool, int, float, str, "list[Json]", "dict[str, Json]"]

MAX_BATCH_IMAGES, MAX_BATCH_BYTES = 1_000, 480_000
"""A batch stays below Livingdocs' default limit (docs/livingdocs-api.md, "Limits")."""
MAX_BODY_BYTES, RENDITION_BYTES = 500_000, 512_000_000
"""Of a request, Livingdocs' own default (docs/livingdocs-api.md, "Limits"); of renditions kept."""
MAX_CONTEXT_BYTES = 8_192
"""Size of ``context``, as UTF-8 of compact JSON (docs/livingdocs-api.md, "Import request")."""
MAX_NAME, MAX_ID, MAX_VALUE = 1_000, 8_192, 65_536
"""Characters at most of a fileName, systemName, mediaType or metadata property's name; of an id
(some are addresses); of one metadata value. Ours: the API states none."""
MAX_OPEN_JOBS = 16


class JobState(StrEnum):
    """State of a whole job. ``success`` means "it ran": single images may have failed."""

    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"  # as a whole: nothing of it could be tried
    LOST = "lost"  # the target does not know the id (any more)

    @property
    def finished(self) -> bool:
        """Whether no further change is to be expected."""
        return self is not JobState.STARTED


class Status(StrEnum):
    """Outcome of one image, in the words of the API's original dialect."""

    SUCCESS = "success"
    SKIPPED = "skipped"
    FAILED = "failed"


class Severity(StrEnum):
    """How much a problem matters: an error keeps its row from being sent."""

    ERROR = "error"
    WARNING = "warning"


class ImageType(StrEnum):
    """The four types the API accepts."""

    PNG = "png"
    JPG = "jpg"
    GIF = "gif"
    SVG = "svg"

    @property
    def mime(self) -> str:
        """The media type to store and serve it under."""
        return "image/" + {"jpg": "jpeg", "svg": "svg+xml"}.get(self, self)


class Integrity(StrEnum):
    """How deep the engine looks: ``full`` also decodes every pixel in the limited child."""

    FULL = "full"
    FAST = "fast"


class ExifPrecedence(StrEnum):
    """Whose value counts where an exifExtraction mapping fills what the request says too."""

    REQUEST = "request"
    FILE = "file"


class Nulls(StrEnum):
    """What a metadata value of null in a request does: it counts as absent, is stored as null, or
    the image fails for it."""

    CLEAR = "clear"
    KEEP = "keep"
    REFUSE = "refuse"


class Publishing(StrEnum):
    """Whether the engine holds images to the rules that Livingdocs documents for publishing alone
    (``required``, lengths, lists of values), or lets only the shape of values count."""

    ENFORCE = "enforce"
    WARN = "warn"


class Variants(StrEnum):
    """How a result's ``url`` is made of its ``originalUrl``: as the API's first page shows it
    (``?format=auto``), as newer ones do (``auto=format``), or not at all: no image service."""

    FORMAT = "format"
    AUTO = "auto"
    NONE = "none"


class Place(NamedTuple):
    """Where in a file something stands. ``row`` counts entries, ``line`` lines, ``column``
    characters, all from 1; 0 means unknown."""

    file: str = ""
    row: int = 0
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of a check. ``field`` is ``id``, ``url`` … or ``metadata.<handle>``;
    ``value`` is the offending text, cut to a sensible length, for examples on screens;
    ``publishing``: Livingdocs checks it only when an image is published."""

    severity: Severity
    code: str
    place: Place
    field: str
    message: str
    hint: str = ""
    id: str = ""
    value: str = ""
    publishing: bool = False


class Entry(NamedTuple):
    """One row of a manifest.

    ``media_type`` and ``file_name`` are None when absent; values of ``metadata`` are texts when
    ``textual`` (CSV and YAML have only text). ``problems`` holds what the reader itself found
    wrong; such an entry still counts as a row. ``original`` is the row with all its columns.
    """

    id: str
    url: str
    file_name: str | None
    media_type: str | None
    metadata: Mapping[str, Json]
    place: Place
    textual: bool = False
    problems: tuple[Problem, ...] = ()
    original: Mapping[str, Json] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Image:
    """One image of an import request; ``media_type`` None means the project's default one."""

    id: str
    url: str
    file_name: str
    metadata: Mapping[str, Json]
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """The body of ``POST import/images``. ``bodies`` are the images as ``wire.image_body`` renders
    them, where whoever made the request has them at hand; they are not compared."""

    system_name: str
    images: tuple[Image, ...]
    webhook: str | None = None
    context: Mapping[str, Json] | None = None
    bodies: tuple[bytes, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How the embedded engine treats a job's images; recorded with the job, whoever runs it.

    ``allow_hosts`` are ``HOST[:PORT]`` exceptions from the address guard, ``allow_files`` folders
    below which relative urls are read, ``lenient`` lets only the storage shape of metadata count,
    ``exif_precedence`` decides between the request and the file's own metadata. Images are fetched
    as ``user_agent`` (None: our own name); ``ca_file`` has the root certificates to trust, for
    webhooks too (None: the system's).
    """

    allow_hosts: tuple[str, ...] = ()
    allow_files: tuple[str, ...] = ()
    integrity: Integrity = Integrity.FULL
    lenient: bool = False
    exif_precedence: ExifPrecedence = ExifPrecedence.REQUEST
    nulls: Nulls = Nulls.CLEAR
    formats: tuple[ImageType, ...] = tuple(ImageType)
    user_agent: str | None = None
    ca_file: str | None = None


REQUESTS_PER_SECOND = 5
"""Questions about jobs and images to a target over HTTP, where no other number is set."""
UNKNOWN_AT_TARGET = "unknown-at-target"
"""The cause (``causes.Cause``) of a result that is neither success, skipped nor failed."""
IMAGE_SERVICE = "ldimport"
"""How assets of our own engine name what serves them."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What the target stored; ``media_type``, ``metadata``, ``version``, ``size`` (bytes) and
    ``created_at`` (ISO 8601, of its entry) only where its library told it, ``key`` (where its
    storage has it) only if results are to carry it."""

    media_id: str
    original_url: str
    url: str
    width: int | None
    height: int | None
    mime_type: str | None
    image_service: str | None = None
    media_type: str | None = field(default=None, compare=False)
    metadata: Mapping[str, Json] = field(default_factory=dict, compare=False)
    key: str | None = field(default=None, compare=False)
    version: int | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)
    created_at: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of one image: ``asset`` for success and skipped, ``reason`` for skipped, failed.

    ``cause`` is the code of ``causes.Cause`` that a failure travels with, or a success that has a
    note (its ``reason``), ``retryable`` whether the same request may work later; None where the
    target does not say (Livingdocs does not).
    """

    external_id: str
    status: Status
    title: str | None = None
    reason: str | None = None
    asset: Asset | None = None
    system_name: str | None = None
    cause: str | None = None
    retryable: bool | None = None

    @property
    def unknown(self) -> bool:
        """Whether the target used a word for it that we do not know."""
        return self.cause == UNKNOWN_AT_TARGET

    @property
    def leaves_open(self) -> bool:
        """Whether a changed image may be at the target as it was before: others skip what they
        have, our own engine only what it has exactly as sent."""
        ours = self.asset is not None and self.asset.image_service == IMAGE_SERVICE
        return self.status is Status.SKIPPED and not ours


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Answer of ``GET import/images/status``. ``started_at`` is the API's own text, UTC
    ``YYYY-MM-DD HH:MM:SS``; ``results`` stands only in a job that ended in ``success``."""

    id: str
    state: JobState
    started_at: str | None = None
    results: tuple[Result, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the job has ended (``lost`` ends it too)."""
        return self.state.finished


@dataclass(frozen=True, slots=True)
class Counts:
    """Images by outcome; ``pending`` have none yet. They add up to ``total``."""

    success: int = 0
    skipped: int = 0
    failed: int = 0
    pending: int = 0

    @property
    def total(self) -> int:
        """All images counted."""
        return self.success + self.skipped + self.failed + self.pending


BATCH_KEY = "ldimportBatch"
"""In ``context``: the key of our batch, so that a notification tells which one its job is of."""


@dataclass(frozen=True, slots=True)
class JobHint:
    """What a webhook said of a job: never a result, only that the API is to be asked. ``counts``
    and the key of our ``batch`` where it told them."""

    job: str
    state: str
    counts: Counts | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line, once: ``code`` is stable, ``text`` for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Silence:
    """A server does not answer, or (``over``) answers again: its address, the reason in a sentence,
    tries so far, and when the next one is (Unix time; None: this one is still waited for)."""

    place: str
    why: str
    tries: int = 0
    next_try: float | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine accepts, in bytes, pixels and seconds; where Livingdocs has a default it is
    that (docs/livingdocs-api.md, "Limits")."""

    max_bytes: int = 15_000_000
    max_pixels: int = 24_000_000
    max_frames: int = 1_800
    fetch_seconds: float = 60.0
    redirects: int = 5
    tries: int = 3
    tries_seconds: float = 90.0
    per_host: int = 8
    lease_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the bytes of an image say: exact size as stored, in pixels.

    ``orientation`` is the EXIF value 1 to 8; ``frames`` is 1 but for animations; ``notes`` are
    codes of ``causes.Cause`` for what was not in order and is no reason to refuse it.
    """

    type: ImageType
    width: int
    height: int
    frames: int = 1
    orientation: int = 1
    notes: tuple[str, ...] = ()


def canonical_json(value: object, inner: Collection[object] | None = None) -> bytes:
    """Compact JSON with sorted keys, UTF-8: equal values give equal bytes (after RFC 8785).
    Where no floats are, orjson makes the same bytes, ten times as fast; it refuses half surrogates
    and numbers of more than 64 bits. ``inner``: the values in it that may hold floats, if known."""
    if _is_plain((value,) if inner is None else inner):
        with suppress(TypeError):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "surrogatepass")


def compact_json(value: object) -> bytes:
    """Compact JSON in the order that is there, UTF-8; mappings of any kind count as objects."""
    with suppress(TypeError):  # half surrogates, numbers of more than 64 bits
        return orjson.dumps(value)
    text = json.dumps(value, ensure_ascii=False, default=dict)
    return text.encode("utf-8", "surrogatepass")


_PLAIN = frozenset((str, int, bool, NoneType))


def _is_plain(values: Collection[object]) -> bool:
    """Whether nothing but texts, whole numbers, lists and objects of these is among them."""
    return _PLAIN.issuperset(map(type, values)) or all(
        type(each) in _PLAIN
        or (type(each) is dict and _is_plain(each.values()))
        or (type(each) is list and _is_plain(each))
        for each in values
    )


def digest(value: object) -> str:
    """sha256 of ``canonical_json``, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
