"""Images by their last outcome: a table on a terminal, CSV, JSON or JSON Lines elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ldimport.cells import safe_cell
from ldimport.cli.output import documents
from ldimport.cli.output.screen import OUTCOMES, Screen
from ldimport.cli.output.table import TableColumn, table
from ldimport.cli.output.text import number
from ldimport.migration.model import ResultRow
from ldimport.model import Result, Status

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COLUMNS = (
    TableColumn("STATUS"),
    TableColumn("ID"),
    TableColumn("SIZE", drop=2),
    TableColumn("TYPE", drop=3),
    TableColumn("MEDIA ID OR REASON", shrink=True),
)


def outcomes(screen: Screen, rows: Sequence[ResultRow]) -> None:
    """Status, id, size in pixels, type, and media id or reason of each image."""
    table(
        screen,
        COLUMNS,
        [
            _row(
                row.status,
                row.external_id,
                (row.width, row.height, row.mime_type),
                row.media_id or row.reason if row.status is not Status.FAILED else row.reason,
                ", not taken over" if row.not_taken_over else "",
            )
            for row in rows
        ],
    )


def told(screen: Screen, results: Sequence[Result], most: int) -> None:
    """The images of one job as the target told of them then, failures first, at most so many."""
    rows = []
    for each in sorted(results, key=lambda result: result.status is not Status.FAILED)[:most]:
        asset = each.asset if each.status is not Status.FAILED else None
        shape = (asset.width, asset.height, asset.mime_type) if asset else (None, None, None)
        rows.append(
            _row(each.status, each.external_id, shape, asset.media_id if asset else each.reason)
        )
    table(screen, COLUMNS, rows)
    if len(results) > most:
        screen.line(f"and {number(len(results) - most)} more")


def _row(
    status: Status | None,
    name: str,
    shape: tuple[int | None, int | None, str | None],
    end: str | None,
    note: str = "",
) -> tuple[str, ...]:
    sign, outcome = OUTCOMES[status.value] if status else ("…", "pending")
    word = f"{sign} {outcome}{note}"
    width, height, mime_type = shape
    if status is Status.FAILED:
        return word, name, "", "", end or ""
    kind = (mime_type or "").removeprefix("image/").removesuffix("+xml")
    return word, name, f"{width}×{height}" if width and height else "", kind, end or ""


def failures(screen: Screen, rows: Sequence[ResultRow]) -> None:
    """Failed images: where they stand in the manifest, why, and what was fetched."""
    columns = (
        TableColumn("ROW", right=True),
        TableColumn("ID"),
        TableColumn("REASON", shrink=(screen.width or 1_000) < 72),
        TableColumn("URL", shrink=True, drop=1),
    )
    cells = [(number(row.row), row.external_id, row.reason or "", row.source_url) for row in rows]
    table(screen, columns, cells)


# -- for scripts ---------------------------------------------------------------------------


def write_csv(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """CSV with header. A text cell that a spreadsheet would take for a formula begins with an
    apostrophe, which our own reader takes away again."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(documents.RESULT_KEYS)
    for row in rows:
        writer.writerow([safe_cell(value) for value in documents.result(row).values()])


def write_json_lines(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """One document a line."""
    for row in rows:
        file.write(f"{documents.dumps(documents.result(row))}\n")


def write_json(file: SupportsWrite[str], rows: Iterable[ResultRow]) -> None:
    """One document, written as it comes: five million rows need no memory."""
    file.write(f'{{"format":{documents.FORMAT},"results":[')
    for n, row in enumerate(rows):
        file.write(f"{',' if n else ''}\n{documents.dumps(documents.result(row))}")
    file.write("\n]}\n")
