"""What the engine's parts hand each other, its store included: frozen records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from io import BufferedIOBase
from typing import TYPE_CHECKING, NamedTuple

from ldimport import model
from ldimport.model import Counts, Facts, JobOptions, JobState, Json, Status

if TYPE_CHECKING:
    from ldimport.schema.config import ProjectConfig

ALREADY_EXISTS = "already exists"
"""The API's reason for ``skipped``."""


# -- the media library ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """One stored original, made for the entry ``media`` at ``stored_at`` (Unix seconds). ``key``
    is its storage path ``YYYY/MM/DD/<uuid>.<ending>``; sizes in pixels and bytes; ``sha256`` of
    the stored bytes names the blob."""

    media: str
    key: str
    mime_type: str
    width: int
    height: int
    size: int
    sha256: str
    stored_at: float
    file_name: str


@dataclass(frozen=True, slots=True)
class MediaEntry:
    """One entry of the media library. ``metadata`` is what was sent and what the file's own
    metadata filled in; times are Unix seconds; ``version`` grows with every change. ``url`` is its
    source; ``filled`` names the properties that were not sent, with the field of the file, or
    ``fileName`` or ``PATCH``, that each came from; the jobs made it and changed it last. These are
    None in entries stored before they were kept."""

    id: str
    version: int
    media_type: str
    title: str
    metadata: Mapping[str, Json]
    asset: StoredAsset
    system_name: str
    external_id: str
    created_at: float
    updated_at: float
    url: str
    filled: Mapping[str, str] | None = None
    first_job: str | None = None
    last_job: str | None = None


@dataclass(frozen=True, slots=True)
class StoredImage(StoredAsset):
    """An original to serve: ``open`` gives its bytes as a file, and raises FileNotFoundError when
    they are lost."""

    open: Callable[[], BufferedIOBase] = field(compare=False)

    @property
    def etag(self) -> str:
        """The sha256 of its bytes, as hex digits."""
        return self.sha256


@dataclass(frozen=True, slots=True)
class StoredRendition:
    """An original in another form (``media.rendition``), or itself where that stands for it: its
    media type, ``size`` in bytes, ``etag`` (hex digits, the sha256 of an original); ``open`` gives
    its bytes as a file, to be read from where it stands to its end."""

    mime_type: str
    size: int
    etag: str
    open: Callable[[], BufferedIOBase] = field(compare=False)


@dataclass(frozen=True, slots=True)
class LibraryQuery:
    """Which media entries: those with all words of ``text`` (whose last one may be unfinished) in
    title, caption, external id or media id, accents and case aside; of this systemName and media
    type; stored ``since`` and before ``until`` (Unix seconds). What is empty or None says
    nothing."""

    text: str = ""
    system_name: str | None = None
    media_type: str | None = None
    since: float | None = None
    until: float | None = None

    def __bool__(self) -> bool:
        return self != LibraryQuery()


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """Entries that a query found, newest first. ``count`` is how many there are in all, None where
    that is not known: there are more than were counted, or it is not the first page."""

    entries: tuple[MediaEntry, ...]
    count: int | None


@dataclass(frozen=True, slots=True)
class LibraryKind:
    """How many entries of a systemName have a media type."""

    system_name: str
    media_type: str
    images: int


# -- jobs -----------------------------------------------------------------------------------


class JobFilter(StrEnum):
    """Which jobs are listed."""

    ALL = "all"
    RUNNING = "running"
    FAILED = "failed"  # with failures


@dataclass(frozen=True, slots=True)
class JobTotals:
    """All jobs together: how many there are of each ``JobFilter``, and their images."""

    jobs: int
    running: int
    failed: int
    counts: Counts

    def __add__(self, more: JobTotals) -> JobTotals:
        sums = map(sum, zip(astuple(self.counts), astuple(more.counts), strict=True))
        jobs, running = self.jobs + more.jobs, self.running + more.running
        return JobTotals(jobs, running, self.failed + more.failed, Counts(*sums))


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images of a job: those with this outcome, those ``pending`` that have none yet, those
    with this cause, or this reason and no cause; all of them by default."""

    status: Status | None = None
    pending: bool = False
    cause: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class JobImage:
    """One image of a job; ``number`` is its place in the request, from 1. Without a ``status`` it
    is open; ``media`` is the entry that it became."""

    number: int
    external_id: str
    title: str
    url: str
    status: Status | None
    reason: str | None
    cause: str | None
    media: str | None


@dataclass(frozen=True, slots=True)
class FailureReason:
    """How many images of a job failed for one cause; where none is known, for one ``reason``.
    Otherwise that is what was said of one of them."""

    reason: str
    cause: str | None
    images: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a job was accepted; whoever works on it obeys these, not its own settings."""

    config: ProjectConfig
    options: JobOptions
    limits: model.Limits


@dataclass(frozen=True, slots=True)
class NewJob:
    """A batch to be accepted, each image's mediaType settled. ``body`` is the request's digest."""

    id: str
    key: str | None
    body: str
    request: model.ImportRequest
    terms: Terms
    created_at: float


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job without its results; times are Unix seconds."""

    id: str
    state: JobState
    counts: Counts
    system_name: str
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Activity:
    """What the work is at: ``open`` images; since when the oldest lease lasts (None: nothing is
    leased); when anything last moved, be it a worker's turn or the arrival of the first open job.
    Times are Unix seconds."""

    open: int
    leased_at: float | None
    moved_at: float


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What became of one image. A failure has its ``cause``, if it ended since these are kept;
    ``reason`` and ``cause`` of a success are a note."""

    external_id: str
    title: str
    status: Status
    reason: str | None
    cause: str | None
    asset: StoredAsset | None


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job was accepted (``started``), or has ended; ``seconds`` since its acceptance."""

    id: str
    state: JobState
    counts: Counts
    seconds: float


# -- the work on images ---------------------------------------------------------------------

Validators = tuple[str | None, str | None]
"""ETag and Last-Modified, as an origin gave them."""


@dataclass(frozen=True, slots=True)
class KnownMedia:
    """What the library holds under a task's identity. ``request`` is the fingerprint of the
    request that made it so; ``sha256`` names the stored blob, ``source_sha256`` what was fetched
    (they differ for a sanitised SVG); ``validators`` belong to ``url``."""

    media_id: str
    asset: int
    request: str
    url: str
    validators: Validators
    sha256: str
    source_sha256: str
    facts: Facts


class ImportTask(NamedTuple):
    """One open image, leased by ``worker``. ``image.media_type`` is never None here; ``deaths``
    is how many workers it has stopped."""

    item: int
    worker: int
    system_name: str
    image: model.Image
    known: KnownMedia | None
    deaths: int = 0

    @property
    def lease(self) -> tuple[int, int]:
        """What its outcome is recorded under, unless the lease was lost."""
        return self.item, self.worker


class NewBytes(NamedTuple):
    """Bytes stored for a task: hashes as in ``KnownMedia``, ``size`` of the stored ones."""

    sha256: str
    source_sha256: str
    size: int
    facts: Facts


class ImportOutcome(NamedTuple):
    """What became of a task; a failure has its ``cause`` (a code of ``causes``), a success has one
    if there is something to note, and says it in ``reason``. ``success`` with
    ``new`` creates the entry or gives it new bytes, without it changes only what was sent.
    ``metadata`` is what the entry shall hold, of which ``filled`` was not sent. Only a failure
    leaves the validators as they are."""

    task: ImportTask
    status: Status
    reason: str | None = None
    cause: str | None = None
    metadata: Mapping[str, Json] | None = None
    new: NewBytes | None = None
    request: str = ""
    validators: Validators = (None, None)
    filled: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Claimed:
    """Tasks leased in one turn, all under the terms of this number (None: nothing was free, or it
    has other terms). ``kept`` is False when what was leased before has been given to others."""

    kept: bool
    terms: int | None = None
    tasks: tuple[ImportTask, ...] = ()


# -- webhooks -------------------------------------------------------------------------------


class Delivery(StrEnum):
    """State of a notification: waiting -> delivered | failed | disabled."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"  # given up after the last try, or its address is not allowed
    DISABLED = "disabled"  # the receiver said 410 Gone


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification, leased by ``worker``. ``id`` is the webhook-id of every try, ``body``
    the very bytes to sign and send, ``tries`` counts this one, ``options`` are the job's."""

    id: str
    job: str
    url: str
    endpoint: str
    body: str
    tries: int
    options: JobOptions
    worker: int


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One notification as the outbox has it: ``answer`` is what the last try came to, ``due_at``
    the next one's time (of one that waits), ``under_way``: it is being sent in this moment."""

    id: str
    job: str
    url: str
    state: Delivery
    tries: int
    answer: str | None
    created_at: float
    due_at: float
    ended_at: float | None
    under_way: bool


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What a try came to: the new state, when the next try is due (Unix seconds), a text for
    people, and until when everything to this endpoint shall wait (None: as it is)."""

    notification: Notification
    state: Delivery
    due_at: float
    answer: str
    slow_until: float | None = None


# -- tokens ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One access token of a served engine: ``id`` to name it, ``sha256`` of its text, which is
    kept nowhere. Times are Unix seconds; ``expires_at`` None means never."""

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None
    revoked_at: float | None = None
