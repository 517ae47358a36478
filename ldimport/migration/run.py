"""One run: hand over batches, at most 16 jobs open, and follow them to their end.

Shared by ``submit`` and ``retry``. Whatever stops a run is kept in ``stopped``; what was
acknowledged is in the state file before the next step is taken.
"""

from __future__ import annotations

import math
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from ldimport.errors import (
    AuthError,
    DeadlineError,
    ExitCode,
    FailureLimitError,
    LdimportError,
    QuotaError,
    RefusedError,
    Terminated,
    worst,
)
from ldimport.migration import ledger
from ldimport.migration.batch import Envelope, Outgoing
from ldimport.migration.events import BatchSent, Event, Notice, Progress
from ldimport.migration.ledger import Origin
from ldimport.migration.state import StateFile
from ldimport.migration.track import Tracker
from ldimport.model import MAX_OPEN_JOBS, JobOptions
from ldimport.targets.base import Target


@dataclass(frozen=True, slots=True)
class Parcel:
    """Images that go into one batch, with all that the batch needs."""

    scope: int
    envelope: Envelope
    options: JobOptions
    origin: Origin
    images: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """When a run stops by itself: ``deadline`` in seconds from its start, or from ``since`` by the
    monotonic clock; ``fail_on`` failed images; ``wait`` False: after the last batch is accepted."""

    deadline: float | None = None
    fail_on: Callable[[int, int], bool] | None = None
    wait: bool = True
    since: float | None = None

    @property
    def ends(self) -> float:
        """When the deadline passes, by the monotonic clock."""
        if self.deadline is None:
            return math.inf
        return (time.monotonic() if self.since is None else self.since) + self.deadline


class Run:
    """Carries parcels to the target. ``sent`` counts images accepted in this run, ``batches`` are
    the numbers of those recorded in it. Of what earlier runs left open, ``only`` these jobs are
    followed where any are named."""

    def __init__(
        self,
        state: StateFile,
        target: Target,
        pace: Pace,
        *,
        only: Sequence[str] = (),
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tracker = Tracker(state, target, now=now)
        self.sent = 0
        self.batches: list[int] = []
        self.stopped: BaseException | None = None
        self._state = state
        self._target = target
        self._pace = pace
        self._only = only
        self._now = now
        self._sleep = sleep
        self._ends = pace.ends

    def carry_out(self, parcels: Iterator[Parcel], to_send: int) -> Iterator[Event]:
        """Recover what is open, send every parcel, follow all jobs. Never raises what stops a
        run; look at ``stopped``."""
        try:
            with self._target.work():
                try:
                    yield from self._recover(to_send)
                    yield from self._send_all(parcels, to_send)
                except QuotaError as error:  # what is under way is still followed to its end
                    self.stopped = error
                if self._pace.wait:
                    yield from self._follow_all(to_send)
        except (LdimportError, KeyboardInterrupt) as error:
            self.stopped = error
        for text in self._target.undelivered():
            yield Notice("webhook-undelivered", text)

    def exit_code(self, *, failures: bool) -> ExitCode:
        """What the run ends with; ``failures``: some images failed or are invalid."""
        codes = [ExitCode.FAILURES] if failures else []
        if self.tracker.tally.failed_jobs:
            codes.append(ExitCode.REFUSED)
        if isinstance(self.stopped, LdimportError):
            codes.append(self.stopped.exit_code)
        elif self.stopped is not None:
            terminated = isinstance(self.stopped, Terminated)
            codes.append(ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED)
        return worst(*codes)

    def _recover(self, to_send: int) -> Iterator[Event]:
        batches = ledger.open_batches(self._state, self._target.identity, self._only)
        yield from self.tracker.recover(batches)
        if batches:
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
            yield from self.tracker.poll()

    def _send(self, parcel: Parcel) -> Generator[Event, None, list[Parcel]]:
        """Intent, then action. Returns smaller parcels when this one was too large (413)."""
        batch = ledger.record_intent(
            self._state,
            parcel.scope,
            uuid.uuid4().hex,
            parcel.origin,
            parcel.options,
            parcel.envelope,
            parcel.images,
            self._now(),
        )
        self.batches.append(batch.id)
        request = parcel.envelope.request(parcel.images)
        try:
            job_id = self._target.submit(request, batch.key, parcel.options)
        except (QuotaError, AuthError, RefusedError) as error:
            ledger.refuse(self._state, batch, self._now())
            if error.code != "too-large" or len(parcel.images) == 1:
                raise
            return _halves(parcel)
        self.tracker.follow(ledger.accept(self._state, batch, job_id, self._now()))
        self.sent += len(parcel.images)
        rows = [each.row for each in parcel.images]
        yield BatchSent(job_id, len(parcel.images), min(rows), max(rows))
        return []

    def _follow_all(self, to_send: int) -> Iterator[Event]:
        while len(self.tracker):
            yield from self._step(to_send)

    def _step(self, to_send: int) -> Iterator[Event]:
        self._check_deadline()
        yield from self.tracker.poll()
        self._check_failures()
        yield self._progress(to_send)
        if len(self.tracker):
            self._sleep(min(self.tracker.pause(), 0.5))

    def _progress(self, to_send: int) -> Progress:
        counts, exact = self.tracker.counts()
        return Progress(to_send, self.sent, counts, len(self.tracker), exact)

    def _check_deadline(self) -> None:
        if time.monotonic() >= self._ends:
            jobs = "1 job is" if len(self.tracker) == 1 else f"{len(self.tracker)} jobs are"
            raise DeadlineError(
                f"stopped after {self._pace.deadline:g} s, as asked; {jobs} still running",
                hint="run the same command again to go on",
            )

    def _check_failures(self) -> None:
        tally = self.tracker.tally
        tried = tally.success + tally.skipped + tally.failed
        if self._pace.fail_on is not None and self._pace.fail_on(tally.failed, tried):
            raise FailureLimitError(
                f"stopped: {tally.failed:,} of {tried:,} images failed, more than --fail-on allows",
                hint="look at ldimport results --failed, then run the same command again",
            )


def _halves(parcel: Parcel) -> list[Parcel]:
    middle = len(parcel.images) // 2
    return [
        replace(parcel, images=parcel.images[:middle]),
        replace(parcel, images=parcel.images[middle:]),
    ]
