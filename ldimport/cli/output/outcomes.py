"""Jobs and images by their outcome: ``status`` and ``results``, on the screen and for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ldimport.cli.output import documents
from ldimport.cli.output.screen import (
    ACCENT,
    ALWAYS,
    BAD,
    OUTCOMES,
    STYLES,
    Screen,
    TableColumn,
    bar,
    table,
)
from ldimport.cli.output.stream import Stream
from ldimport.cli.output.text import clean, clock, counted, duration, number, percent, utc
from ldimport.migration.model import JobRow, Overview, ResultRow, Totals
from ldimport.model import Asset, JobState, Result, Status

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

# -- jobs ----------------------------------------------------------------------------------


JOBS = (
    TableColumn("JOB"), TableColumn("STATE"), TableColumn("TARGET", shrink=True),
    TableColumn("ARCHIVE", shrink=True), TableColumn("IMAGES", right=True),
    TableColumn("OK", right=True), TableColumn("SKIPPED", right=True, drop=3),
    TableColumn("FAILED", right=True), TableColumn("SENT", drop=1),
    TableColumn("TOOK", right=True, drop=2),
)  # fmt: skip


def overview(screen: Screen, found: Overview, now: float, most: int | None) -> None:
    """Totals of all targets and archives, then the jobs."""
    for scope in found.scopes:
        images = counted(scope.totals.rows, "image")
        screen.line((f"{scope.label} · systemName {scope.system_name}", ACCENT), f" · {images}")
    if found.last_change is not None:
        ago = duration(now - found.last_change)
        screen.line(f"last change {clock(found.last_change, now)} ({ago} ago)")
    screen.blank()
    totals(screen, found.totals)
    if found.jobs:
        screen.blank()
        jobs(screen, found.jobs, now, most)


def totals(screen: Screen, sums: Totals) -> None:
    """Each state with its share and a bar."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    digits = max(len(number(sums.rows)), 3)
    room = min(30, (screen.width or 100) - digits - 30)
    grid = Table.grid(padding=(0, 2, 0, 0))
    for column in ("left", "right", "right", "left"):
        grid.add_column(justify=column, no_wrap=True)
    for name, (sign, word) in OUTCOMES.items():
        count = getattr(sums, name)
        if not count and name not in ALWAYS:
            continue
        share = f"{percent(count, sums.rows):>6}" if count else ""
        drawn = [bar(count, sums.rows, room, STYLES[sign])] if room >= 5 and count else []
        grid.add_row(Text(f"{sign} {word}", STYLES[sign]), number(count), share, *drawn)
    grid.add_row("  images", number(sums.rows))
    screen.block(Padding(grid, (0, 0, 0, 2)))
    if sums.not_taken_over:
        images = counted(sums.not_taken_over, "image")
        rest = "of the skipped changed, but the change was not taken over"
        screen.line(f"  {images} {rest}", indent=2)


def jobs(screen: Screen, rows: Sequence[JobRow], now: float, most: int | None) -> None:
    """Unfinished jobs first, then the last ones."""
    shown = rows if most is None else rows[:most]
    several = len({(row.target, row.system_name) for row in rows}) > 1
    where = () if several else ("TARGET", "ARCHIVE")
    _table(screen, JOBS, [_job(row, now) for row in shown], without=where)
    if len(shown) < len(rows):
        screen.blank()
        screen.line(f"{number(len(shown))} of {counted(len(rows), 'job')} · -n 0 shows all")


def _job(row: JobRow, now: float) -> tuple[str, ...]:
    counts = row.counts
    ended = (counts.success, counts.skipped, counts.failed)
    sums = map(number, ended) if row.state is JobState.SUCCESS else [""] * 3
    took = duration(row.finished_at - row.submitted_at) if row.finished_at else ""
    sent = clock(row.submitted_at, now)
    where = row.label, row.system_name
    return row.id, state_word(row), *where, number(counts.total), *sums, sent, took


def _table(
    screen: Screen,
    columns: Sequence[TableColumn],
    rows: Sequence[Sequence[str]],
    without: Sequence[str],
) -> None:
    """A table but for some of its columns."""
    kept = [n for n, column in enumerate(columns) if column.name not in without]
    table(screen, [columns[n] for n in kept], [[row[n] for n in kept] for row in rows])


def state_word(row: JobRow) -> str:
    """A job's state with its sign."""
    if row.state is JobState.STARTED:
        return "… running"
    if row.state is JobState.SUCCESS:
        return "✗ done" if row.counts.failed else "✓ done"
    return f"✗ {row.state.value}"


def lines(stream: Stream, found: Overview, most: int | None) -> None:
    """Not on a terminal: counts as name and value, jobs as tab-separated lines, times in UTC."""
    for scope in found.scopes:
        for name in OUTCOMES:
            if name != "invalid":
                count = str(getattr(scope.totals, name))
                _tabbed(stream, name, count, scope.label, scope.system_name)
    for row in found.jobs[:most]:
        counts = row.counts
        sums = (counts.total, counts.success, counts.skipped, counts.failed, counts.pending)
        times = (utc(at) if at is not None else "" for at in (row.submitted_at, row.finished_at))
        where = row.label, row.system_name
        _tabbed(stream, "job", row.id, row.state.value, *map(str, sums), *times, *where)


def _tabbed(stream: Stream, *cells: str) -> None:
    stream.write("\t".join(map(clean, cells)) + "\n")


def job_head(screen: Screen, row: JobRow, now: float) -> None:
    """One job in a line: state, rows, times."""
    failed = row.counts.failed
    style = BAD if failed or row.state in (JobState.FAILED, JobState.LOST) else ""
    some = f", {number(failed)} failed" if row.state is JobState.SUCCESS and failed else ""
    parts = [f"rows {number(row.first_row)} to {number(row.last_row)} of {row.manifest}",
             f"sent {clock(row.submitted_at, now)}"]  # fmt: skip
    if row.finished_at is not None:
        parts.append(f"took {duration(row.finished_at - row.submitted_at)}")
    screen.line(row.id, "  ", (f"{state_word(row)}{some}", style), "   ", " · ".join(parts),
                indent=2)  # fmt: skip


# -- images --------------------------------------------------------------------------------

ARCHIVE = TableColumn("TARGET", shrink=True), TableColumn("ARCHIVE", shrink=True)
IMAGES = (
    TableColumn("STATUS"), TableColumn("ID"), *ARCHIVE, TableColumn("SIZE", drop=2),
    TableColumn("TYPE", drop=3), TableColumn("MEDIA ID OR REASON", shrink=True),
)  # fmt: skip


def outcomes(screen: Screen, rows: Sequence[ResultRow]) -> None:
    """Status, id, size in pixels, type, and media id or reason of each image; where they are of
    several archives, of which."""
    shown = [_image(row.status, row.external_id, row, row.reason) for row in rows]
    _table(screen, IMAGES, shown, without=_alike(rows))


def _alike(rows: Sequence[ResultRow]) -> Sequence[str]:
    """The columns that would be the same in every row."""
    several = len({(row.target, row.system_name) for row in rows}) > 1
    return () if several else [column.name for column in ARCHIVE]


def told(screen: Screen, results: Sequence[Result], most: int) -> None:
    """The images of one job as the target told of them then, failures first, at most so many."""
    shown = sorted(results, key=lambda result: result.status is not Status.FAILED)[:most]
    rows = [_image(each.status, each.external_id, each.asset, each.reason) for each in shown]
    _table(screen, IMAGES, rows, without=_alike(()))
    if len(results) > most:
        screen.line(f"and {number(len(results) - most)} more")


def _image(
    status: Status | None, name: str, of: ResultRow | Asset | None, reason: str | None
) -> tuple[str, ...]:
    word = " ".join(OUTCOMES[status.value] if status else ("…", "pending"))
    where = (of.target, of.system_name) if isinstance(of, ResultRow) else ("", "")
    if of is None or status is Status.FAILED:
        return word, name, *where, "", "", reason or ""
    if isinstance(of, ResultRow) and of.not_taken_over:
        word += ", not taken over"
    kind = (of.mime_type or "").removeprefix("image/").removesuffix("+xml")
    size = f"{of.width}×{of.height}" if of.width and of.height else ""
    return word, name, *where, size, kind, of.media_id or reason or ""


def failures(screen: Screen, rows: Sequence[ResultRow]) -> None:
    """Failed images: where they stand in the manifest, why, and what was fetched."""
    columns = (
        TableColumn("ROW", right=True), TableColumn("ID"), *ARCHIVE,
        TableColumn("REASON", shrink=(screen.width or 1_000) < 72),
        TableColumn("URL", shrink=True, drop=1),
    )  # fmt: skip
    cells = [(number(row.row), row.external_id, row.target, row.system_name, row.reason or "",
              row.source_url) for row in rows]  # fmt: skip
    _table(screen, columns, cells, without=_alike(rows))


# -- for scripts ---------------------------------------------------------------------------


def write_csv(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """CSV with header; see ``cells`` for texts that a spreadsheet or a CI system would obey."""
    from ldimport.cells import csv_line

    file.write(csv_line(documents.RESULT_KEYS, end="\n"))
    for row in rows:
        file.write(csv_line(documents.result(row).values(), end="\n"))


def write_json_lines(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """One document a line."""
    for row in rows:
        file.write(f"{documents.dumps(documents.result(row), exact=True)}\n")


def write_json(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """One document, written as it comes: five million rows need no memory."""
    file.write(f'{{"format":{documents.FORMAT},"results":[')
    for n, row in enumerate(rows):
        file.write(f"{',' if n else ''}\n{documents.dumps(documents.result(row), exact=True)}")
    file.write("\n]}\n")
