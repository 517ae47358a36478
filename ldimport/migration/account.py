"""What every use case works with, and how a run is asked to go."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ldimport.causes import Cause
from ldimport.errors import LdimportError
from ldimport.migration.again import TRIES, Again
from ldimport.migration.limits import FailureLimit
from ldimport.migration.model import Failed, JobRow, OpenBatch
from ldimport.migration.quota import Quota, QuotaRules, quota_at
from ldimport.migration.store import StateStore
from ldimport.model import Integrity, JobOptions, Result
from ldimport.targets.base import Target

Tick = Callable[[int], None]
"""Gets the bytes of the manifest read so far."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a run sees it: Unix seconds, monotonic seconds, and waiting."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Account:
    """The state file, the target that images go to, and the time."""

    store: StateStore
    target: Target
    clock: Clock = field(default_factory=Clock)

    def archive(self, system_name: str) -> int | None:
        """Number of an archive of the target; made when the state file is writable, else None if
        unknown."""
        return self.store.archive(self.target.identity, self.target.label, system_name)

    def open_batches(
        self, only: Sequence[str] = (), system_name: str | None = None
    ) -> list[OpenBatch]:
        """Batches under way at the target; ``only`` those of these jobs where any are named, and
        those of one archive where it is named."""
        return self.store.open_batches(self.target.identity, only, system_name)

    def quota(self, rules: QuotaRules, *, believed: bool = True) -> Quota:
        """The target's quota, as the ledger of the state file and, where that is ``believed``, its
        last refusal tell it."""
        target, now = self.target.identity, self.clock.now()
        seen = self.store.refusal(target) if believed else None
        if seen is None and rules.daily_limit is None:  # asked for each batch
            return Quota(now, reserve=rules.reserve)
        return quota_at(now, self.store.accepted(target, now), seen, rules)

    def as_now(self, row: JobRow) -> JobRow:
        """A job; if it is open, with what the target tells of it before its end."""
        with suppress(LdimportError):  # it is told what is known, no more
            here = not row.state.finished and row.target == self.target.identity
            if here and (counts := self.target.progress(row.id)):
                return replace(row, counts=counts)
        return row

    def outcomes(self, job_id: str) -> Sequence[Result]:
        """Images of an open job whose outcome the target tells already."""
        with suppress(LdimportError):
            counts = self.target.progress(job_id)
            if counts is not None and counts.pending < counts.total:
                return self.target.outcomes(job_id)
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """When a run stops by itself: ``deadline`` in seconds from its start, or from ``since`` by the
    monotonic clock; once ``max_failures`` are reached; ``wait`` False: after the last batch is
    accepted; ``update``: changes that the target skips are made through its media library;
    ``quota`` is what the user says of it. Of what earlier runs left open, that of the archive
    ``system_name`` is taken up; None: of all at the target."""

    system_name: str | None = None
    deadline: float | None = None
    since: float | None = None
    max_failures: FailureLimit | None = None
    wait: bool = True
    update: bool = False
    quota: QuotaRules = field(default_factory=QuotaRules)

    def ends(self, started: float) -> float:
        """When the deadline of a run that ``started`` then passes, by the monotonic clock."""
        if self.deadline is None:
            return math.inf
        return (started if self.since is None else self.since) + self.deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions(RunOptions):
    """``valid_only``: leave rows with errors out; ``limit``: at most so many images;
    ``batch_size``: at most so many in one POST; ``resend``: unchanged ones too; ``tries``: how
    often an image is sent by itself that fails for a passing cause; ``canary``: so many images
    are sent first, spread over all, and the others only if few of them fail; ``max_problems``:
    findings to keep."""

    valid_only: bool = False
    limit: int | None = None
    batch_size: int | None = None
    resend: bool = False
    tries: int = TRIES
    canary: int | None = None
    max_problems: int = 1_000

    def again(self, clock: Clock) -> Again:
        """Which failed images are sent again, as of now."""
        return Again(clock.now(), self.tries)


_ANOTHER_CHANCE = (
    (Cause.ADDRESS_NOT_ALLOWED.code, "allow_hosts"),
    (Cause.ORIGIN_STATUS.with_(status=403).code, "user_agent"),
    (Cause.TLS.code, "ca_file"),
    (Cause.INVALID_METADATA.code, "lenient"),
    (Cause.INVALID_METADATA.code, "nulls"),
    (Cause.CORRUPT.code, "integrity"),
    (Cause.TOO_COMPLEX.code, "integrity"),
    ("*-not-accepted", "formats"),
)
"""Causes that need no other change where this one of ``JobOptions`` has another value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOptions(RunOptions):
    """Which failed images, as ``model.Failed`` says; ``older_than``: that failed at least so many
    seconds ago. The engine treats them as before, but for ``allow_hosts``, ``integrity`` and
    ``again`` (fields of ``JobOptions``) where given."""

    job: str | None = None
    cause: str | None = None
    host: str | None = None
    older_than: float | None = None
    ids: tuple[str, ...] | None = None
    everything: bool = False
    allow_hosts: tuple[str, ...] | None = None
    integrity: Integrity | None = None
    again: Mapping[str, Any] = field(default_factory=dict)

    def which(self, now: float) -> Failed:
        """The images that are meant. What is treated otherwise this time may work this time."""
        before = None if self.older_than is None else now - self.older_than
        given = {"integrity": self.integrity, "allow_hosts": self.allow_hosts, **self.again}
        worth = ((cause, name, given[name]) for cause, name in _ANOTHER_CHANCE
                 if given.get(name) is not None)  # fmt: skip
        named = (self.job, self.cause, self.host, before, self.ids, self.everything)
        return Failed(*named, tuple(worth))

    def over(self, recorded: JobOptions) -> JobOptions:
        """Recorded job options, but for what is given again."""
        own: dict[str, Any] = {"allow_hosts": self.allow_hosts, "integrity": self.integrity}
        given = {name: value for name, value in own.items() if value is not None}
        return replace(recorded, **given, **self.again)
