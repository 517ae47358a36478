"""Long lists of documents as files: CSV, JSON, JSON Lines and Excel, written as they come, so that
five million rows need no memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ldimport.cells import csv_form, csv_line, csv_lines, safe_cell
from ldimport.cli.output import documents
from ldimport.errors import ConfigError, UsageError, how_to_install
from ldimport.files import NewFile, named_file, unwritable
from ldimport.migration.store.tables import write_map

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, SupportsWrite

ROWS_OF_A_SHEET = 1_048_575
"""Without the header: Excel's limit is 1,048,576."""
_CELL = 32_767
_AT_ONCE = 1_000
_T = TypeVar("_T")


class ExportFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    TXT = "txt"
    XLSX = "xlsx"
    SQLITE = "sqlite"


def write(
    path: Path,
    form: ExportFormat,
    name: str,
    keys: tuple[str, ...],
    rows: Iterator[documents.Document],
    *,
    excel: bool = False,
) -> int:
    """Write all rows in a format; how many these are."""
    count = 0

    def counted_rows() -> Iterator[documents.Document]:
        nonlocal count
        for count, row in enumerate(rows, 1):  # noqa: B007
            yield row

    every = counted_rows()
    if form in (ExportFormat.XLSX, ExportFormat.SQLITE):
        with named_file(path) as named:
            if form is ExportFormat.XLSX:
                write_excel(named, path, name, keys, every)
            else:
                write_map(named, every)
        return count
    written = csv_form(path, excel=excel and form is ExportFormat.CSV)
    writers: dict[ExportFormat, Callable[[NewFile], None]] = {
        ExportFormat.CSV: lambda new: write_csv(
            new, keys, map(itemgetter(*keys), every), written.delimiter
        ),
        ExportFormat.JSONL: lambda new: write_json_lines(new, every),
        ExportFormat.JSON: lambda new: write_json(new, name, every),
        ExportFormat.TXT: lambda new: _media_ids(new, every),
    }
    with NewFile(path, written.encoding) as new:
        writers[form](new)
    return count


def _media_ids(new: NewFile, rows: Iterable[documents.Document]) -> None:
    for row in rows:
        new.write(f"{row['mediaId']}\n")


def write_csv(
    file: SupportsWrite[str],
    keys: Sequence[str],
    rows: Iterable[Sequence[Any]],
    delimiter: str = ",",
) -> None:
    """CSV with header, of rows in the order of the keys; see ``cells`` for texts that a spreadsheet
    or a CI system would obey."""
    file.write(csv_line(keys, delimiter, end="\n"))
    for some in _chunks(rows):
        file.write(csv_lines(some, delimiter, end="\n"))


def write_json_lines(file: SupportsWrite[str], rows: Iterable[documents.Document]) -> None:
    """One document a line."""
    for some in _chunks(rows):
        file.write("".join([f"{documents.dumps(row, exact=True)}\n" for row in some]))


def _chunks(rows: Iterable[_T]) -> Iterator[Sequence[_T]]:
    every = iter(rows)
    while some := list(islice(every, _AT_ONCE)):
        yield some


def write_json(file: SupportsWrite[str], name: str, rows: Iterable[documents.Document]) -> None:
    """One document with the list under this name."""
    file.write(f'{{"format":{documents.FORMAT},"{name}":[')
    for n, row in enumerate(rows):
        file.write(f"{',' if n else ''}\n{documents.dumps(row, exact=True)}")
    file.write("\n]}\n")


def check_excel() -> None:
    """Raise ConfigError where the extra is not installed, before any work is done."""
    try:
        import xlsxwriter  # noqa: F401
    except ImportError as error:
        text = "Excel files need XlsxWriter, which is not installed"
        raise ConfigError(text, hint=how_to_install("xlsx"), code="missing-extra") from error


def write_excel(
    named: Path, path: Path, name: str, keys: Sequence[str], rows: Iterable[documents.Document]
) -> None:
    """``named``, a temporary name of ``path``, becomes an Excel file: texts stand as texts and are
    never formulas or links; what does not fit on a sheet goes on, on the next one."""
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with _ExcelFile(named, "w+") as file:
        book = xlsxwriter.Workbook(file, options)
        try:
            every = iter(rows)
            for number in range(1, 1_000):
                sheet = book.add_worksheet(name if number == 1 else f"{name} {number}")
                sheet.write_row(0, 0, keys)
                if not _fill(sheet, keys, every):
                    break
        finally:
            try:
                book.close()
            except (xlsxwriter.exceptions.FileCreateError, OSError) as error:
                raise unwritable(path, file.failed or OSError(str(error))) from error


class _ExcelFile(io.FileIO):
    """A file that refuses once what it cannot take: the packer would complain again when nobody
    listens any more."""

    failed: OSError | None = None

    def write(self, data: ReadableBuffer) -> int:
        rest = memoryview(data).cast("B")
        try:
            while rest and self.failed is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failed = error
            raise
        return memoryview(data).nbytes

    def seek(self, place: int, whence: int = 0, /) -> int:
        return 0 if self.failed else super().seek(place, whence)

    def tell(self) -> int:
        return 0 if self.failed else super().tell()

    def flush(self) -> None:
        if not self.failed:
            super().flush()


def _fill(sheet: Any, keys: Sequence[str], rows: Iterator[documents.Document]) -> bool:
    """Write rows until the sheet is full; whether it is."""
    for n in range(1, ROWS_OF_A_SHEET + 1):
        row = next(rows, None)
        if row is None:
            return False
        for column, key in enumerate(keys):
            value = row[key]
            if isinstance(value, int):
                sheet.write_number(n, column, value)
            elif value is not None and sheet.write_string(n, column, safe_cell(value)) < -1:
                text = f"{key} in row {n:,} has more than {_CELL:,} characters: no Excel cell can"
                raise UsageError(
                    text, hint="use .csv, .jsonl or .sqlite", code="too-long-for-excel"
                )
    return True
