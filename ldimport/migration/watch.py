"""Follow all open jobs to their end, working on them where the engine is ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ldimport.errors import DeadlineError, ExitCode
from ldimport.migration.events import Event, JobEnded, Progress, Summary
from ldimport.migration.model import Filter, JobRow, Totals, added
from ldimport.migration.options import Clock, RunOptions
from ldimport.migration.run import Run
from ldimport.migration.store import StateStore
from ldimport.model import Counts, JobState
from ldimport.targets.base import Target

READ_ONLY_PAUSE = 1.0


def watch(
    store: StateStore, target: Target, job_ids: Sequence[str], options: RunOptions, clock: Clock
) -> Iterator[Event]:
    """Follow open jobs (all, or those named) until they end; a Summary comes last.

    A state file open for writing is kept up to date, and the embedded engine's workers run;
    otherwise another run does that, and this only looks.
    """
    follow = _carry_on if store.writable else _look_on
    return follow(store, target, job_ids, options, clock)


def _carry_on(
    store: StateStore, target: Target, job_ids: Sequence[str], options: RunOptions, clock: Clock
) -> Iterator[Event]:
    run = Run(store, target, options, clock, only=job_ids)
    batches = store.open_batches(target.identity, job_ids)
    yield from run.carry_out(iter(()), sum(batch.images for batch in batches))
    left = store.open_batches(target.identity, job_ids)
    totals = added(Totals, [run.tracker.totals, Totals(pending=sum(b.images for b in left))])
    causes = store.causes(Filter(target=target.identity)) if totals.failed else ()
    yield run.summary(totals, causes, failures=bool(totals.failed))


def _look_on(
    store: StateStore, target: Target, job_ids: Sequence[str], options: RunOptions, clock: Clock
) -> Iterator[Event]:
    """Another run holds the state file: tell what it stores, until nothing is open."""
    started = clock.monotonic()
    ends = options.ends(started)
    seen: dict[str, JobRow] = {}
    stopped: DeadlineError | None = None
    while True:
        rows = store.jobs(target=target.identity, ids=job_ids or None)
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
        clock.sleep(READ_ONLY_PAUSE)
    yield _seen_summary(seen, counts, clock.monotonic() - started, stopped)


def _seen_summary(
    seen: dict[str, JobRow], counts: Counts, seconds: float, stopped: DeadlineError | None
) -> Summary:
    refused = any(row.state in (JobState.FAILED, JobState.LOST) for row in seen.values())
    code = ExitCode.REFUSED if refused else ExitCode.FAILURES if counts.failed else ExitCode.OK
    if stopped is not None:
        code = stopped.exit_code
    totals = Totals(counts.success, counts.skipped, counts.failed, counts.pending)
    return Summary(None, tuple(seen.values()), totals, seconds, code, (), stopped)
