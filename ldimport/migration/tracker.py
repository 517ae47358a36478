"""The jobs of one run, asked about until they end, each by itself."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ldimport.causes import Cause
from ldimport.errors import (
    LdimportError,
    QuotaError,
    RefusedError,
    UnexpectedAnswerError,
)
from ldimport.migration.account import Account
from ldimport.migration.batch import Parcel
from ldimport.migration.confirm import confirmed, lacks_results
from ldimport.migration.events import BatchSent, Event, JobEnded
from ldimport.migration.model import JobRow, OpenBatch, Settled, Totals, added
from ldimport.model import Counts, JobState, JobStatus, Result, Status

LOCAL_PAUSE = 0.1
"""Seconds between two looks at the embedded engine: a look is one small query."""
FIRST_PAUSE, LONGEST_PAUSE, SLOWER = 0.5, 30.0, 1.5
REQUESTS_PER_SECOND = 5
ASK_AGAIN = 2
"""How often a job that ended with fewer results than images is asked about once more."""
OF_ONE_QUESTION = frozenset(("server-error", "broken-answer", "not-json", "blocked"))
"""Codes of errors with which a server, or what stands before it, may meet one batch or job only."""
LAG = 5.0
"""Seconds in which a server may not know yet a job that it accepted: a copy of its database may
answer, which lags behind."""


@dataclass(slots=True)
class _Tracked:
    batch: OpenBatch
    pause: float
    due: float
    counts: Counts
    lost_from: float
    again: int = ASK_AGAIN
    known: Sequence[Result] = ()


class Tracker:
    """Follows the jobs of one run to their end. ``totals`` counts finished jobs, of which
    ``failed_jobs`` failed as a whole or were lost; ``notes`` are those to images that arrived, by
    code; ``over_quota`` are recorded batches that the quota did not admit; ``job_ids`` are all that
    were followed; ``trouble`` is the first answer that kept one job from its end, while others went
    on."""

    def __init__(self, account: Account) -> None:
        self.totals = Totals()
        self.failed_jobs = 0
        self.notes: Counter[str] = Counter()
        self.job_ids: list[str] = []
        self.trouble: LdimportError | None = None
        self.over_quota: list[tuple[QuotaError, Parcel]] = []
        self._account, self._store, self._target = account, account.store, account.target
        self._clock = account.clock
        self._open: dict[int, _Tracked] = {}
        self._aside: list[_Tracked] = []
        self._met = False

    def __len__(self) -> int:
        return len(self._open)

    def follow(self, batch: OpenBatch) -> None:
        """Track an accepted batch."""
        local, now = self._target.local, self._clock.monotonic()
        pause = LOCAL_PAUSE if local else FIRST_PAUSE
        due, lost_from = (now, now) if local else (now + pause, now + LAG)
        self._open[batch.id] = _Tracked(batch, pause, due, Counts(pending=batch.images), lost_from)
        self.job_ids.append(batch.job_id or "")

    def count(self, ended: Iterable[JobRow]) -> None:
        """Jobs that have ended before this run, and belong to what it tells."""
        for row in ended:
            self.job_ids.append(row.id)
            self.failed_jobs += row.state is not JobState.SUCCESS
            counts = row.counts
            sums = Totals(counts.success, counts.skipped, counts.failed, counts.pending)
            self.totals = added(Totals, (self.totals, sums))

    def recover(self, batches: Iterable[OpenBatch]) -> Iterator[Event]:
        """Follow what an earlier run left open. A batch that was recorded but perhaps never
        accepted is handed over again with its key: the same key gives the same job."""
        for batch in batches:
            if batch.job_id is not None:
                self.follow(batch)
                continue
            parcel = self._store.parcel(batch)
            try:
                sent = self.hand_over(batch, parcel)
            except QuotaError as error:
                self._store.refuse(batch, self._clock.now(), error)
                self.over_quota.append((error, parcel))
            except RefusedError as error:
                self._store.refuse(batch, self._clock.now(), error)
                self.trouble = self.trouble or error
            except LdimportError as error:
                self._meet(error)
            else:
                self._met = False
                yield sent

    def hand_over(self, batch: OpenBatch, parcel: Parcel) -> BatchSent:
        """Submit what a recorded batch carries, and follow its job."""
        job_id = self._target.submit(parcel.request, batch.key, parcel.options)
        self.follow(self._store.accept(batch, job_id, self._clock.now()))
        return BatchSent(job_id, len(parcel.images), *parcel.rows)

    def poll(self) -> Iterator[Event]:
        """Ask about every job that is due, and store the results of those that ended."""
        for tracked in list(self._open.values()):
            if tracked.due > self._clock.monotonic():
                continue
            try:
                job = self._target.status(tracked.batch.job_id or "")
            except UnexpectedAnswerError as error:
                self._not_understood(tracked, error)
                continue
            except LdimportError as error:
                self._meet(error)
                self._set_aside(tracked)
                continue
            self._met = False
            if lacks_results(tracked.batch, job) and tracked.again:
                tracked.again -= 1
                self._look_again(tracked)
            elif job.state is JobState.LOST and self._clock.monotonic() < tracked.lost_from:
                self._look_again(tracked)
            elif job.finished:
                yield from self._end(tracked, job)
            else:
                self._look_again(tracked)

    def pause(self) -> float:
        """Seconds until the next job of those open is due."""
        soonest = min(tracked.due for tracked in self._open.values())
        return max(0.0, soonest - self._clock.monotonic())

    def counts(self) -> tuple[Counts, bool]:
        """Images of this run's jobs so far, and whether running jobs are counted exactly."""
        ended = Counts(self.totals.success, self.totals.skipped, self.totals.failed)
        running = [tracked.counts for tracked in self._open.values()]
        return added(Counts, (ended, *running)), self._target.local

    def look_ahead(self) -> None:
        """Ask what is known of the jobs that go on without us."""
        for tracked in self._open.values():
            tracked.known = self._account.outcomes(tracked.batch.job_id or "")

    def known(self) -> Iterator[tuple[OpenBatch, Sequence[Result]]]:
        """The jobs that go on, each with the images of which the target told the outcome."""
        return ((tracked.batch, tracked.known) for tracked in self._open.values())

    @property
    def pending(self) -> int:
        """Images of jobs that have not ended."""
        return sum(each.batch.images for each in (*self._open.values(), *self._aside))

    def _look_again(self, tracked: _Tracked) -> None:
        tracked.counts = self._target.progress(tracked.batch.job_id or "") or tracked.counts
        if not self._target.local:
            spread = len(self._open) / REQUESTS_PER_SECOND
            tracked.pause = min(LONGEST_PAUSE, max(tracked.pause * SLOWER, spread))
        tracked.due = self._clock.monotonic() + tracked.pause

    def _not_understood(self, tracked: _Tracked, error: UnexpectedAnswerError) -> None:
        """Ask again, then leave this job to a later run; the others go on."""
        tracked.again -= 1
        if tracked.again >= 0:
            return self._look_again(tracked)
        self.trouble = self.trouble or error
        return self._set_aside(tracked)

    def _meet(self, error: LdimportError) -> None:
        """Remember what keeps one batch or job from going on; raised when it concerns all, as the
        second such answer in a row shows."""
        if not is_of_one(error) or (self._met and not isinstance(error, UnexpectedAnswerError)):
            raise error
        self._met = True
        self.trouble = self.trouble or error

    def _set_aside(self, tracked: _Tracked) -> None:
        self._aside.append(self._open.pop(tracked.batch.id))

    def too_large(self, batch: OpenBatch, parcel: Parcel) -> Iterator[Event]:
        """The one image of this batch is more than the target takes."""
        (only,) = parcel.images
        result = Result(only.image.id, Status.FAILED, cause=Cause.TOO_LARGE_TO_SEND.code)
        job = JobStatus("", JobState.SUCCESS, results=(result,))
        settled = self._store.settle(batch, job, self._clock.now())
        self.totals = added(Totals, (self.totals, settled.totals))
        yield from settled.failures

    def _end(self, tracked: _Tracked, job: JobStatus) -> Iterator[Event]:
        batch = tracked.batch
        job = confirmed(self._account, batch, job)
        settled = self._store.settle(batch, job, self._clock.now())
        del self._open[batch.id]
        self.totals = added(Totals, (self.totals, settled.totals))
        self.notes.update(settled.notes)
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


def ahead(results: Iterable[Result]) -> Totals:
    """What known outcomes in jobs that go on change of the totals."""
    words = Counter(result.status.value for result in results)
    return Totals(**words, pending=-words.total())


def is_of_one(error: LdimportError) -> bool:
    """Whether what a server answered may concern one batch or job only."""
    return isinstance(error, UnexpectedAnswerError) or error.code in OF_ONE_QUESTION
