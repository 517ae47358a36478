"""What a running use case tells whoever listens: frozen events, no words for the screen.

``submit``, ``retry`` and ``watch`` are generators of these; the last one is always a Summary
(or the generator raises an LdimportError). The command line turns them into screens and JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ldimport.errors import ExitCode
from ldimport.migration.model import (
    CauseRow,
    Failure,
    JobRow,
    RetryGroup,
    Totals,
    Updates,
    Waiver,
)
from ldimport.migration.quota import Forecast, Quota
from ldimport.model import Counts, JobState, Notice, Silence

if TYPE_CHECKING:
    from ldimport.migration.validate import Validation


@dataclass(frozen=True, slots=True)
class Plan:
    """What a submit would do. Counts of manifest rows: new + changed + unchanged + failed +
    retried + waived + in_progress + invalid = entries. ``bytes`` is the size of all request bodies.
    ``unchanged`` arrived before; of unchanged rows whose last outcome was a failure ``retried``
    are sent again, since the cause is passing and it is time, ``waived`` were accepted by
    somebody, and ``failed`` are the others (``retry`` sends them); ``in_progress`` are unchanged
    rows in an open job. ``sources`` counts entries to send by host ("" = local file), ``fields``
    changed rows by the field that changed. ``limit``: a submit sends at most so many, and batches,
    bytes and sources are about these."""

    manifest: str
    target: str
    system_name: str
    entries: int
    new: int
    changed: int
    unchanged: int
    failed: int
    in_progress: int
    invalid: int
    batches: int
    bytes: int
    sources: dict[str, int] = field(default_factory=dict)
    limit: int | None = None
    fields: dict[str, int] = field(default_factory=dict)
    retried: int = 0
    waived: int = 0

    @property
    def sendable(self) -> int:
        """Entries that are new, changed, or worth another try."""
        return self.new + self.changed + self.retried

    @property
    def to_send(self) -> int:
        """Entries a submit would send."""
        return self.sendable if self.limit is None else min(self.sendable, self.limit)

    @property
    def left_out(self) -> int:
        """Entries that the limit leaves for another time."""
        return self.sendable - self.to_send


@dataclass(frozen=True, slots=True)
class Planned:
    """Every row is checked and the plan stands; sending begins. ``quota`` is the target's, and
    ``forecast`` says when all is sent, where that is known."""

    plan: Plan
    validation: Validation
    quota: Quota = field(default_factory=lambda: Quota(0.0))
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class RetryPlanned:
    """Which failed images a retry sends, and which it leaves, by cause."""

    groups: tuple[RetryGroup, ...]

    @property
    def sent(self) -> int:
        """Images that are sent again."""
        return sum(each.sent for each in self.groups)

    @property
    def left(self) -> int:
        """Failed images that are not."""
        return sum(each.left for each in self.groups)


@dataclass(frozen=True, slots=True)
class Left:
    """Failed images of one cause that a retry leaves: they need a change, or were not asked for."""

    cause: str
    images: int
    reason: str
    needs_change: bool


@dataclass(frozen=True, slots=True)
class CanaryEnded:
    """The first images of a submit have ended so; it goes on where they ``passed`` the limit."""

    totals: Totals
    causes: tuple[CauseRow, ...]
    limit: str
    passed: bool


@dataclass(frozen=True, slots=True)
class BatchSent:
    """The target accepted a batch of ``images`` (rows ``first_row`` to ``last_row``)."""

    job_id: str
    images: int
    first_row: int
    last_row: int


MOST_SHOWN = 8
"""Open jobs that are told one by one; of more only how many there are in which state."""


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job under way, accepted at ``since`` (Unix seconds, where that is known)."""

    id: str
    counts: Counts
    since: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """This run so far: ``to_send`` entries in all, ``sent`` of them accepted, ``counts`` of the
    images under way in this run (sent now or still open from before). ``exact`` is False where
    the target tells nothing before a job's end. Of the open jobs ``waiting`` have not begun or,
    where only questions tell, were not asked about yet; the few that there may be are ``jobs``.
    Where the quota stretches the move, all of it is sent at ``finish_at`` (Unix time)."""

    to_send: int
    sent: int
    counts: Counts
    open_jobs: int
    exact: bool = True
    waiting: int = 0
    jobs: tuple[OpenJob, ...] = ()
    finish_at: float | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The quota leaves no room; the run waits ``until`` then (Unix time)."""

    until: float
    quota: Quota


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job has its final state and its results are stored."""

    job_id: str
    state: JobState
    counts: Counts


@dataclass(frozen=True, slots=True)
class Patched:
    """An entry that changed got these ``properties`` through the media library."""

    external_id: str
    properties: tuple[str, ...]
    job_id: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run. ``plan`` is None for watch and retry; ``jobs`` are this run's;
    ``stopped`` is the error that ended it early (quota, deadline, unreachable), if any. Of
    ``totals`` those ``ahead`` are known from the target alone, since their jobs go on; ``notes``
    are the codes of what is to be said of images that arrived, with how many they are; ``own`` are
    the images of this run alone, where a limit asked for these; ``updated`` what became of changes
    that the target did not take, where it was asked to take them through its media library;
    ``waived`` tells why failures were accepted, ``held`` how many images of which hosts were not
    sent, since these fail over and over; ``quota`` is the target's, and ``finish_at`` the time at
    which all is sent, where that is known."""

    plan: Plan | None
    jobs: tuple[JobRow, ...]
    totals: Totals
    seconds: float
    exit_code: ExitCode
    causes: tuple[CauseRow, ...] = ()
    stopped: BaseException | None = None
    ahead: Totals = field(default_factory=Totals)
    notes: Mapping[str, int] = field(default_factory=dict)
    own: Totals | None = None
    updated: Updates | None = None
    waived: tuple[Waiver, ...] = ()
    held: Mapping[str, int] = field(default_factory=dict)
    quota: Quota | None = None
    finish_at: float | None = None

    @property
    def shown(self) -> Totals:
        """What a screen adds up: with a limit the images that it let through."""
        return self.totals if self.own is None else self.own


Event = (
    Planned
    | RetryPlanned
    | Left
    | CanaryEnded
    | Notice
    | BatchSent
    | Progress
    | Waiting
    | Failure
    | JobEnded
    | Patched
    | Silence
    | Summary
)
