"""The jobs of one run, thousands if need be, asked about until they end, each by itself."""

from collections import Counter, deque
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial

from ldimport.causes import Cause
from ldimport.errors import LdimportError, QuotaError, RefusedError, UnexpectedAnswerError
from ldimport.migration.account import Account
from ldimport.migration.batch import Parcel
from ldimport.migration.beside import beside
from ldimport.migration.confirm import Lookup, Rest, confirmed, is_clear, lacks_results, reconciled
from ldimport.migration.events import MOST_SHOWN, BatchSent, Event, JobEnded, OpenJob
from ldimport.migration.hints import Hints
from ldimport.migration.hosts import Breaker
from ldimport.migration.model import JobRow, OpenBatch, Settled, Totals, Updates, added
from ldimport.migration.pace import Pace, Rounds
from ldimport.migration.patching import Patcher
from ldimport.model import Counts, JobState, JobStatus, Notice, Result, Status

LOCAL_PAUSE = 0.1
"""Seconds between two looks at the embedded engine: a look is one small query."""
FIRST_PAUSE, LONGEST_PAUSE, SLOWER = 0.5, 30.0, 1.5
ASK_AGAIN = 2
"""How often a job that ended with fewer results than images is asked about once more."""
OF_ONE_QUESTION = frozenset(("server-error", "broken-answer", "not-json", "blocked"))
"""Codes of errors with which a server, or what stands before it, may meet one batch or job only."""
LOST_PAUSES = (1.0, 2.0, 4.0)
"""Seconds after which a server that does not know a job is asked again, before that counts: behind
a balancer a copy of its database may answer, which lags behind."""
MOST_ENDINGS = 4
"""Ended jobs of which images are looked up one by one; no more are asked about meanwhile."""

Steps = Generator[Event | None, None, Rest]


@dataclass(slots=True)
class _Tracked:
    batch: OpenBatch
    pause: float
    counts: Counts
    again: int = ASK_AGAIN
    lost: int = 0
    instead: bool = False
    known: Sequence[Result] = ()
    waits: bool = True


class Tracker:
    """Follows the jobs of one run to their end. ``totals`` counts finished jobs, of which
    ``failed_jobs`` failed as a whole or were lost for good; ``notes`` are those to images that
    arrived, by code; ``over_quota`` are recorded batches that the quota did not admit; ``job_ids``
    are all that were followed; ``breaker`` hears of their hosts; ``trouble`` is the first answer
    that kept one job from its end, while others went on. With ``update``, changes that the target
    skips are made through its media library. Of a job the least is kept that is needed."""

    def __init__(self, account: Account, *, update: bool = False) -> None:
        self.totals = Totals()
        self.failed_jobs = 0
        self.notes: Counter[str] = Counter()
        self.job_ids: list[str] = []
        self.trouble: LdimportError | None = None
        self.breaker = Breaker()
        self.over_quota: list[tuple[QuotaError, Parcel]] = []
        self._account, self._store, self._target = account, account.store, account.target
        self._clock = account.clock
        self._open: dict[int, _Tracked] = {}
        self._aside: list[_Tracked] = []
        self._running = Counts()
        self._waiting = 0
        self._met = False
        self._pace = Pace(account.clock, account.target.requests_per_second)
        self._rounds = Rounds()
        self._hints = Hints(account)
        self._library = Lookup(account, self._pace)
        self._patcher = Patcher(self._library) if update else None
        self._endings: deque[tuple[_Tracked, Steps]] = deque()
        self._look_up_next = False
        self._lost: deque[Parcel] = deque()

    @property
    def updated(self) -> Updates | None:
        """What became of changes that the target skipped; None: nothing was to be done."""
        return None if self._patcher is None else self._patcher.done

    def __len__(self) -> int:
        return len(self._open)

    def follow(self, batch: OpenBatch, *, new: bool = True, instead: bool = False) -> None:
        """Track an accepted batch; ``new``: only just; ``instead`` of one whose job was lost."""
        usual = LOCAL_PAUSE if self._target.local else FIRST_PAUSE
        pause = usual if new and not self._target.local else 0.0
        counts = Counts(pending=batch.images)
        self._open[batch.id] = _Tracked(batch, usual, counts, instead=instead)
        self._running = added(Counts, (self._running, counts))
        self._waiting += 1
        pause = 0.0 if self._hints.follow(batch) else pause
        self._rounds.add(batch.id, self._clock.monotonic() + pause)
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
        self._heed()
        for batch in batches:
            if batch.job_id is None and (told := self._hints.job_of(batch)):
                batch = self._store.accept(batch, told, self._clock.now())
                text = f"job {told} took a batch whose answer was lost: its webhook says so"
                yield Notice("found-job", text)
            if batch.job_id is not None:
                self.follow(batch, new=False)
                continue
            parcel = self._store.parcel(batch)
            try:
                sent = self.hand_over(batch, parcel)
            except QuotaError as error:
                self._store.refuse(batch, self._clock.now(), error)
                self.over_quota.append((error, parcel.unmarked(batch.key)))
            except RefusedError as error:
                self._store.refuse(batch, self._clock.now(), error)
                self.trouble = self.trouble or error
            except LdimportError as error:
                self._meet(error)
            else:
                self._met = False
                yield sent

    def hand_over(
        self, batch: OpenBatch, parcel: Parcel, work: Callable[[], None] | None = None
    ) -> BatchSent:
        """Submit what a recorded batch carries, ``work`` meanwhile, and follow its job."""
        job_id = beside(
            partial(self._target.submit, parcel.request, batch.key, parcel.options), work
        )
        accepted, instead = self._store.accept(batch, job_id, self._clock.now()), parcel.instead_of
        self.follow(accepted, instead=instead is not None)
        if instead is not None:
            self.under_way_again(parcel)
        return BatchSent(job_id, len(parcel.images), *parcel.rows)

    def lost_parcel(self) -> Parcel | None:
        """What is to be sent once more of a job that was lost, each once."""
        return self._lost.popleft() if self._lost else None

    def under_way_again(self, parcel: Parcel) -> None:
        """Images of a lost job are no longer unsent."""
        self.totals = added(Totals, (self.totals, Totals(unsubmitted=-len(parcel.images))))

    def poll(self) -> Iterator[Event]:
        """Ask about jobs that are due, and store the results of those that ended. Of a target over
        HTTP one question is asked, and none before the pace admits it: whoever calls looks at the
        clock between two of them."""
        self._heed()
        now = self._clock.monotonic()
        while self._pace.wait <= 0:
            self._look_up_next = bool(self._endings) and not self._look_up_next
            full = len(self._endings) >= MOST_ENDINGS
            number = None if self._look_up_next or full else self._rounds.take(now)
            if number is not None:
                yield from self._ask(self._open[number])
            elif self._endings:
                yield from self._look_up()
            else:
                return
            if not self._target.local:
                return

    def hurry(self) -> None:
        """Something waits for one of the jobs to end: the first look at them is not put off."""
        for number in [number for number, each in self._open.items() if each.waits]:
            self._rounds.hasten(number, self._clock.monotonic())

    def _heed(self) -> None:
        """Jobs that a webhook named are due now."""
        for number in self._hints.due():
            self._rounds.hasten(number, self._clock.monotonic())

    def _ask(self, tracked: _Tracked) -> Iterator[Event]:
        job_id = tracked.batch.job_id or ""
        asking = self._pace.ask(lambda: self._target.status(job_id))
        next(asking)
        try:
            next(asking)
        except StopIteration as answer:
            self._met = False
            yield from self._told(tracked, answer.value)
        except UnexpectedAnswerError as error:
            self._not_understood(tracked, error)
        except LdimportError as error:
            self._meet(error)
            self._set_aside(tracked)
        else:  # the target is busy
            self._rounds.add(tracked.batch.id, self._clock.monotonic())

    def _told(self, tracked: _Tracked, job: JobStatus) -> Iterator[Event]:
        """What the target says of a job: it is asked about again, or ends."""
        lost = job.state is JobState.LOST
        if not self._target.local:
            self._begun(tracked)
        if lacks_results(tracked.batch, job) and tracked.again:
            tracked.again -= 1
            self._look_again(tracked)
        elif lost and not self._target.local and tracked.lost < len(LOST_PAUSES):
            pause = LOST_PAUSES[tracked.lost]
            tracked.lost += 1
            self._rounds.add(tracked.batch.id, self._clock.monotonic() + pause)
        elif not job.finished:
            tracked.lost = 0
            self._look_again(tracked)
        elif is_clear(tracked.batch, job):
            yield from self._end(tracked, Rest(job))
        else:
            self._endings.append((tracked, self._steps(tracked, job)))

    def _steps(self, tracked: _Tracked, job: JobStatus) -> Steps:
        """What the media library tells of an ended job's images."""
        if job.state is not JobState.LOST and self._patcher is not None:
            job = yield from self._patcher.patched(tracked.batch, job)
        if job.state is not JobState.LOST:
            return Rest((yield from confirmed(self._library, tracked.batch, job)))
        told = self._library.closed is not None
        rest = yield from reconciled(self._library, tracked.batch, job)
        images, unsent = tracked.batch.images, rest.unsent
        if unsent is not None:
            then = "are left for the next run" if tracked.instead else "are sent again"
            left = len(unsent.images)
            why = f": {images - left:,} of its {images:,} images arrived, {left:,} {then}"
            yield Notice("lost-job", f"job {job.id} was lost{why}")
        elif not told:  # once: it concerns all lost jobs
            why = f"the media library cannot be asked: {self._library.closed}"
            yield Notice("lost-job", f"job {job.id} was lost, its images count as not sent; {why}")
        return rest

    def _look_up(self) -> Iterator[Event]:
        """One request for the images of the first job that needs some; its end, if it was the
        last one."""
        tracked, steps = self._endings[0]
        try:
            while True:
                happened = next(steps)
                if happened is not None:
                    yield happened
                elif self._pace.wait > 0:
                    return
        except StopIteration as end:
            self._endings.popleft()
            yield from self._end(tracked, end.value)
        except LdimportError as error:
            self._endings.popleft()
            self._meet(error)
            self._set_aside(tracked)

    def pause(self) -> float:
        """Seconds until there is something to ask, and the pace admits it."""
        soonest = 0.0 if self._endings else self._rounds.soonest() - self._clock.monotonic()
        return max(0.0, soonest, self._pace.wait)

    def counts(self) -> tuple[Counts, bool]:
        """Images of this run's jobs so far, and whether running jobs are counted exactly."""
        ended = Counts(self.totals.success, self.totals.skipped, self.totals.failed)
        return added(Counts, (ended, self._running)), self._target.local

    @property
    def waiting(self) -> int:
        """Jobs of which nothing is known yet."""
        return self._waiting

    def few(self) -> tuple[OpenJob, ...]:
        """The open jobs one by one, where they are few."""
        if len(self._open) > MOST_SHOWN:
            return ()
        each = ((tracked.batch, tracked.counts) for tracked in self._open.values())
        return tuple(OpenJob(of.job_id or "", counts, of.submitted_at) for of, counts in each)

    def look_ahead(self) -> None:
        """Nothing is followed any more: ask what is known of the jobs that go on without us."""
        self._hints.close()
        for tracked in self._open.values():
            tracked.known = self._account.outcomes(tracked.batch.job_id or "")

    def known(self) -> Iterator[tuple[OpenBatch, Sequence[Result]]]:
        """The jobs that go on, each with the images of which the target told the outcome."""
        return ((tracked.batch, tracked.known) for tracked in self._open.values())

    def follows(self, batches: Container[int]) -> bool:
        """Whether any of these batches is under way."""
        return any(each in batches for each in self._open)

    def left(self, batches: Container[int]) -> bool:
        """Whether any of these batches was left to a later run."""
        return any(each.batch.id in batches for each in self._aside)

    @property
    def pending(self) -> int:
        """Images of jobs that have not ended."""
        return sum(each.batch.images for each in (*self._open.values(), *self._aside))

    def _look_again(self, tracked: _Tracked) -> None:
        counts = self._target.progress(tracked.batch.job_id or "") or tracked.counts
        self._count(tracked, counts)
        if counts.pending < counts.total:
            self._begun(tracked)
        if not self._target.local:
            spread = len(self._open) / self._target.requests_per_second
            longest = LONGEST_PAUSE
            if tracked.pause >= longest:
                longest = self._hints.longest(tracked.batch, longest)
            tracked.pause = min(longest, max(tracked.pause * SLOWER, spread))
        self._rounds.add(tracked.batch.id, self._clock.monotonic() + tracked.pause)

    def _count(self, tracked: _Tracked, now: Counts) -> None:
        """Keep the sum over all jobs, which is not made anew for each look."""
        if now != tracked.counts:
            less = Counts(*(-each for each in astuple(tracked.counts)))
            self._running = added(Counts, (self._running, less, now))
            tracked.counts = now

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

    def _begun(self, tracked: _Tracked) -> None:
        """Something is known of the job."""
        self._waiting -= tracked.waits
        tracked.waits = False

    def _set_aside(self, tracked: _Tracked) -> None:
        self._aside.append(self._forgotten(tracked))

    def _forgotten(self, tracked: _Tracked) -> _Tracked:
        """No longer one of the open jobs."""
        self._count(tracked, Counts())
        self._begun(tracked)
        return self._open.pop(tracked.batch.id)

    def too_large(self, batch: OpenBatch, parcel: Parcel) -> Iterator[Event]:
        """The one image of this batch is more than the target takes."""
        (only,) = parcel.images
        result = Result(only.image.id, Status.FAILED, cause=Cause.TOO_LARGE_TO_SEND.code)
        job = JobStatus("", JobState.SUCCESS, results=(result,))
        settled = self._store.settle(batch, job, self._clock.now())
        self.totals = added(Totals, (self.totals, settled.totals))
        yield from settled.failures

    def _end(self, tracked: _Tracked, rest: Rest) -> Iterator[Event]:
        batch, job = tracked.batch, rest.job
        settled = self._store.settle(batch, job, self._clock.now())
        self._forgotten(tracked)
        self._hints.end(batch)
        self.totals = added(Totals, (self.totals, settled.totals))
        self.notes.update(settled.notes)
        left = rest.unsent.images if rest.unsent else ()
        if rest.unsent and left and not tracked.instead:
            self._lost.append(rest.unsent)
        elif job.state is not JobState.SUCCESS and (left or rest.unsent is None):
            self.failed_jobs += 1
        yield from settled.failures
        yield from self.breaker.hear(settled.hosts)
        yield JobEnded(job.id, job.state, _ended_counts(job.state, batch.images, settled))


def _ended_counts(state: JobState, images: int, settled: Settled) -> Counts:
    """Counts of an ended job: of one that failed as a whole all images failed in it, of a lost
    one nothing is known but what the media library told."""
    sums = settled.totals
    if state is JobState.FAILED:
        return Counts(failed=images)
    return Counts(sums.success, sums.skipped, sums.failed, sums.unsubmitted)


def is_of_one(error: LdimportError) -> bool:
    """Whether what a server answered may concern one batch or job only."""
    return isinstance(error, UnexpectedAnswerError) or error.code in OF_ONE_QUESTION
