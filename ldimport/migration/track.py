"""Open jobs of one run: ask the target, store what ended, say what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ldimport.errors import RefusedError
from ldimport.migration.account import Account
from ldimport.migration.events import BatchSent, Event, JobEnded
from ldimport.migration.model import OpenBatch, Settled, Totals, added
from ldimport.model import Counts, JobState, JobStatus

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


class Tracker:
    """Follows the jobs of one run to their end. ``totals`` counts finished jobs, of which
    ``failed_jobs`` failed as a whole or were lost; ``job_ids`` are all that were followed."""

    def __init__(self, account: Account) -> None:
        self.totals = Totals()
        self.failed_jobs = 0
        self.job_ids: list[str] = []
        self._store, self._target = account.store, account.target
        self._clock = account.clock
        self._open: dict[int, _Tracked] = {}

    def __len__(self) -> int:
        return len(self._open)

    def follow(self, batch: OpenBatch) -> None:
        """Track an accepted batch."""
        pause = LOCAL_PAUSE if self._target.local else FIRST_PAUSE
        due = self._clock.monotonic() + (0 if self._target.local else pause)
        self._open[batch.id] = _Tracked(batch, pause, due, Counts(pending=batch.images))
        self.job_ids.append(batch.job_id or "")

    def recover(self, batches: Iterable[OpenBatch]) -> Iterator[Event]:
        """Follow what an earlier run left open. A batch that was recorded but perhaps never
        accepted is handed over again with its key: the same key gives the same job."""
        for batch in batches:
            if batch.job_id is not None:
                self.follow(batch)
                continue
            parcel = self._store.parcel(batch)
            try:
                job_id = self._target.submit(parcel.request, batch.key, parcel.options)
            except RefusedError:
                self._store.refuse(batch, self._clock.now())
                raise
            self.follow(self._store.accept(batch, job_id, self._clock.now()))
            yield BatchSent(job_id, len(parcel.images), *parcel.rows)

    def poll(self) -> Iterator[Event]:
        """Ask about every job that is due, and store the results of those that ended."""
        for tracked in list(self._open.values()):
            if tracked.due > self._clock.monotonic():
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
        return max(0.0, soonest - self._clock.monotonic())

    def counts(self) -> tuple[Counts, bool]:
        """Images of this run's jobs so far, and whether running jobs are counted exactly."""
        ended = Counts(self.totals.success, self.totals.skipped, self.totals.failed)
        running = [tracked.counts for tracked in self._open.values()]
        return added(Counts, (ended, *running)), self._target.local

    @property
    def pending(self) -> int:
        """Images of jobs that have not ended."""
        return sum(tracked.batch.images for tracked in self._open.values())

    def _look_again(self, tracked: _Tracked) -> None:
        tracked.counts = self._target.progress(tracked.batch.job_id or "") or tracked.counts
        if not self._target.local:
            spread = len(self._open) / REQUESTS_PER_SECOND
            tracked.pause = min(LONGEST_PAUSE, max(tracked.pause * SLOWER, spread))
        tracked.due = self._clock.monotonic() + tracked.pause

    def _end(self, tracked: _Tracked, job: JobStatus) -> Iterator[Event]:
        batch = tracked.batch
        settled = self._store.settle(batch, job, self._clock.now())
        del self._open[batch.id]
        self.totals = added(Totals, (self.totals, settled.totals))
        self.failed_jobs += job.state is not JobState.SUCCESS
        yield from settled.failures
        yield JobEnded(job.id, job.state, _ended_counts(job.state, batch.images, settled))


def _ended_counts(state: JobState, images: int, settled: Settled) -> Counts:
    """Counts of an ended job: of one that failed as a whole all images failed in it, of a lost
    one nothing is known."""
    if state is JobState.SUCCESS:
        sums = settled.totals
        return Counts(sums.success, sums.skipped, sums.failed)
    return Counts(failed=images) if state is JobState.FAILED else Counts(pending=images)


def refresh(account: Account, job_id: str) -> JobStatus | None:
    """Ask the target about one open job of the state file and store its end when writable;
    None when the job is not open there."""
    for batch in account.open_batches([job_id]):
        job = account.target.status(job_id)
        if job.finished and account.store.writable:
            account.store.settle(batch, job, account.clock.now())
        return job
    return None
