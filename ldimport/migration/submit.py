"""Submit a manifest: check all of it, plan, send what is new or changed, follow it to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from ldimport.errors import DeadlineError, ManifestError
from ldimport.migration import ledger, results, sums
from ldimport.migration.batch import Outgoing, cut
from ldimport.migration.events import CauseRow, Event, Notice, Planned, Summary, Totals
from ldimport.migration.plan import Survey, compare, survey
from ldimport.migration.results import Filter
from ldimport.migration.run import Pace, Parcel, Run
from ldimport.migration.source import Source
from ldimport.migration.state import StateFile
from ldimport.migration.validate import Validation
from ldimport.targets.base import BatchLimits, Target


class InvalidManifest(ManifestError):  # noqa: N818
    """The manifest has errors and nothing was sent; ``validation`` has the findings."""

    default_code = "invalid"

    def __init__(self, validation: Validation) -> None:
        super().__init__(
            f"{validation.invalid:,} of {validation.entries:,} rows have errors; nothing was sent",
            hint="correct them, or send the good rows with --valid-only",
        )
        self.validation = validation


def submit(
    state: StateFile,
    target: Target,
    source: Source,
    *,
    valid_only: bool = False,
    limit: int | None = None,
    batch_size: int | None = None,
    resend: bool = False,
    pace: Pace | None = None,
    max_problems: int = 1_000,
    tick: Callable[[int], None] | None = None,
) -> Iterator[Event]:
    """Send what is new or changed and wait for its results.

    Yields notices, Planned, then what happens, and a Summary last. ``limit``: at most so many
    images; ``batch_size``: at most so many in one POST; ``resend``: unchanged ones too; ``tick``
    gets the bytes read while checking. Raises InvalidManifest when rows have errors (unless
    ``valid_only``), or DeadlineError when ``pace`` leaves no time to check them, before anything
    is sent. What stops a run later is in the Summary.
    """
    started = time.monotonic()
    pace = _from(started, pace or Pace())
    tick = _in_time(pace, tick)
    found = survey(
        state, target, source, resend=resend, batch_size=batch_size, max_problems=max_problems,
        tick=tick,
    )  # fmt: skip
    if found.validation.invalid and not valid_only:
        raise InvalidManifest(found.validation)
    for code, text in found.validation.notices:
        yield Notice(code, text)
    yield Planned(found.plan, found.validation)
    run = Run(state, target, pace)
    outgoing = _to_send(state, target, source, found, resend)
    to_send = found.plan.to_send if limit is None else min(limit, found.plan.to_send)
    parcels = _parcels(state, target, source, islice(outgoing, to_send), batch_size)
    yield from run.carry_out(parcels, to_send)
    yield _summary(state, target, source, found, run, time.monotonic() - started)


def _from(started: float, pace: Pace) -> Pace:
    return pace if pace.since is not None else replace(pace, since=started)


def _in_time(pace: Pace, tick: Callable[[int], None] | None) -> Callable[[int], None]:
    """Hands on how far the check is, and ends it at the deadline."""

    def checking(read: int) -> None:
        if time.monotonic() >= pace.ends:
            raise too_late(pace.deadline)
        if tick is not None:
            tick(read)

    return checking


def too_late(deadline: float | None) -> DeadlineError:
    """The deadline passed while the manifest was read."""
    return DeadlineError(
        f"stopped after {deadline:g} s, as asked; the manifest is not read yet, nothing was sent",
        hint="run the same command again with more time",
    )


def _to_send(
    state: StateFile, target: Target, source: Source, found: Survey, resend: bool
) -> Iterator[Outgoing]:
    """The second pass: rows that are new or changed. Rows that were under way at the plan are
    left alone, even when their job was lost meanwhile: the next submit sends them."""
    scope = ledger.scope_id(state, target.identity, target.label, source.envelope.system_name)
    under_way = set(found.open_ids)
    for each in compare(state, scope, source, source.checker(), resend=resend):
        if each.verdict.sends and each.outgoing.image.id not in under_way:
            yield each.outgoing


def _parcels(
    state: StateFile,
    target: Target,
    source: Source,
    outgoing: Iterator[Outgoing],
    batch_size: int | None,
) -> Iterator[Parcel]:
    scope = ledger.scope_id(state, target.identity, target.label, source.envelope.system_name)
    assert scope is not None  # the state file is open for writing

    def limits() -> BatchLimits:  # asked each time: a target may have learned smaller ones
        return target.limits.at_most(batch_size)

    for images, _ in cut(outgoing, source.envelope.size, limits):
        source.manifest.check_unchanged()
        yield Parcel(scope, source.envelope, source.options, source.origin, tuple(images))


def _summary(
    state: StateFile, target: Target, source: Source, found: Survey, run: Run, seconds: float
) -> Summary:
    totals = _totals(state, target, source, found, run)
    failures = bool(totals.failed or totals.invalid)
    return Summary(
        found.plan,
        tuple(results.jobs(state, ids=run.tracker.job_ids)),
        totals,
        seconds,
        run.exit_code(failures=failures),
        _causes(state, target, source) if totals.failed else (),
        run.stopped,
    )


def _causes(state: StateFile, target: Target, source: Source) -> tuple[CauseRow, ...]:
    """Failures of this manifest; of the whole archive where they came from another file."""
    archive = Filter(target=target.identity, system_name=source.envelope.system_name)
    mine = replace(archive, manifest=source.origin.path)
    return results.causes(state, mine) or results.causes(state, archive)


def _totals(state: StateFile, target: Target, source: Source, found: Survey, run: Run) -> Totals:
    """Each row of the manifest by its last outcome: what had arrived before, what was under way
    at the plan, what this run sent, and the rest."""
    scope = ledger.scope_id(state, target.identity, target.label, source.envelope.system_name)
    earlier = sums.outcomes(state, scope, found.open_ids)
    mine = sums.batch_outcomes(state, scope, run.batches)
    before = found.arrived
    return Totals(
        before.success + earlier.success + mine.success,
        before.skipped + earlier.skipped + mine.skipped,
        before.failed + earlier.failed + mine.failed,
        earlier.pending + mine.pending,
        earlier.unsubmitted + mine.unsubmitted + found.plan.to_send - mine.rows,
        before.invalid,
        earlier.not_taken_over + mine.not_taken_over,
    )
