"""Jobs and images by their outcome: ``status`` and ``results``, on the screen and for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

from ldimport.cli.output import documents
from ldimport.cli.output.screen import (
    ACCENT,
    ALWAYS,
    BAD,
    OUTCOMES,
    STYLES,
    WINDOW,
    Screen,
    TableColumn,
    bar,
    table,
)
from ldimport.cli.output.stream import Stream
from ldimport.cli.output.text import cells
from ldimport.errors import LdimportError
from ldimport.migration.model import JobRow, Overview, ResultRow, Totals
from ldimport.model import Asset, JobState, Result, Status
from ldimport.wording import clean, clock, counted, duration, number, percent, utc

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

# -- jobs ----------------------------------------------------------------------------------


ARCHIVE = TableColumn("TARGET", shrink=True), TableColumn("SYSTEMNAME", shrink=True)
"""Where there are several."""
JOBS = (
    TableColumn("JOB"), TableColumn("STATE"), TableColumn("IMAGES", right=True),
    TableColumn("OK", right=True), TableColumn("SKIPPED", right=True, drop=3),
    TableColumn("FAILED", right=True), TableColumn("SENT", drop=1),
    TableColumn("TOOK", right=True, drop=2),
)  # fmt: skip


def overview(
    screen: Screen,
    found: Overview,
    now: float,
    most: int | None,
    ahead: Sequence[Mapping[str, str]] = (),
) -> None:
    """Totals of all targets and archives, who is at work, what is ``ahead`` of each, then the
    jobs."""
    for scope in found.scopes:
        images = counted(scope.totals.rows, "image")
        screen.line((f"{scope.label} · systemName {scope.system_name}", ACCENT), f" · {images}")
    if found.last_change is not None:
        ago = duration(now - found.last_change)
        screen.line(f"last change {clock(found.last_change, now)} ({ago} ago)")
    for line in at_work(found):
        screen.line(line, indent=2)
    screen.blank()
    totals(screen, found.totals)
    for scope, facts in zip(found.scopes, ahead, strict=False):
        if facts:
            screen.blank()
            if len(found.scopes) > 1:
                screen.line(f"  {scope.system_name}")
            screen.facts(facts)
    if found.jobs:
        screen.blank()
        jobs(screen, found, now, most)


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


def jobs(screen: Screen, found: Overview, now: float, most: int | None) -> None:
    """Unfinished jobs first, then the last ones."""
    columns, rows, rest = _jobs(found, now, most, utc_times=False)
    table(screen, columns, rows)
    if rest:
        screen.blank()
        screen.line(rest)


def _jobs(
    found: Overview, now: float, most: int | None, *, utc_times: bool
) -> tuple[Sequence[TableColumn], list[tuple[str, ...]], str]:
    """Columns and rows; of several archives each job has its own; and what is left out."""
    shown = found.jobs if most is None else found.jobs[:most]
    waits = found.at_work is not None and not (found.at_work.run or found.at_work.workers)
    rows = [
        _job(row, now, utc_times=utc_times, waits=waits and is_local(row.target)) for row in shown
    ]
    columns: tuple[TableColumn, ...] = JOBS
    if len({(each.target, each.system_name) for each in found.scopes or found.jobs}) > 1:
        columns = (*JOBS, *ARCHIVE)
        rows = [(*each, _label(found, row.target, row.label), row.system_name)
                for each, row in zip(rows, shown, strict=True)]  # fmt: skip
    whole = max(found.in_all, len(found.jobs))
    of = counted(whole, "job")
    rest = f"{number(len(shown))} of {of} · -n 0 shows all" if len(shown) < whole else ""
    return columns, rows, rest


def _job(row: JobRow, now: float, *, utc_times: bool, waits: bool) -> tuple[str, ...]:
    counts = row.counts
    ended = (counts.success, counts.skipped, counts.failed)
    known = row.state is JobState.SUCCESS or (row.state is JobState.STARTED and any(ended))
    sums = map(number, ended) if known else [""] * 3
    took = duration(row.finished_at - row.submitted_at) if row.finished_at else ""
    sent = utc(row.submitted_at) if utc_times else clock(row.submitted_at, now)
    state = "… waits" if waits and row.state is JobState.STARTED else state_word(row)
    return row.id, state, number(counts.total), *sums, sent, took


def _table(
    screen: Screen,
    columns: Sequence[TableColumn],
    rows: Iterable[Sequence[str]],
    without: Sequence[str],
) -> None:
    """A table but for some of its columns."""
    kept = [n for n, column in enumerate(columns) if column.name not in without]
    table(screen, [columns[n] for n in kept], ([row[n] for n in kept] for row in rows))


def _images(
    screen: Screen,
    columns: Sequence[TableColumn],
    rows: Iterable[ResultRow],
    cells_of: Callable[[ResultRow], Sequence[str]],
    *,
    several: bool,
) -> None:
    """A table of images, and of which archives they are, where the first of them, or of more than
    these any, are of ``several``."""
    every = iter(rows)
    first = list(islice(every, WINDOW))
    mixed = several and len(first) == WINDOW
    alike = () if mixed else _alike(_archives(first))
    _table(screen, columns, map(cells_of, chain(first, every)), without=alike)


def _alike(archives: Iterable[tuple[str, str]]) -> Sequence[str]:
    """The columns that would be the same in every row, for targets and systemNames."""
    return () if len(set(archives)) > 1 else [column.name for column in ARCHIVE]


def _archives(rows: Iterable[ResultRow]) -> set[tuple[str, str]]:
    return {(row.target, row.system_name) for row in rows}


def state_word(row: JobRow) -> str:
    """A job's state with its sign."""
    if row.state is JobState.STARTED:
        return "… running"
    if row.state is JobState.SUCCESS:
        some = row.counts.failed
        return f"✗ done, {number(some)} failed" if some else "✓ done"
    return f"✗ {row.state.value}"


def lines(
    stream: Stream,
    found: Overview,
    now: float,
    most: int | None,
    ahead: Sequence[Mapping[str, str]] = (),
) -> None:
    """Not on a terminal: as one reads it in a mail, times in UTC; scripts take ``--json``."""
    for line in _lines(found, now, most, ahead):
        stream.write(f"{clean(line).rstrip()}\n")
    stream.flush()


def _lines(
    found: Overview, now: float, most: int | None, ahead: Sequence[Mapping[str, str]]
) -> Iterator[str]:
    yield f"status of {utc(now)}"
    for n, scope in enumerate(found.scopes):
        sums = scope.totals
        yield from ("", f"target: {scope.label}", f"systemName: {scope.system_name}")
        yield f"images: {number(sums.rows)}"
        for name, (_, word) in OUTCOMES.items():
            if (count := getattr(sums, name)) or name in ALWAYS:
                yield f"{word}: {number(count)}"
        if sums.not_taken_over:
            yield f"changed but not taken over: {number(sums.not_taken_over)}"
        for name, text in (ahead[n] if n < len(ahead) else {}).items():
            yield f"{name}: {text}"
    if found.last_change is None and not found.totals.rows:
        yield "nothing has been submitted yet"
    elif found.last_change is not None:
        yield from ("", f"last change: {utc(found.last_change)}")
    yield from at_work(found)
    if found.jobs:
        columns, rows, rest = _jobs(found, now, most, utc_times=True)
        whole = [tuple(column.name for column in columns), *rows]
        widths = [max(cells(row[n]) for row in whole) for n in range(len(columns))]
        yield ""
        for row in whole:
            yield "  ".join(
                " " * (width - cells(text)) + text if column.right else
                text + " " * (width - cells(text))
                for column, text, width in zip(columns, row, widths, strict=True)
            )  # fmt: skip
        if rest:
            yield rest


def write_overview(stream: Stream, rest: documents.Document, rows: Iterable[JobRow]) -> None:
    """One document, on one line, with every job: written as they come."""
    stream.document(f'{{"format":{documents.FORMAT},"jobs":[', end="")
    try:
        for n, row in enumerate(rows):
            stream.document(f"{',' if n else ''}{documents.dumps(documents.job(row))}", end="")
    except LdimportError:
        stream.document("")  # the error has a line of its own
        raise
    stream.document(f"],{documents.dumps(rest)[1:]}")


def is_local(target: str) -> bool:
    """Whether a target is a local engine."""
    return target.startswith("embedded:")


def at_work(found: Overview) -> Iterator[str]:
    """Who is at work on what has not ended, if anybody is; nothing where all has ended."""
    who, going = found.at_work, found.under_way
    if who is None or not going:
        return
    local = sum(jobs for target, jobs in going.items() if is_local(target))
    if who.run:
        yield f"at work now: {who.run}"
    elif local and who.workers:
        yield "at work now: workers of the local engine; nobody stores their results here"
    elif local:
        waits = "1 job waits" if local == 1 else f"{number(local)} jobs wait"
        yield f"nobody is at work now: {waits} in the local engine"
    for target, many in going.items():
        if is_local(target):
            continue
        goes, them = (
            ("1 job goes on", "it") if many == 1 else (f"{number(many)} jobs go on", "them")
        )
        at = f"{goes} at {_label(found, target)}"
        yield at + ("" if who.run else f"; nobody follows {them} here")


def _label(found: Overview, target: str, own: str = "") -> str:
    return next((each.label for each in found.scopes if each.target == target), own or target)


def job_head(screen: Screen, row: JobRow, now: float) -> None:
    """One job in a line: state, rows, times."""
    style = BAD if row.counts.failed or row.state in (JobState.FAILED, JobState.LOST) else ""
    parts = [f"rows {number(row.first_row)} to {number(row.last_row)} of {row.manifest}",
             f"sent {clock(row.submitted_at, now)}"]  # fmt: skip
    if row.finished_at is not None:
        parts.append(f"took {duration(row.finished_at - row.submitted_at)}")
    screen.line(row.id, "  ", (state_word(row), style), "   ", " · ".join(parts),
                indent=2)  # fmt: skip


# -- images --------------------------------------------------------------------------------

IMAGES = (
    TableColumn("STATUS"), TableColumn("ID"), *ARCHIVE, TableColumn("SIZE", drop=2),
    TableColumn("TYPE", drop=3), TableColumn("MEDIA ID OR REASON", shrink=True),
)  # fmt: skip


def outcomes(screen: Screen, rows: Iterable[ResultRow], *, several: bool = False) -> None:
    """Status, id, size in pixels, type, and media id or reason of each image; where they are of
    several archives, of which."""
    _images(
        screen, IMAGES, rows,
        lambda row: _image(row.status, row.external_id, row, row.reason), several=several,
    )  # fmt: skip


def of_run(screen: Screen, rows: Sequence[ResultRow]) -> None:
    """The same at the end of a run, whose causes of failure have a table of their own: failed
    images stand here with their place in the manifest and their address."""
    columns = (*IMAGES[:-1], TableColumn("MEDIA ID OR URL", shrink=True))
    shown = []
    for row in rows:
        failed = row.status is Status.FAILED
        name = f"{row.external_id} (row {number(row.row)})" if failed else row.external_id
        shown.append(_image(row.status, name, row, row.source_url if failed else row.reason))
    _table(screen, columns, shown, without=_alike(_archives(rows)))


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
    if isinstance(of, ResultRow) and status is Status.FAILED:
        word = " ".join(OUTCOMES["waived"]) if of.waived_because is not None else word
        reason = why(of) if reason == of.reason else reason
    where = (of.target, of.system_name) if isinstance(of, ResultRow) else ("", "")
    if of is None or status is Status.FAILED:
        return word, name, *where, "", "", reason or ""
    if isinstance(of, ResultRow) and of.not_taken_over:
        word += ", not taken over"
    kind = (of.mime_type or "").removeprefix("image/").removesuffix("+xml")
    size = f"{of.width}×{of.height}" if of.width and of.height else ""
    return word, name, *where, size, kind, of.media_id or reason or ""


def why(row: ResultRow) -> str:
    """Why an image failed, and what became of that."""
    told = row.reason or ""
    if row.waived_because is not None:
        return f"{told}; waived: {row.waived_because}"
    return f"{told}; gave up after {counted(row.tries, 'try', 'tries')}" if row.gave_up else told


def failures(screen: Screen, rows: Iterable[ResultRow], *, several: bool = False) -> None:
    """Failed images: where they stand in the manifest, why, and what was fetched."""
    columns = (
        TableColumn("ROW", right=True), TableColumn("ID"), *ARCHIVE,
        TableColumn("REASON", shrink=(screen.width or 1_000) < 72),
        TableColumn("URL", shrink=True, drop=1),
    )  # fmt: skip

    def shown(row: ResultRow) -> Sequence[str]:
        return (number(row.row), row.external_id, row.target, row.system_name, why(row),
                row.source_url)  # fmt: skip

    _images(screen, columns, rows, shown, several=several)


# -- for scripts ---------------------------------------------------------------------------


def write_csv(file: SupportsWrite[str], rows: Iterable[ResultRow], delimiter: str = ",") -> None:
    """CSV with header; see ``cells`` for texts that a spreadsheet or a CI system would obey."""
    from ldimport.cli.output import lists

    lists.write_csv(file, documents.RESULT_KEYS, map(documents.result_values, rows), delimiter)


def write_json_lines(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """One document a line."""
    from ldimport.cli.output import lists

    lists.write_json_lines(file, map(documents.result, rows))


def write_json(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """One document, written as it comes: five million rows need no memory."""
    from ldimport.cli.output import lists

    lists.write_json(file, "results", map(documents.result, rows))
