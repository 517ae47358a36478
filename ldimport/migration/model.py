"""What a migration knows, as frozen types: archives, jobs, images, causes; no words for the screen.

Times are Unix seconds. Nothing here knows how it is stored.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from ldimport.causes import group_of
from ldimport.model import Counts, JobState, Result, Status


class BatchState(StrEnum):
    """Life of a recorded batch: intent, started, then one of the others; or refused after
    intent."""

    INTENT = "intent"
    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Totals:
    """Each row of the manifest (or, for watch and retry, each image under way) by its last
    outcome over all runs; they add up to its rows. ``not_taken_over`` of the skipped are entries
    that changed but whose change the target did not take; ``waived`` are failures that somebody
    accepted, which no longer count as ``failed``."""

    success: int = 0
    skipped: int = 0
    failed: int = 0
    pending: int = 0
    unsubmitted: int = 0
    invalid: int = 0
    not_taken_over: int = 0
    waived: int = 0

    @property
    def rows(self) -> int:
        """All rows."""
        ended = self.success + self.skipped + self.failed + self.waived
        return ended + self.pending + self.unsubmitted + self.invalid


@dataclass(frozen=True, slots=True)
class Updates:
    """Entries that changed and that the target had skipped: ``patched`` through its media library;
    ``impossible``, since more changed than that takes (url, media type); ``refused`` there."""

    patched: int = 0
    impossible: int = 0
    refused: int = 0


_Sums = TypeVar("_Sums", Totals, Counts, Updates)


def added(kind: type[_Sums], all_of: Iterable[_Sums]) -> _Sums:
    """The sum of some counts, field by field."""
    return kind(*map(sum, zip(astuple(kind()), *map(astuple, all_of), strict=True)))


def ahead(results: Iterable[Result]) -> Totals:
    """What known outcomes in jobs that go on change of the totals."""
    words = Counter(result.status.value for result in results)
    return Totals(**words, pending=-words.total())


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images or jobs are meant; None: all of them. ``target`` is an identity, or
    ``embedded`` for every local engine; ``manifest`` an absolute path, as in ``batch.Origin``.
    Failed images are those that nobody ``waived``, unless these are asked for."""

    status: Status | None = None
    job: str | None = None
    cause: str | None = None
    host: str | None = None
    target: str | None = None
    system_name: str | None = None
    manifest: str | None = None
    waived: bool | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Which failed images of an archive are meant: of one ``job``, ``cause`` or ``host``, that
    failed ``before`` (Unix seconds), with these ``ids``, where given. Unless ``everything`` is,
    or a cause or ids are named, only those that may work without a change; and of ``worth`` (cause
    as a pattern, name in ``JobOptions``, value) those whose job had another value."""

    job: str | None = None
    cause: str | None = None
    host: str | None = None
    before: float | None = None
    ids: tuple[str, ...] | None = None
    everything: bool = False
    worth: tuple[tuple[str, str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """Which archive is meant, as far as it is named: ``target`` as in Filter; None: any."""

    target: str | None = None
    system_name: str | None = None

    def holds(self, target: str, system_name: str) -> bool:
        """Whether the archive with this identity is meant."""
        place = target.partition(":")[0] if self.target == "embedded" else target
        return self.target in (None, place) and self.system_name in (None, system_name)


@dataclass(frozen=True, slots=True)
class ArchiveSums:
    """One target and systemName with the sums of its images."""

    target: str
    label: str
    system_name: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job as the state file knows it; ``label``: its target as screens name it, ``path``: the
    manifest, as in ``batch.Origin``."""

    id: str
    state: JobState
    counts: Counts
    submitted_at: float
    finished_at: float | None
    manifest: str
    target: str
    system_name: str
    first_row: int
    last_row: int
    label: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that has ended, and when."""

    id: str
    at: float


@dataclass(frozen=True, slots=True)
class AtWork:
    """Who is at work in this moment: the ``run`` that holds the state file, in words, and whether
    any ``workers`` of the local engine are alive."""

    run: str | None = None
    workers: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """What the state file knows: the jobs to show (unfinished first, then newest first) of those
    that there are ``in_all``, how many are ``under_way`` at which target, sums, and when something
    changed last; ``at_work`` None: not looked at."""

    jobs: tuple[JobRow, ...]
    totals: Totals
    scopes: tuple[ArchiveSums, ...]
    last_change: float | None
    at_work: AtWork | None = None
    in_all: int = 0
    under_way: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of ``submit``, ``retry`` or ``watch``: how many images it sent, how many it left
    unsent; ``system_name`` None: it was about all archives of the target."""

    target: str
    system_name: str | None
    command: str
    started_at: float
    finished_at: float
    exit_code: int
    sent: int
    unsent: int


@dataclass(frozen=True, slots=True)
class CauseRow:
    """Failures grouped: how many, why, whether a retry makes sense, first examples
    (external id, row). ``reason`` is what the cause means, or what the target said of all of them;
    ``parameters`` are those of the cause, and the ``host`` where all have the same."""

    cause: str
    reason: str
    images: int
    retryable: bool
    examples: tuple[tuple[str, int], ...]
    parameters: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The reason with the host, for people."""
        host = self.parameters.get("host")
        return f"{self.reason} ({host})" if host else self.reason


@dataclass(frozen=True, slots=True)
class RetryGroup:
    """Failures of one cause, of which so many were ``asked`` for, and of these so many are ``sent``
    again."""

    cause: CauseRow
    sent: int
    asked: int

    @property
    def stuck(self) -> int:
        """How many were asked for and stay as they are, since they need a change."""
        return self.asked - self.sent

    @property
    def left(self) -> int:
        """How many stay as they are."""
        return self.cause.images - self.sent


@dataclass(frozen=True, slots=True)
class Waiver:
    """Failures accepted for one ``reason``, with first examples (external id, row)."""

    reason: str
    images: int
    examples: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class WaiverChange:
    """What waiving or its undoing did: images ``changed``, those that were ``so_before`` (their
    reason is the new one), and of those named the ones that are ``not_failed``, the first of them
    by id."""

    changed: int
    so_before: int = 0
    not_failed: int = 0
    examples: tuple[str, ...] = ()


class ResultRow(NamedTuple):
    """Last outcome of one image, with all that scripts want to know. ``status`` None: pending or
    not sent; ``target`` as screens name it; ``tries``: how often it failed since it arrived or was
    edited; ``waived_because``: why somebody accepted its failure; ``gave_up``: it is not sent again
    by itself any more; ``size`` in bytes as ``verify`` found it."""

    external_id: str
    system_name: str
    status: Status | None
    reason: str | None
    cause: str | None
    retryable: bool
    media_id: str | None
    url: str | None
    original_url: str | None
    width: int | None
    height: int | None
    mime_type: str | None
    title: str | None
    file_name: str | None
    source_url: str
    job_id: str | None
    row: int
    attempts: int
    not_taken_over: bool = False
    target: str = ""
    tries: int = 0
    waived_because: str | None = None
    gave_up: bool = False
    size: int | None = None


# -- between the use cases and the state file ----------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """What the state file knows of an image that a manifest names again: fingerprint ``sent``,
    content ``arrived``, fingerprint ``pending`` in the job that is ``open``; ``manifest``: the path
    of the one it last came from; ``source_url`` and ``file_name`` of the last outcome; ``parts`` of
    the entry that arrived, of one that never did of the one sent last (``batch.parts``), where they
    were kept. Of a failed one: its ``cause``,
    whether it is ``retryable`` or ``waived``, and how many ``tries`` have failed since when, the
    last one when (Unix seconds)."""

    status: Status | None
    sent: bytes | None
    arrived: bytes | None
    pending: bytes | None
    open: bool
    not_taken_over: bool
    manifest: str | None
    source_url: str | None = None
    file_name: str | None = None
    parts: bytes | None = None
    cause: str | None = None
    retryable: bool = False
    tries: int = 0
    failing_since: float | None = None
    failed_at: float | None = None
    waived: bool = False


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A recorded batch whose job has not ended; ``job_id`` None: intent, maybe never sent."""

    id: int
    archive: int
    key: str
    job_id: str | None
    images: int
    submitted_at: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One image failed. ``cause`` is its code, ``retryable`` as far as known."""

    external_id: str
    row: int
    url: str
    reason: str
    cause: str
    retryable: bool
    job_id: str

    @property
    def group(self) -> str:
        """What equal failures have in common (``causes.group_of``)."""
        return group_of(self.cause, self.reason)


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """How one image ended, as far as its ``host`` is concerned: ``blamed`` for its failure."""

    host: str
    arrived: bool
    blamed: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What a job's end changed: its images by their new outcome, its failures, how many images
    arrived with a note, by its code, and what it says of hosts, in the order of its images."""

    totals: Totals
    failures: tuple[Failure, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    hosts: tuple[HostOutcome, ...] = ()
