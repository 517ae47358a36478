"""Images by their last outcome: a table on a terminal, CSV or JSON Lines elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from ldimport.cells import safe_cell
from ldimport.cli.output import documents
from ldimport.cli.output.screen import Screen
from ldimport.cli.output.table import Column, table
from ldimport.cli.output.text import number
from ldimport.migration.model import ResultRow
from ldimport.model import Result, Status

OUTCOMES = (
    Column("STATUS"),
    Column("ID"),
    Column("SIZE", drop=2),
    Column("TYPE", drop=3),
    Column("MEDIA ID OR REASON", shrink=1),
)
FAILED = (
    Column("ROW", right=True),
    Column("ID"),
    Column("REASON"),
    Column("URL", shrink=1, drop=1),
)
_WORDS = {
    Status.SUCCESS: "✓ imported",
    Status.SKIPPED: "· skipped",
    Status.FAILED: "✗ failed",
    None: "… pending",
}


def outcomes(screen: Screen, rows: Sequence[ResultRow]) -> None:
    """Status, id, size in pixels, type, and media id or reason of each image."""
    table(screen, OUTCOMES, [_outcome(row) for row in rows])


def told(screen: Screen, results: Sequence[Result], most: int) -> None:
    """The images of one job as the target told of them then, failures first, at most so many."""
    ordered = sorted(results, key=lambda result: result.status is not Status.FAILED)
    table(screen, OUTCOMES, [_told(result) for result in ordered[:most]])
    if len(ordered) > most:
        screen.line(f"and {number(len(ordered) - most)} more")


def _told(result: Result) -> tuple[str, ...]:
    asset = result.asset
    word = _WORDS[result.status]
    if asset is None or result.status is Status.FAILED:
        return word, result.external_id, "", "", result.reason or ""
    size, kind = _shape(asset.width, asset.height, asset.mime_type)
    return word, result.external_id, size, kind, asset.media_id


def _shape(width: int | None, height: int | None, mime_type: str | None) -> tuple[str, str]:
    kind = (mime_type or "").removeprefix("image/").removesuffix("+xml")
    return (f"{width}×{height}" if width and height else ""), kind


def failures(screen: Screen, rows: Sequence[ResultRow]) -> None:
    """Failed images: where they stand in the manifest, why, and what was fetched."""
    cells = [(number(row.row), row.external_id, row.reason or "", row.source_url) for row in rows]
    narrow = (screen.width or 1_000) < 72
    columns = (*FAILED[:2], Column("REASON", shrink=1), FAILED[3]) if narrow else FAILED
    table(screen, columns, cells)


def _outcome(row: ResultRow) -> tuple[str, ...]:
    word = _WORDS[row.status]
    if row.status is Status.FAILED:
        return word, row.external_id, "", "", row.reason or ""
    size, kind = _shape(row.width, row.height, row.mime_type)
    word = f"{word}, not taken over" if row.not_taken_over else word
    return word, row.external_id, size, kind, row.media_id or row.reason or ""


# -- for scripts ---------------------------------------------------------------------------


def write_csv(file: TextIO, rows: Iterable[ResultRow]) -> None:
    """CSV with header. A text cell that a spreadsheet would take for a formula begins with an
    apostrophe, which our own reader takes away again (hostile.md 74)."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(documents.RESULT_KEYS)
    for row in rows:
        writer.writerow([safe_cell(value) for value in documents.result(row).values()])


def json_lines(rows: Iterable[ResultRow]) -> Iterator[str]:
    """One document a line."""
    for row in rows:
        yield documents.dumps(documents.result(row))


def write_json(file: TextIO, rows: Iterable[ResultRow]) -> None:
    """One document, written as it comes: five million rows need no memory."""
    file.write(f'{{"format":{documents.FORMAT},"results":[')
    for n, line in enumerate(json_lines(rows)):
        file.write(f",\n{line}" if n else f"\n{line}")
    file.write("\n]}\n")
