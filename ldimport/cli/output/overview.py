"""``status`` on the screen and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldimport.cli.output.stream import Stream
from ldimport.cli.output.text import clean, clock, counted, duration, number, percent, utc
from ldimport.migration.model import JobRow, Totals
from ldimport.model import JobState

if TYPE_CHECKING:
    from ldimport.cli.output.screen import Screen
    from ldimport.migration.model import Overview

_TOTALS = (
    ("✓", "imported", "success", "green"),
    ("·", "skipped", "skipped", "bright_black"),
    ("✗", "failed", "failed", "red"),
    ("…", "in progress", "pending", "blue"),
    ("⧗", "not sent yet", "unsubmitted", "yellow"),
)


def show(screen: Screen, found: Overview, now: float, most: int | None) -> None:
    """Totals of all targets and archives, then the jobs."""
    for scope in found.scopes:
        images = counted(scope.totals.rows, "image")
        screen.line((f"{scope.label} · systemName {scope.system_name}", "bold"), f" · {images}")
    if found.last_change is not None:
        screen.line(f"last change {clock(found.last_change, now)} "
                    f"({duration(now - found.last_change)} ago)")  # fmt: skip
    screen.blank()
    totals(screen, found.totals)
    if found.jobs:
        screen.blank()
        jobs(screen, found.jobs, now, most)


def totals(screen: Screen, sums: Totals) -> None:
    """Each state with its share and a bar."""
    from ldimport.cli.output.bars import bar

    rows = [(*each, getattr(sums, each[2])) for each in _TOTALS]
    colour = screen.stream.colour
    digits = max(len(number(sums.rows)), 3)
    room = min(30, (screen.width or 100) - digits - 30)
    for sign, word, name, style, count in rows:
        if not count and name in ("pending", "unsubmitted"):
            continue
        drawn = (
            bar(count, sums.rows, room, style=style, colour=colour) if room >= 5 and count else []
        )
        share = f"{percent(count, sums.rows):>8}" if count else ""
        gap = "  " if drawn else ""
        screen.line(
            "  ", (f"{sign} {word:<12}", style), f"  {number(count):>{digits}}{share}{gap}", *drawn
        )
    screen.line(f"    {'images':<12}  {number(sums.rows):>{digits}}")
    if sums.not_taken_over:
        screen.line(f"  {counted(sums.not_taken_over, 'image')} of the skipped changed, but the "
                    "change was not taken over", indent=2)  # fmt: skip


def jobs(screen: Screen, rows: Sequence[JobRow], now: float, most: int | None) -> None:
    """Unfinished jobs first, then the last ones."""
    from ldimport.cli.output.table import Column, table

    columns = (
        Column("JOB"),
        Column("STATE"),
        Column("IMAGES", right=True),
        Column("OK", right=True),
        Column("SKIPPED", right=True, drop=3),
        Column("FAILED", right=True),
        Column("SENT", drop=1),
        Column("TOOK", right=True, drop=2),
    )
    shown = rows if most is None else rows[:most]
    table(screen, columns, [_job(row, now) for row in shown])
    if len(shown) < len(rows):
        screen.blank()
        screen.line(f"{number(len(shown))} of {counted(len(rows), 'job')} · -n 0 shows all")


def _job(row: JobRow, now: float) -> tuple[str, ...]:
    counts = row.counts
    ran = row.state is JobState.SUCCESS
    took = duration(row.finished_at - row.submitted_at) if row.finished_at else ""
    return (
        row.id,
        state_word(row),
        number(counts.total),
        number(counts.success) if ran else "",
        number(counts.skipped) if ran else "",
        number(counts.failed) if ran else "",
        clock(row.submitted_at, now),
        took,
    )


def state_word(row: JobRow) -> str:
    """A job's state with its sign."""
    match row.state:
        case JobState.STARTED:
            return "… running"
        case JobState.SUCCESS:
            return "✗ done" if row.counts.failed else "✓ done"
        case _:
            return f"✗ {row.state.value}"


# -- not a terminal ------------------------------------------------------------------------


def lines(stream: Stream, found: Overview, most: int | None) -> None:
    """Counts as name and value, jobs as tab-separated lines, times in UTC."""
    for scope in found.scopes:
        sums = scope.totals
        for name in ("success", "skipped", "failed", "pending", "unsubmitted"):
            place = f"{clean(scope.label)}\t{clean(scope.system_name)}"
            stream.write(f"{name}\t{getattr(sums, name)}\t{place}\n")
    for row in found.jobs if most is None else found.jobs[:most]:
        stream.write("\t".join(clean(cell) for cell in _job_cells(row)) + "\n")


def _job_cells(row: JobRow) -> tuple[str, ...]:
    counts = row.counts
    return (
        "job",
        row.id,
        row.state.value,
        str(counts.total),
        str(counts.success),
        str(counts.skipped),
        str(counts.failed),
        str(counts.pending),
        utc(row.submitted_at),
        "" if row.finished_at is None else utc(row.finished_at),
    )


# -- one job -------------------------------------------------------------------------------


def job_head(screen: Screen, row: JobRow, now: float) -> None:
    """One job in a line: state, rows, times."""
    style = "red" if row.counts.failed or row.state in (JobState.FAILED, JobState.LOST) else ""
    failed = (
        f", {number(row.counts.failed)} failed"
        if row.state is JobState.SUCCESS and (row.counts.failed)
        else ""
    )
    parts = [f"rows {number(row.first_row)} to {number(row.last_row)} of {row.manifest}"]
    parts.append(f"sent {clock(row.submitted_at, now)}")
    if row.finished_at is not None:
        parts.append(f"took {duration(row.finished_at - row.submitted_at)}")
    screen.line(row.id, "  ", (f"{state_word(row)}{failed}", style), "   ", " · ".join(parts),
                indent=2)  # fmt: skip
