"""One run: hand over batches, at most 16 jobs open, ask the target about them until they end.

Shared by ``submit``, ``retry`` and ``watch``. Whatever stops a run is kept in ``stopped``; what
was acknowledged is in the state file before the next step is taken.
"""

import uuid
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ldimport.causes import Cause
from ldimport.errors import (
    AuthError,
    DeadlineError,
    ExitCode,
    FailureLimitError,
    LdimportError,
    QuotaError,
    RefusedError,
    TooLargeError,
    UnexpectedAnswerError,
    worst,
)
from ldimport.migration.account import Account, RunOptions
from ldimport.migration.batch import Parcel
from ldimport.migration.causes import causes_of, joined
from ldimport.migration.confirm import confirmed, lacks_results
from ldimport.migration.events import BatchSent, Event, JobEnded, Plan, Progress, Summary
from ldimport.migration.model import CauseRow, JobRow, OpenBatch, Settled, Totals, added
from ldimport.model import MAX_OPEN_JOBS, Counts, JobState, JobStatus, Notice, Result, Status

LOCAL_PAUSE = 0.1
"""Seconds between two looks at the embedded engine: a look is one small query."""
FIRST_PAUSE, LONGEST_PAUSE, SLOWER = 0.5, 30.0, 1.5
REQUESTS_PER_SECOND = 5
ASK_AGAIN = 2
"""How often a job that ended with fewer results than images is asked about once more."""
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
    code; ``job_ids`` are all that were followed; ``trouble`` is the first answer that kept one job
    from its end, while others went on."""

    def __init__(self, account: Account) -> None:
        self.totals = Totals()
        self.failed_jobs = 0
        self.notes: Counter[str] = Counter()
        self.job_ids: list[str] = []
        self.trouble: LdimportError | None = None
        self._account, self._store, self._target = account, account.store, account.target
        self._clock = account.clock
        self._open: dict[int, _Tracked] = {}

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
            try:
                sent = self.hand_over(batch, self._store.parcel(batch))
            except RefusedError as error:
                self._store.refuse(batch, self._clock.now())
                self.trouble = self.trouble or error
            except UnexpectedAnswerError as error:
                self.trouble = self.trouble or error
            else:
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
        return sum(tracked.batch.images for tracked in self._open.values())

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
        del self._open[tracked.batch.id]
        return None

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


class Run:
    """Carries parcels to the target. ``sent`` counts images accepted in this run, ``batches`` are
    the numbers of those recorded in it, ``ahead`` is what its totals know of jobs that go on. Of
    what earlier runs left open in the archive that ``options`` name, ``only`` these jobs are
    followed where any are named."""

    def __init__(self, account: Account, options: RunOptions, only: Sequence[str] = ()) -> None:
        self.tracker = Tracker(account)
        self.sent = 0
        self.batches: list[int] = []
        self.stopped: BaseException | None = None
        self.ahead = Totals()
        self._account, self._store, self._target = account, account.store, account.target
        self._clock = account.clock
        self._options = options
        self._left = account.open_batches(only, options.system_name)
        self._started = self._clock.monotonic() if options.since is None else options.since
        self._ends = options.ends(self._started)

    def carry_out(self, parcels: Iterator[Parcel], to_send: int) -> Iterator[Event]:
        """Recover what is open, send every parcel, follow all jobs. Never raises what stops a
        run; look at ``stopped``."""
        try:
            with self._target.work(self._options.system_name):
                try:
                    yield from self._recover(to_send)
                    yield from self._send_all(parcels, to_send)
                except (QuotaError, RefusedError, UnexpectedAnswerError) as error:
                    self.stopped = error  # what is under way is still followed to its end
                while self._options.wait and len(self.tracker):
                    yield from self._step(to_send)
        except (LdimportError, KeyboardInterrupt) as error:
            self.stopped = error
        self.tracker.look_ahead()
        self.stopped = self.stopped or self.tracker.trouble
        for text in self._target.undelivered():
            yield Notice("webhook-undelivered", text)

    def totals(self, *, unsubmitted: int = 0, pending: int | None = None) -> Totals:
        """The images that were under way in this run; ``pending`` where more are than it follows.
        Of jobs that go on those count whose outcome is known."""
        still = self.tracker.pending if pending is None else pending
        rest = Totals(pending=still, unsubmitted=unsubmitted)
        self.ahead = ahead(each for _, known in self.tracker.known() for each in known)
        return added(Totals, (self.tracker.totals, rest, self.ahead))

    def summary(
        self, totals: Totals, causes: tuple[CauseRow, ...], plan: Plan | None = None
    ) -> Summary:
        """How it ended."""
        known = causes_of(each for _, known in self.tracker.known() for each in known)
        causes = joined(causes, known) if self.ahead.failed else causes
        failures = bool(totals.failed or totals.invalid or causes)
        seconds = self._clock.monotonic() - self._started
        jobs = tuple(map(self._account.as_now, self._store.jobs(self.tracker.job_ids)))
        code, notes = self._exit_code(failures), self.tracker.notes
        return Summary(plan, jobs, totals, seconds, code, causes, self.stopped, self.ahead, notes)

    def _exit_code(self, failures: bool) -> ExitCode:
        codes = [ExitCode.FAILURES] if failures else []
        if self.tracker.failed_jobs:
            codes.append(ExitCode.REFUSED)
        if self.stopped is not None:
            codes.append(getattr(self.stopped, "exit_code", ExitCode.INTERRUPTED))
        return worst(*codes)

    def _recover(self, to_send: int) -> Iterator[Event]:
        yield from self.tracker.recover(self._left)
        if self._left:
            yield self._progress(to_send)

    def _send_all(self, parcels: Iterator[Parcel], to_send: int) -> Iterator[Event]:
        waiting: deque[Parcel] = deque()
        while parcel := (waiting.popleft() if waiting else next(parcels, None)):
            while len(self.tracker) >= MAX_OPEN_JOBS:
                yield from self._step(to_send)
            self._check_deadline()
            smaller = yield from self._send(parcel)
            waiting.extendleft(reversed(smaller))
            yield self._progress(to_send)
            yield from self._poll()

    def _send(self, parcel: Parcel) -> Generator[Event, None, list[Parcel]]:
        """Intent, then action. Returns smaller parcels when this one was too large (413)."""
        store, now = self._store, self._clock.now
        batch = store.record_intent(parcel, uuid.uuid4().hex, now())
        self.batches.append(batch.id)
        try:
            sent = self.tracker.hand_over(batch, parcel)
        except (QuotaError, AuthError, RefusedError) as error:
            if isinstance(error, TooLargeError) and len(parcel.images) == 1:
                yield from self.tracker.too_large(batch, parcel)
                return []
            store.refuse(batch, now())
            if not isinstance(error, TooLargeError):
                raise
            return parcel.halves()
        self.sent += sent.images
        yield sent
        return []

    def _step(self, to_send: int) -> Iterator[Event]:
        self._check_deadline()
        yield from self._poll()
        yield self._progress(to_send)
        if len(self.tracker):
            self._clock.sleep(min(self.tracker.pause(), 0.5))

    def _progress(self, to_send: int) -> Progress:
        counts, exact = self.tracker.counts()
        return Progress(to_send, self.sent, counts, len(self.tracker), exact)

    def _check_deadline(self) -> None:
        if self._clock.monotonic() >= self._ends:
            jobs = "1 job is" if len(self.tracker) == 1 else f"{len(self.tracker)} jobs are"
            text = f"stopped after {self._options.deadline:g} s, as asked; {jobs} still running"
            raise DeadlineError(text, hint="run the same command again to go on")

    def _poll(self) -> Iterator[Event]:
        """Raises FailureLimitError once more images failed than may."""
        yield from self.tracker.poll()
        totals = self.tracker.totals
        tried = totals.success + totals.skipped + totals.failed
        if self._options.fail_on is not None and self._options.fail_on(totals.failed, tried):
            raise FailureLimitError(
                f"stopped: {totals.failed:,} of {tried:,} images failed, more than --fail-on "
                "allows",
                hint="ldimport results --failed   shows why; then run the same command again",
            )
