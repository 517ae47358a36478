"""Open jobs of one run: ask the target, store what ended, say what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ldimport.errors import RefusedError
from ldimport.migration import ledger, settling
from ldimport.migration.causes import cause_of
from ldimport.migration.events import BatchSent, Event, Failure, JobEnded, Totals
from ldimport.migration.ledger import OpenBatch
from ldimport.migration.settling import Settled
from ldimport.migration.state import StateFile
from ldimport.model import Counts, JobState, JobStatus
from ldimport.targets.base import Target

LOCAL_PAUSE = 0.1
"""Seconds between two looks at the embedded engine: a look is one small query."""
FIRST_PAUSE, LONGEST_PAUSE, SLOWER = 0.5, 30.0, 1.5
REQUESTS_PER_SECOND = 5


@dataclass(slots=True)
class _Tracked:
    batch: OpenBatch
    pause: float
    due: float
    counts: Counts


@dataclass(slots=True)
class Tally:
    """What became of the images of this run's jobs."""

    success: int = 0
    skipped: int = 0
    failed: int = 0
    unsubmitted: int = 0
    not_taken_over: int = 0
    failed_jobs: list[str] = field(default_factory=list)

    def add(self, settled: Settled) -> None:
        """Count the end of one job."""
        self.success += settled.success
        self.skipped += settled.skipped
        self.failed += settled.failed
        self.unsubmitted += settled.unsubmitted
        self.not_taken_over += settled.not_taken_over

    def totals(self, *, pending: int, unsubmitted: int = 0, invalid: int = 0) -> Totals:
        """As the totals of a run."""
        return Totals(
            self.success,
            self.skipped,
            self.failed,
            pending,
            self.unsubmitted + unsubmitted,
            invalid,
            self.not_taken_over,
        )


class Tracker:
    """Follows the jobs of one run to their end. ``tally`` counts finished jobs, ``job_ids`` are
    all that were followed."""

    def __init__(
        self,
        state: StateFile,
        target: Target,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = Tally()
        self.job_ids: list[str] = []
        self._state = state
        self._target = target
        self._now = now
        self._monotonic = monotonic
        self._open: dict[int, _Tracked] = {}

    def __len__(self) -> int:
        return len(self._open)

    def follow(self, batch: OpenBatch) -> None:
        """Track an accepted batch."""
        pause = LOCAL_PAUSE if self._target.local else FIRST_PAUSE
        due = self._monotonic() + (0 if self._target.local else pause)
        self._open[batch.id] = _Tracked(batch, pause, due, Counts(pending=batch.images))
        self.job_ids.append(batch.job_id or "")

    def recover(self, batches: Iterable[OpenBatch]) -> Iterator[Event]:
        """Follow what an earlier run left open. A batch that was recorded but perhaps never
        accepted is handed over again with its key: the same key gives the same job."""
        for batch in batches:
            if batch.job_id is not None:
                self.follow(batch)
                continue
            envelope, images, options = ledger.contents(self._state, batch)
            try:
                job_id = self._target.submit(envelope.request(images), batch.key, options)
            except RefusedError:
                ledger.refuse(self._state, batch, self._now())
                raise
            accepted = ledger.accept(self._state, batch, job_id, self._now())
            self.follow(accepted)
            rows = [each.row for each in images]
            yield BatchSent(job_id, len(images), min(rows), max(rows))

    def poll(self) -> Iterator[Event]:
        """Ask about every job that is due, and store the results of those that ended."""
        for tracked in list(self._open.values()):
            if tracked.due > self._monotonic():
                continue
            job = self._target.status(tracked.batch.job_id or "")
            if job.finished:
                yield from self._end(tracked, job)
            else:
                self._look_again(tracked)

    def pause(self) -> float:
        """Seconds until the next job is due."""
        if not self._open:
            return 0.0
        soonest = min(tracked.due for tracked in self._open.values())
        return max(0.0, soonest - self._monotonic())

    def counts(self) -> tuple[Counts, bool]:
        """Images of this run's jobs so far, and whether running jobs are counted exactly."""
        running = [tracked.counts for tracked in self._open.values()]
        counts = Counts(
            self.tally.success + sum(each.success for each in running),
            self.tally.skipped + sum(each.skipped for each in running),
            self.tally.failed + sum(each.failed for each in running),
            sum(each.pending for each in running),
        )
        return counts, self._target.local

    @property
    def pending(self) -> int:
        """Images of jobs that have not ended."""
        return sum(tracked.batch.images for tracked in self._open.values())

    def _look_again(self, tracked: _Tracked) -> None:
        tracked.counts = self._target.progress(tracked.batch.job_id or "") or tracked.counts
        if not self._target.local:
            spread = len(self._open) / REQUESTS_PER_SECOND
            tracked.pause = min(LONGEST_PAUSE, max(tracked.pause * SLOWER, spread))
        tracked.due = self._monotonic() + tracked.pause

    def _end(self, tracked: _Tracked, job: JobStatus) -> Iterator[Event]:
        batch = tracked.batch
        settled = settling.settle(self._state, batch, job, self._now())
        del self._open[batch.id]
        self.tally.add(settled)
        if job.state is not JobState.SUCCESS:
            self.tally.failed_jobs.append(job.id)
        yield from failures(settled, job.id)
        yield JobEnded(job.id, job.state, ended_counts(job.state, batch.images, settled))


def failures(settled: Settled, job_id: str) -> Iterator[Failure]:
    """One event for each image that failed."""
    for each, reason in settled.failures:
        cause, retryable = cause_of(reason)
        yield Failure(each.image.id, each.row, each.image.url, reason, cause, retryable, job_id)


def ended_counts(state: JobState, images: int, settled: Settled) -> Counts:
    """Counts of an ended job: of one that failed as a whole all images failed in it, of a lost
    one nothing is known."""
    if state is JobState.SUCCESS:
        return Counts(settled.success, settled.skipped, settled.failed)
    return Counts(failed=images) if state is JobState.FAILED else Counts(pending=images)


def refresh(state: StateFile, target: Target, job_id: str) -> JobStatus | None:
    """Ask the target about one open job of the state file and store its end when writable;
    None when the job is not open there."""
    for batch in ledger.open_batches(state, target.identity):
        if batch.job_id == job_id:
            job = target.status(job_id)
            if job.finished and state.writable:
                settling.settle(state, batch, job, time.time())
            return job
    return None
