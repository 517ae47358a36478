"""One run: hand over batches, at most 16 jobs open, ask the target about them until they end.

Shared by ``submit``, ``retry`` and ``watch``. Whatever stops a run is kept in ``stopped``; what
was acknowledged is in the state file before the next step is taken.
"""

import re
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ldimport.errors import (
    AuthError,
    DeadlineError,
    ExitCode,
    InvalidRequestError,
    LdimportError,
    QuotaError,
    RefusedError,
    TooLargeError,
    worst,
)
from ldimport.migration import idle
from ldimport.migration.account import Account, RunOptions
from ldimport.migration.admission import Admission
from ldimport.migration.batch import Parcel
from ldimport.migration.beside import Ahead
from ldimport.migration.canary import Checkpoint
from ldimport.migration.causes import causes_of, joined
from ldimport.migration.events import Event, Plan, Progress, Summary, Waiting
from ldimport.migration.limits import too_many
from ldimport.migration.model import CauseRow, RunRow, Totals, added, ahead
from ldimport.migration.tracker import Tracker, is_of_one
from ldimport.model import MAX_OPEN_JOBS, Notice

LONGEST_NAP = 5.0
"""Seconds between two looks while there is nothing to do but wait for the quota."""
MOST_NAMED = 5
MOST_REFUSALS = 10
"""Batches in a row that are refused for some of their images; with the next one it is about all."""
_IMAGE = re.compile(r"images\.([0-9]{1,6})(?:\.(.*))?")


class Run:
    """Carries parcels to the target. ``sent`` counts images accepted in this run, ``batches`` are
    the numbers of those recorded in it, ``ahead`` is what its totals know of jobs that go on;
    while it is a ``trial``, a checkpoint judges failures, and they do not stop it before. Of
    what earlier runs left open in the archive that ``options`` name, ``only`` these jobs are
    followed where any are named."""

    def __init__(self, account: Account, options: RunOptions, only: Sequence[str] = ()) -> None:
        self.tracker = Tracker(account, update=options.update)
        self.sent = 0
        self.batches: list[int] = []
        self._refusals = 0
        self._lost: list[Parcel] = []
        self.stopped: BaseException | None = None
        self.ahead = Totals()
        self.trial = False
        self._account, self._store, self._target = account, account.store, account.target
        self._clock = account.clock
        self._options = options
        self._left = account.open_batches(only, options.system_name)
        self._started = self._clock.monotonic() if options.since is None else options.since
        self._ends = options.ends(self._started)
        self._began = self._clock.now()
        self._admission = Admission(account, options.quota, self._seconds_left)
        self._finish: float | None = None

    def carry_out(self, parcels: Iterator[Parcel | Checkpoint], to_send: int) -> Iterator[Event]:
        """Recover what is open, send every parcel, follow all jobs. Never raises what stops a
        run; look at ``stopped``."""
        try:
            self._foresee(to_send or self._waits(Totals()))
            with self._target.work(self._options.system_name):
                try:
                    yield from self._recover(to_send)
                    yield from self._send_all(parcels, to_send)
                except LdimportError as error:
                    if not (isinstance(error, QuotaError | RefusedError) or is_of_one(error)):
                        raise
                    self.stopped = error  # what is under way is still followed to its end
                while self._options.wait and (len(self.tracker) or self._lost):
                    if len(self.tracker):
                        yield from self._step(to_send)
                    else:
                        lost, self._lost = self._lost, []
                        yield from self._send_all(iter(lost), to_send)
        except (LdimportError, KeyboardInterrupt) as error:
            self.stopped = error
        self.tracker.look_ahead()
        self.tracker.failed_jobs += len(self._lost)
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
        quota = self._admission.quota
        forecast = quota.forecast(totals.unsubmitted if plan else self._waits(totals))
        held = {host: images for host, images in self.tracker.breaker.held.items() if images}
        return Summary(
            plan, jobs, totals, seconds, code, causes, self.stopped, self.ahead, notes,
            quota=quota, finish_at=None if forecast is None else forecast.finish_at,
            updated=self.tracker.updated, held=held,
        )  # fmt: skip

    def _waits(self, totals: Totals) -> int:
        """Images not sent yet, as the last submit left them."""
        target, name = self._target.identity, self._options.system_name
        runs = self._store.runs(target=target, system_name=name)
        left = next((run.unsent for run in runs if run.command == "submit"), 0)
        return max(left, totals.unsubmitted)

    def recorded(self, command: str, end: Summary) -> Iterator[Event]:
        """The end of a run, once the state file has it; before it a notice where this is one of
        several that the quota let send nothing."""
        now, target, name = self._clock.now(), self._target.identity, self._options.system_name
        code, unsent = end.exit_code, end.totals.unsubmitted
        run = RunRow(target, name, command, self._began, now, code, self.sent, unsent)
        if code is ExitCode.QUOTA and not self.sent:
            earlier = self._store.runs(target=target, system_name=name)
            sending = [each for each in earlier if each.command != "watch"]
            accepted = self._store.accepted(target, now)
            taken = accepted[-1].at if accepted else 0.0
            if end.quota is not None and idle.worth_saying(sending, now, taken):
                text = idle.explained(sending, end.quota, end.stopped, unsent)
                yield Notice("quota-stuck", text)
        try:
            self._store.record_run(run)
        except LdimportError as error:  # the end is told all the same
            end = replace(end, stopped=end.stopped or error, exit_code=worst(code, error.exit_code))
        yield end

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
        for error, parcel in self.tracker.over_quota:
            for rest in self._admission.refused(error, parcel):
                yield from self._send_all(iter((rest,)), to_send, own=False)

    def _send_all(
        self, parcels: Iterator[Parcel | Checkpoint], to_send: int, *, own: bool = True
    ) -> Iterator[Event]:
        """``own`` False: images of earlier runs, which the totals know already."""
        waiting: deque[Parcel | Checkpoint] = deque()
        coming = Ahead(parcels)
        prepare = None if self._target.local else coming.prepare
        while parcel := (waiting.popleft() if waiting else coming.take()):
            if isinstance(parcel, Checkpoint):
                yield from self._reach(parcel, to_send)
                continue
            while len(self.tracker) >= MAX_OPEN_JOBS:
                self.tracker.hurry()
                yield from self._step(to_send)
            self._check_deadline()
            part, later = self._admission.admitted(parcel)
            smaller: list[Parcel] = []
            if part is None:
                try:
                    yield from self._wait_for_room(to_send)
                except QuotaError:
                    yield from self._judge_early(coming, to_send)
                    raise
            else:
                smaller = yield from self._send(part, prepare, own=own)
                self._foresee(to_send - self.sent)
            waiting.extendleft(reversed([*smaller, *later]))
            yield self._progress(to_send)
            yield from self._poll()

    def _reach(self, checkpoint: Checkpoint, to_send: int) -> Iterator[Event]:
        """Wait, whatever was asked, until all that this run sent has ended."""
        while self.tracker.follows(self.batches):
            yield from self._step(to_send)
        if self.tracker.left(self.batches) and self.tracker.trouble is not None:
            raise self.tracker.trouble
        yield from checkpoint.judge(self.batches)

    def _judge_early(self, parcels: Ahead[Parcel | Checkpoint], to_send: int) -> Iterator[Event]:
        """The quota cut a canary short: what was sent of it is judged all the same."""
        if self.trial and self.batches:
            while (each := parcels.take()) is not None:
                if isinstance(each, Checkpoint):
                    yield from self._reach(each, to_send)
                    return

    def _wait_for_room(self, to_send: int) -> Iterator[Event]:
        """Until the quota lets more through. Raises QuotaError where that takes too long. Jobs that
        are open may leave room, since what fails in them does not count."""
        if self._options.wait and len(self.tracker):
            yield from self._step(to_send)
            return
        until = self._admission.opens()
        yield Waiting(until, self._admission.quota)
        while (left := until - self._clock.now()) > 0:
            yield from self._step(to_send)
            if not len(self.tracker):
                self._clock.sleep(min(left, LONGEST_NAP))

    def _foresee(self, unsent: int) -> None:
        """When all is sent, where the quota makes that later than now."""
        quota = self._admission.quota
        forecast = quota.forecast(unsent) if unsent > 0 else None
        later = forecast is not None and forecast.finish_at > quota.at
        self._finish = forecast.finish_at if forecast is not None and later else None

    def _seconds_left(self) -> float:
        return self._ends - self._clock.monotonic()

    def _send(
        self, parcel: Parcel, work: Callable[[], None] | None = None, *, own: bool
    ) -> Generator[Event, None, list[Parcel]]:
        """Intent, then action; ``work`` meanwhile. Returns what is left to send of a parcel that
        was refused for its size, for some of its images or for the quota."""
        store, now = self._store, self._clock.now
        key = uuid.uuid4().hex
        marked = parcel.marked(key)
        batch = store.record_intent(marked, key, now())
        if own and (parcel.instead_of is None or parcel.instead_of in self.batches):
            self.batches.append(batch.id)
        try:
            sent = self.tracker.hand_over(batch, marked, work)
        except TooLargeError as error:
            if len(parcel.images) == 1:
                yield from self.tracker.too_large(batch, parcel)
                return []
            store.refuse(batch, now(), error)
            return parcel.halves()
        except QuotaError as error:
            store.refuse(batch, now(), error)
            return self._admission.refused(error, parcel)
        except (AuthError, RefusedError) as error:
            store.refuse(batch, now(), error)
            named = _refused_images(error, parcel)
            self._refusals += 1
            if not named or self._refusals > MOST_REFUSALS:
                raise
            facts = dict(islice(named.values(), MOST_NAMED))
            error.facts |= facts
            self.tracker.trouble = self.tracker.trouble or error  # a later run sends them again
            rest = parcel.without(named)
            return [rest] if rest.images else []
        self._refusals = 0
        self._admission.accepted()
        self.sent += sent.images if parcel.instead_of is None else 0
        yield sent
        return []

    def _send_lost(self) -> Iterator[Event]:
        """What jobs left that were lost is sent once more, in the place of those jobs; what the
        quota does not admit now, once nothing else is under way."""
        waiting: deque[Parcel] = deque()
        while first := (waiting.popleft() if waiting else self.tracker.lost_parcel()):
            part, later = self._admission.admitted(first)
            if part is None:
                self._lost += later
                continue
            try:
                smaller = yield from self._send(part, own=True)
            except (AuthError, RefusedError) as error:  # its images are not sent
                self.stopped = self.stopped or error
                continue
            except LdimportError:
                self.tracker.under_way_again(part)  # for all that is known
                raise
            waiting.extendleft(reversed([*smaller, *later]))

    def _step(self, to_send: int) -> Iterator[Event]:
        self._check_deadline()
        yield from self._poll()
        yield self._progress(to_send)
        if len(self.tracker):
            self._clock.sleep(min(self.tracker.pause(), 0.5))

    def _progress(self, to_send: int) -> Progress:
        tracker = self.tracker
        counts, exact = tracker.counts()
        shown = (len(tracker), exact, tracker.waiting, tracker.few(), self._finish)
        return Progress(to_send, self.sent, counts, *shown)

    def _check_deadline(self) -> None:
        if self._clock.monotonic() >= self._ends:
            jobs = "1 job is" if len(self.tracker) == 1 else f"{len(self.tracker):,} jobs are"
            text = f"stopped after {self._options.deadline:g} s, as asked; {jobs} still running"
            raise DeadlineError(text, hint="run the same command again to go on")

    def _poll(self) -> Iterator[Event]:
        """Raises FailureLimitError once more images failed than may."""
        yield from self.tracker.poll()
        yield from self._send_lost()
        limit, totals = self._options.max_failures, self.tracker.totals
        tried = totals.success + totals.skipped + totals.failed
        if limit is not None and not self.trial and limit.reached(totals.failed, tried):
            causes = self._store.causes_of(self.tracker.job_ids)
            raise too_many("stopped", totals.failed, tried, limit, causes)


def _refused_images(error: LdimportError, parcel: Parcel) -> dict[int, tuple[str, str]]:
    """Of the images of a parcel those that its refusal names (``images.3.url``), by number: the
    row with its id, and what is wrong there."""
    found: dict[int, tuple[str, str]] = {}
    for path, text in error.details.items() if isinstance(error, InvalidRequestError) else ():
        named = _IMAGE.fullmatch(path)
        if named is not None and int(named[1]) < len(parcel.images):
            of = parcel.images[int(named[1])]
            what = ": ".join(filter(None, (named[2], text)))
            found[int(named[1])] = f"row {of.row}", f"{of.image.id}: {what}"
    return found
