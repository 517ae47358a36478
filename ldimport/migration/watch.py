"""Follow all open jobs to their end, working on them where the engine is ours."""

from collections.abc import Iterator, Sequence

from ldimport.errors import DeadlineError, ExitCode, LdimportError, TemporaryError
from ldimport.migration.account import Account, RunOptions
from ldimport.migration.events import Event, JobEnded, Progress, Summary
from ldimport.migration.model import Filter, JobRow, Totals, added
from ldimport.migration.run import Run
from ldimport.model import Counts, JobState

READ_ONLY_PAUSE = 1.0


def watch(account: Account, job_ids: Sequence[str], options: RunOptions) -> Iterator[Event]:
    """Follow open jobs (all, or those named) until they end; a Summary comes last.

    A state file open for writing is kept up to date, and the embedded engine's workers run;
    otherwise another run does that, and this only looks.
    """
    follow = _carry_on if account.store.writable else _look_on
    return follow(account, job_ids, options)


def _carry_on(account: Account, job_ids: Sequence[str], options: RunOptions) -> Iterator[Event]:
    def pending() -> int:
        return sum(batch.images for batch in account.open_batches(job_ids, options.system_name))

    run = Run(account, options, job_ids)
    yield from run.carry_out(iter(()), pending())
    totals = added(Totals, (run.tracker.totals, Totals(pending=pending())))
    here = Filter(target=account.target.identity, system_name=options.system_name)
    yield run.summary(totals, account.store.causes(here) if totals.failed else ())


def _look_on(account: Account, job_ids: Sequence[str], options: RunOptions) -> Iterator[Event]:
    """Another run holds the state file: tell what it stores, until all has ended, or it is gone."""
    clock, place = account.clock, account.target.identity
    started = clock.monotonic()
    ends = options.ends(started)
    seen: dict[str, JobRow] = {}
    stopped: LdimportError | None = None
    alone = False
    while True:
        rows = account.store.jobs(job_ids or None, target=place, system_name=options.system_name)
        known = [row for row in rows if row.id in seen or not row.state.finished]
        for row in known:
            if row.state.finished and not seen[row.id].state.finished:
                yield JobEnded(row.id, row.state, row.counts)
            seen[row.id] = row
        running = sum(not row.state.finished for row in seen.values())
        counts = added(Counts, (row.counts for row in seen.values()))
        yield Progress(counts.total, counts.total, counts, running, exact=False)
        if not running:
            break
        if clock.monotonic() >= ends:
            stopped = DeadlineError(f"stopped watching after {options.deadline:g} s, as asked")
            break
        if alone and not account.store.held:
            hint = "run the same command again to go on with them"
            stopped = TemporaryError(
                "the run that was followed is gone, its jobs are open", hint=hint
            )
            break
        alone = not account.store.held  # what it stored last is seen at the next look
        clock.sleep(READ_ONLY_PAUSE)
    yield _seen_summary(seen, counts, clock.monotonic() - started, stopped)


def _seen_summary(
    seen: dict[str, JobRow], counts: Counts, seconds: float, stopped: LdimportError | None
) -> Summary:
    refused = any(row.state in (JobState.FAILED, JobState.LOST) for row in seen.values())
    code = ExitCode.REFUSED if refused else ExitCode.FAILURES if counts.failed else ExitCode.OK
    if stopped is not None:
        code = stopped.exit_code
    totals = Totals(counts.success, counts.skipped, counts.failed, counts.pending)
    return Summary(None, tuple(seen.values()), totals, seconds, code, (), stopped)
