"""Follow all open jobs to their end, working on them where the engine is ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from ldimport.errors import DeadlineError, ExitCode
from ldimport.migration import ledger, results
from ldimport.migration.events import Event, JobEnded, JobRow, Progress, Summary, Totals
from ldimport.migration.results import Filter
from ldimport.migration.run import Pace, Run
from ldimport.migration.state import StateFile
from ldimport.model import Counts, JobState
from ldimport.targets.base import Target

READ_ONLY_PAUSE = 1.0


def watch(
    state: StateFile,
    target: Target,
    job_ids: Sequence[str] = (),
    *,
    pace: Pace | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Follow open jobs (all, or those named) until they end; a Summary comes last.

    A state file open for writing is kept up to date, and the embedded engine's workers run;
    otherwise another run does that, and this only looks.
    """
    pace = pace or Pace()
    if state.writable:
        yield from _carry_on(state, target, job_ids, pace)
    else:
        yield from _look_on(state, target, job_ids, pace, sleep)


def _carry_on(
    state: StateFile, target: Target, job_ids: Sequence[str], pace: Pace
) -> Iterator[Event]:
    started = time.monotonic()
    run = Run(state, target, pace, only=job_ids)
    yield from run.carry_out(iter(()), _open_images(state, target, job_ids))
    totals = run.tracker.tally.totals(pending=_open_images(state, target, job_ids))
    yield Summary(
        None,
        tuple(results.jobs(state, ids=run.tracker.job_ids)),
        totals,
        time.monotonic() - started,
        run.exit_code(failures=bool(totals.failed)),
        results.causes(state, Filter(target=target.identity)) if totals.failed else (),
        run.stopped,
    )


def _open_images(state: StateFile, target: Target, job_ids: Sequence[str]) -> int:
    return sum(batch.images for batch in ledger.open_batches(state, target.identity, job_ids))


def _look_on(
    state: StateFile,
    target: Target,
    job_ids: Sequence[str],
    pace: Pace,
    sleep: Callable[[float], None],
) -> Iterator[Event]:
    """Another run holds the state file: tell what it stores, until nothing is open."""
    started = time.monotonic()
    seen: dict[str, JobRow] = {}
    stopped: BaseException | None = None
    while True:
        rows = results.jobs(state, target=target.identity, ids=job_ids or None)
        known = [row for row in rows if row.id in seen or not row.state.finished]
        for row in known:
            if row.state.finished and not seen[row.id].state.finished:
                yield JobEnded(row.id, row.state, row.counts)
            seen[row.id] = row
        running = [row for row in seen.values() if not row.state.finished]
        counts = add_counts(row.counts for row in seen.values())
        yield Progress(counts.total, counts.total, counts, len(running), exact=False)
        if not running:
            break
        if pace.deadline is not None and time.monotonic() - started >= pace.deadline:
            stopped = DeadlineError(f"stopped watching after {pace.deadline:g} s, as asked")
            break
        sleep(READ_ONLY_PAUSE)
    yield _seen_summary(seen, counts, time.monotonic() - started, stopped)


def _seen_summary(
    seen: dict[str, JobRow], counts: Counts, seconds: float, stopped: BaseException | None
) -> Summary:
    refused = any(row.state in (JobState.FAILED, JobState.LOST) for row in seen.values())
    code = ExitCode.REFUSED if refused else ExitCode.FAILURES if counts.failed else ExitCode.OK
    if isinstance(stopped, DeadlineError):
        code = stopped.exit_code
    totals = Totals(counts.success, counts.skipped, counts.failed, counts.pending)
    return Summary(None, tuple(seen.values()), totals, seconds, code, (), stopped)


def add_counts(all_counts: Iterator[Counts]) -> Counts:
    """The sum of some counts."""
    success = skipped = failed = pending = 0
    for counts in all_counts:
        success += counts.success
        skipped += counts.skipped
        failed += counts.failed
        pending += counts.pending
    return Counts(success, skipped, failed, pending)
