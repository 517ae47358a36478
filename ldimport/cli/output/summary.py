"""The end of a run on the screen: counts that add up, failures by cause, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldimport.cli.output import errors
from ldimport.cli.output.screen import ACCENT, BAD, BUSY, GOOD, QUIET, WAIT, Count, Screen
from ldimport.cli.output.table import Column, table
from ldimport.cli.output.text import cells, counted, duration, number, utc, when
from ldimport.errors import DeadlineError, ExitCode, LdimportError, LockedError, QuotaError
from ldimport.migration.events import Plan, Summary
from ldimport.migration.model import CauseRow, Totals
from ldimport.model import JobState

Hint = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """What the screen must know of a run beside its Summary: the ``command`` that goes on with
    it (``submit archive.csv --valid-only``), whether it was the ``local`` engine, the time
    ``now``, and the ``arguments`` that other commands about the same manifest take."""

    command: str
    local: bool
    now: float
    waited: bool = True
    arguments: str = ""

    @property
    def again(self) -> str:
        """The same command, to copy."""
        return f"ldimport {self.command}"


def show(screen: Screen, end: Summary, run: Run) -> None:
    """The whole closing screen."""
    plan = end.plan
    if plan is not None:
        screen.line((plan.manifest, ACCENT), f" → {plan.target} · systemName {plan.system_name}")
        screen.blank()
    if not _nothing(end):
        counts(screen, end.totals, plan, jobs=sum(not job.state.finished for job in end.jobs))
        screen.blank()
    if end.causes:
        causes(screen, end.causes)
        screen.blank()
    closing(screen, end, run)
    screen.hints(next_steps(end, run))


def _nothing(end: Summary) -> bool:
    """Nothing was sent, nothing failed: one line says it all."""
    sums = end.totals
    return not end.jobs and not (sums.failed or sums.pending or sums.unsubmitted or sums.invalid)


def counts(screen: Screen, sums: Totals, plan: Plan | None, *, jobs: int = 0) -> None:
    """Every row by its last outcome, and their sum."""
    skipped = "already exists"
    if sums.not_taken_over:
        skipped += f"; {number(sums.not_taken_over)} changed but not taken over"
    rows = [
        Count("✓", "imported", sums.success, _earlier(plan), GOOD),
        Count("·", "skipped", sums.skipped, skipped if sums.skipped else "", QUIET),
        Count("✗", "failed", sums.failed, "", BAD if sums.failed else QUIET),
    ]
    if sums.pending:
        note = counted(jobs, "job") if jobs else ""
        rows.append(Count("…", "in progress", sums.pending, note, BUSY))
    if sums.unsubmitted:
        rows.append(Count("⧗", "not sent yet", sums.unsubmitted, "", WAIT))
    if sums.invalid:
        rows.append(Count("!", "invalid", sums.invalid, "have errors, not sent", WAIT))
    screen.counts(rows, ("rows" if plan is not None else "images", sums.rows))


def _earlier(plan: Plan | None) -> str:
    if plan is None or not plan.unchanged:
        return ""
    return f"{number(plan.unchanged)} of all rows arrived in earlier runs"


FAILURES = (
    Column("FAILED", right=True),
    Column("REASON", shrink=1),
    Column("TRY AGAIN?", drop=1),
    Column("EXAMPLES", shrink=2, drop=2),
)


def causes(screen: Screen, found: Sequence[CauseRow], most: int = 12) -> None:
    """Failures by cause, the most frequent first; what is left out is counted."""
    rows = [
        (
            number(row.images),
            row.reason,
            "yes" if row.retryable else "no",
            examples(row),
        )
        for row in found[:most]
    ]
    table(screen, FAILURES, rows)
    rest = found[most:]
    if rest:
        images = sum(row.images for row in rest)
        screen.line(f"and {number(len(rest))} more kinds ({counted(images, 'image')})")


def examples(row: CauseRow) -> tuple[str, ...]:
    """First images of a cause with their rows."""
    return tuple(f"{name} (row {number(at)})" if at else name for name, at in row.examples)


def closing(screen: Screen, end: Summary, run: Run) -> None:
    """How it ended, in one sentence."""
    took = _took(end)
    stopped = end.stopped
    if end.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        word = "Stopped" if end.exit_code is ExitCode.TERMINATED else "Interrupted"
        _sentence(screen, "■", WAIT, f"{word}: {_sent(end)}, all recorded", took)
        _what_goes_on(screen, end, run)
    elif isinstance(stopped, QuotaError):
        _quota(screen, stopped, took, run)
    elif isinstance(stopped, DeadlineError):
        _sentence(screen, "⧗", WAIT, _capital(stopped.message), took)
        _what_goes_on(screen, end, run)
    elif isinstance(stopped, LdimportError):
        errors.show(screen, _with_state(stopped, end))
    elif isinstance(stopped, LockedError):
        errors.show(screen, stopped)
    else:
        _finished(screen, end, run, took)


def _finished(screen: Screen, end: Summary, run: Run, took: str) -> None:
    sums, plan = end.totals, end.plan
    refused = [job for job in end.jobs if job.state in (JobState.FAILED, JobState.LOST)]
    if refused:
        ids = ", ".join(job.id for job in refused[:3]) + (" …" if len(refused) > 3 else "")
        what = f"{counted(len(refused), 'job')} failed as a whole or got lost: {ids}"
        _sentence(screen, "✗", BAD, what, took)
    elif not end.jobs and not sums.failed and not sums.invalid:
        name = (
            f"all {counted(sums.rows, 'entry')} are in {_place(plan, run)}, unchanged"
            if plan
            else ""
        )
        text = f"Nothing to send: {name}" if name else "Nothing to do: no job is running"
        _sentence(screen, "✓", GOOD, text, duration(end.seconds))
    elif not end.jobs:
        _sentence(screen, "✗", BAD, f"nothing new to send, but {_bad(sums)}", took)
    elif sums.pending and not run.waited:
        text = f"{_sent(end)}, not waiting for the results"
        _sentence(screen, "…", BUSY, text, took)
    elif sums.failed or sums.invalid:
        _sentence(screen, "✗", BAD, f"finished, {_bad(sums)}", took)
    elif sums.unsubmitted:
        text = f"{number(sums.rows - sums.unsubmitted)} of {number(sums.rows)} images arrived"
        _sentence(screen, "✓", GOOD, f"{text}, the rest was not sent (--limit)", took)
    else:
        there = sums.success + sums.skipped
        text = f"{number(there)} of {counted(sums.rows, 'image')} arrived"
        _sentence(screen, "✓", GOOD, text, took)


def _sentence(screen: Screen, sign: str, style: str, text: str, tail: str) -> None:
    """A closing sentence; jobs and time stand behind it, or below where they do not fit."""
    width = screen.width
    fits = width is None or 2 + cells(text) + 3 + cells(tail) <= width
    screen.line((sign, style), f" {text}   {tail}" if fits else f" {text}", indent=2)
    if not fits:
        screen.line(f"  {tail}", indent=2)


def _place(plan: Plan, run: Run) -> str:
    return f"the {plan.target}" if run.local else plan.target


def _bad(sums: Totals) -> str:
    parts = []
    if sums.failed:
        parts.append(f"{number(sums.failed)} of {counted(sums.rows, 'image')} failed")
    if sums.invalid:
        parts.append(f"{counted(sums.invalid, 'row')} with errors not sent")
    return " and ".join(parts)


def _took(end: Summary) -> str:
    took = duration(end.seconds)
    return f"{counted(len(end.jobs), 'job')} · {took}" if end.jobs else took


def _sent(end: Summary) -> str:
    mine = sum(job.counts.total for job in end.jobs)
    if end.plan is None:
        return f"{counted(mine, 'image')} under way"
    known = end.plan.to_send + end.plan.in_progress  # earlier runs' jobs are followed too
    return f"{number(mine)} of {number(max(mine, known))} sent"


def _what_goes_on(screen: Screen, end: Summary, run: Run) -> None:
    running = sum(not job.state.finished for job in end.jobs)
    if run.local and (running or end.totals.pending):
        screen.line("  The rest waits in the local engine.")
    elif running:
        goes = "goes" if running == 1 else "go"
        screen.line(f"  {counted(running, 'job')} {goes} on at the target without us.")


def _quota(screen: Screen, quota: QuotaError, took: str, run: Run) -> None:
    _sentence(screen, "⧗", WAIT, _capital(quota.message), took)
    if quota.retry_after is not None:
        room = run.now + quota.retry_after
        text = when(room, run.now) if screen.stream.tty else utc(room)
        screen.line(f"  Room for more from {text}.")
    elif quota.limit is not None:
        screen.line(
            "  The window is the last 24 hours: room comes back as earlier uploads leave it."
        )


def _with_state(stopped: LdimportError, end: Summary) -> LdimportError:
    """The error with what it means for the images: ``state safe`` whenever something was sent."""
    if end.plan is not None or end.jobs:
        waiting = end.totals.unsubmitted
        text = f"safe: {_sent(end)}" + (f", {number(waiting)} waiting" if waiting else "")
        stopped.facts.setdefault("state", text)
    return stopped


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def next_steps(end: Summary, run: Run) -> list[Hint]:
    """What to do next, the most useful first."""
    hints: list[Hint] = []
    sums = end.totals
    if end.stopped is not None or sums.unsubmitted:
        hints.append((run.again, "goes on where it stopped"))
    if any(not job.state.finished for job in end.jobs):
        hints.append(("ldimport watch", "follows the jobs until they end"))
    if sums.failed:
        hints.append(("ldimport results --failed", "every failure with row, id, url and reason"))
        can = sum(row.images for row in end.causes if row.retryable)
        if can:
            hints.append(("ldimport retry", f"send failed images again; {number(can)} may work"))
    if sums.invalid and run.command.startswith("submit"):
        hints.append((f"ldimport validate {run.arguments}", "what is wrong with the rows not sent"))
    if end.jobs and not hints:
        hints.append(("ldimport results", "media id of every image"))
        hints.append(("ldimport status", "all jobs"))
    return hints
