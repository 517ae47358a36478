"""Follow all open jobs to their end, working on them where the engine is ours."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from ldimport.errors import DeadlineError, ExitCode, LockedError
from ldimport.migration.account import Account, RunOptions
from ldimport.migration.events import MOST_SHOWN, Event, JobEnded, OpenJob, Progress, Summary
from ldimport.migration.model import Filter, JobRow, Totals, added
from ldimport.migration.run import Run
from ldimport.migration.store import StateStore
from ldimport.model import Counts, JobState, Notice

READ_ONLY_PAUSE = 1.0
MOST_IDLE = 10
"""Looks for which a run that is at work, with no open job, is given time for its next one."""


def watch(account: Account, job_ids: Sequence[str], options: RunOptions) -> Iterator[Event]:
    """Follow open jobs (all, or those named) until they end; a Summary comes last.

    A state file open for writing is kept up to date, and the embedded engine's workers run;
    otherwise another run does that, and this looks on. Should that one end before its jobs, for
    whatever reason, this takes its place.
    """
    if account.store.writable:
        yield from _carry_on(account, job_ids, options)
        return
    options = replace(options, since=account.clock.monotonic())
    onlooker = _Onlooker(account, job_ids, options.system_name)
    taken = yield from onlooker.look_on(options)
    if taken is None:
        yield onlooker.summary(options)
        return
    with taken:
        yield Notice("took-over", "the run that was followed is gone: going on in its place")
        yield from onlooker.look()
        account = replace(account, store=taken)
        yield from _carry_on(account, job_ids, options, onlooker.ended)


def _carry_on(
    account: Account, job_ids: Sequence[str], options: RunOptions, ended: Sequence[JobRow] = ()
) -> Iterator[Event]:
    """Follow what is open, after those jobs that have ``ended`` before our eyes."""

    def pending() -> int:
        only = [*job_ids, *run.tracker.job_ids] if job_ids else []  # those sent again for lost ones
        return sum(batch.images for batch in account.open_batches(only, options.system_name))

    run = Run(account, options, job_ids)
    run.tracker.count(ended)
    yield from run.carry_out(iter(()), 0)
    totals = run.totals(pending=pending())
    here = Filter(target=account.target.identity, system_name=options.system_name)
    end = run.summary(totals, account.store.causes(here) if totals.failed else ())
    yield from run.recorded("watch", end)


class _Onlooker:
    """Another run holds the state file: tells what it stores, and of the local engine's open jobs
    what the engine knows."""

    def __init__(self, account: Account, job_ids: Sequence[str], system_name: str | None) -> None:
        self._account, self._job_ids, self._name = account, frozenset(job_ids), system_name
        self._open: dict[str, JobRow] = {}
        self._counts = Counts()
        self._stopped: BaseException | None = None
        self.ended: list[JobRow] = []
        """Jobs that have ended while we looked."""

    def look_on(self, options: RunOptions) -> Generator[Event, None, StateStore | None]:
        """Look until all has ended or we are stopped; returns the state file, open for writing,
        once the other run is gone and has left something open."""
        try:
            return (yield from self._look_on(options))
        except KeyboardInterrupt as stop:
            self._stopped = stop
            return None

    def _look_on(self, options: RunOptions) -> Generator[Event, None, StateStore | None]:
        clock, store = self._account.clock, self._account.store
        ends, idle = options.ends(clock.monotonic()), 0
        while True:
            held = store.held  # before the look, which then sees what was stored last
            yield from self.look()
            idle = 0 if self._open else idle + 1
            if idle and self._all_done(held, idle):
                return None
            if clock.monotonic() >= ends:
                text = f"stopped watching after {options.deadline:g} s, as asked"
                self._stopped = DeadlineError(text)
                return None
            if not held and (taken := self._take_over()):
                return taken
            clock.sleep(READ_ONLY_PAUSE)

    def _all_done(self, held: bool, idle: int) -> bool:
        """Whether nothing is to be expected, where for ``idle`` looks no job was open: the other
        run may be between two batches, or has left one that was never accepted."""
        if self._job_ids:
            return True
        if held:
            return idle > MOST_IDLE or not self._account.store.held_elsewhere
        return not self._account.open_batches(system_name=self._name)

    def look(self) -> Iterator[Event]:
        """What has ended since the last look, and where the jobs stand. Of jobs that were open
        before no row is read again before they end."""
        account, here = self._account, self._account.target.identity
        now_open = account.store.open_job_ids(target=here, system_name=self._name)
        going = dict.fromkeys(
            each for each in now_open if not self._job_ids or each in self._job_ids
        )
        if gone := [each for each in self._open if each not in going]:
            for row in account.store.jobs(gone, target=here):
                yield JobEnded(row.id, row.state, row.counts)
                self.ended.append(row)
                del self._open[row.id]
        if new := [each for each in going if each not in self._open]:
            self._open |= {row.id: row for row in account.store.jobs(new, target=here)}
        if account.target.local:
            self._open = {each: account.as_now(row) for each, row in self._open.items()}
        if gone or new or account.target.local:
            rows = (*self.ended, *self._open.values())
            self._counts = added(Counts, (row.counts for row in rows))
        yield self._progress()

    def _progress(self) -> Progress:
        rows, local = self._open.values(), self._account.target.local
        few = rows if len(rows) <= MOST_SHOWN else ()
        jobs = tuple(OpenJob(row.id, row.counts, row.submitted_at) for row in few)
        waiting = sum(row.counts.pending == row.counts.total for row in rows) if local else 0
        return Progress(0, 0, self._counts, len(rows), local, waiting, jobs)

    def summary(self, options: RunOptions) -> Summary:
        """How it ended, where the other run has stored all, or time was up."""
        counts, rows = self._counts, (*self.ended, *self._open.values())
        refused = any(row.state in (JobState.FAILED, JobState.LOST) for row in rows)
        code = ExitCode.REFUSED if refused else ExitCode.FAILURES if counts.failed else ExitCode.OK
        if self._stopped is not None:
            code = getattr(self._stopped, "exit_code", ExitCode.INTERRUPTED)
        totals = Totals(counts.success, counts.skipped, counts.failed, counts.pending)
        seconds = self._account.clock.monotonic() - (options.since or 0.0)
        return Summary(None, rows, totals, seconds, code, (), self._stopped)

    def _take_over(self) -> StateStore | None:
        """The state file for us to write to; None when yet another run was faster."""
        try:
            return StateStore.open(self._account.store.path, write=True, command="watch")
        except LockedError:
            return None
