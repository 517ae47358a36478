"""Tables: CSV in any dialect, row by row at the speed of ``csv.reader``.

Cells of spreadsheets that begin with ``'`` and then a formula sign (``'=1+1``) lose that one
apostrophe: ``cells.safe_cell`` puts it there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import BinaryIO, cast

from ldimport.errors import ManifestError
from ldimport.manifest.columns import ignored_text, layout
from ldimport.manifest.encoding import undecodable
from ldimport.manifest.findings import Findings
from ldimport.manifest.kinds import CsvDialect, CsvReader
from ldimport.manifest.normalise import surely_composed
from ldimport.manifest.part import Part
from ldimport.manifest.streams import ByteStream, LineGuard, Position
from ldimport.manifest.table import Builder, OddRow, is_odd, locate_cell
from ldimport.model import Entry, Place
from ldimport.mojibake import surely_whole

_PREFIXED = re.compile(rb"'[ \t\r\n\x0b\x0c\x00\xa0\xc2]*[=+\-@\xef]|'[\t\r\n]")
"""``cells.FORMULA`` behind an apostrophe, in any encoding that contains ASCII; may find more."""
_AS_TEXT = re.compile(rb'(?<!\w)="')
"""Where ``table._AS_TEXT`` may begin; attributes of HTML, which captions hold, do not."""
_RESUMES = 20
"""How often a pass goes back to the line after an unclosed quote; each costs a partial pass."""
_WESTERN = {"cp1252", "cp1250", "latin-1", "iso8859-1", "iso8859-15", "ascii"}
_OVERLAP = 64


class _Suspicion:
    """Watches chunks of bytes for what needs a second look, cell by cell; once found, for good."""

    def __init__(self, name: str, encoding: str, position: Position | None) -> None:
        self.raised = not encoding.startswith("utf-8") and encoding not in _WESTERN
        self._utf8 = encoding.startswith("utf-8")
        self._position = position
        self._end = b""
        self._guard = LineGuard(name)

    def __call__(self, chunk: bytes, position: int) -> None:
        self._guard(chunk, position)
        if not self.raised:
            chunk = self._end + chunk
            odd = b"\0" in chunk or _dressed(chunk) or not surely_whole(chunk, utf8=self._utf8)
            self.raised = odd or (self._utf8 and not surely_composed(chunk))
            self._end = chunk[-_OVERLAP:]
        if self._position is not None:
            self._position(position)


def _dressed(chunk: bytes) -> bool:
    """Whether ``table.bare`` may have something to take away."""
    if b"'" in chunk and _PREFIXED.search(chunk) is not None:
        return True
    return b'="' in chunk and _AS_TEXT.search(chunk) is not None


class Table(Part):
    """One CSV file; ``layout`` says which cell is which field. Raises ManifestError when the header
    cannot be used, or no row follows it."""

    newline = ""

    def __init__(
        self, path: str, name: str, encoding: str, findings: Findings, dialect: CsvDialect
    ) -> None:
        super().__init__(path, name, encoding, findings)
        self.dialect = dialect
        self._mapping = findings.columns
        header, self._header_lines, line = self._read_names()
        self.layout = layout(header, self._mapping, name, line)
        self.names = self.layout.names
        self._build = Builder(self.layout, findings, name)
        if next(self.rows(), None) is None:
            raise ManifestError(f"{name} has a header but no rows", code="no-rows")
        if self.layout.ignored:
            findings.notice("unknown-columns", ignored_text(self.layout.ignored, name))

    @property
    def columns(self) -> tuple[str, ...] | None:
        """For each cell of ``rows`` the field it is ("" for none), or None when rows alone do not
        tell the values: templates, constants, one column for two fields."""
        shared = len(set(self.layout.places.values())) < len(self.layout.places)
        return None if shared or not self._mapping.plain else self.layout.fields

    def rows(self, position: Position | None = None) -> Generator[tuple[int, list[str]]]:
        """(line, cells) of every row that is not blank. ``cells`` is exactly a ``list`` with one
        text for each of ``columns``, each its own value; where anything is odd about a row it is
        an ``OddRow``, which only ``entry`` understands. Raises ManifestError for bytes that are
        not in the encoding."""
        skip: int | None = self._header_lines
        resumes = 0
        while skip is not None:
            with closing(self._run(skip, position, resumes < _RESUMES)) as run:
                skip = yield from run
            resumes += 1

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every row."""
        with closing(self.rows(position)) as rows:
            build = self._build.fast
            for number, (line, cells) in enumerate(rows, first):
                if type(cells) is list:
                    yield build(number, line, cells)
                else:
                    yield self.entry(number, line, cells)

    def entry(self, row: int, line: int, cells: list[str]) -> Entry:
        """One of ``rows`` as an Entry; ``row`` counts them from 1."""
        if isinstance(cells, OddRow):
            if cells.error:
                record = "\n".join(self.lines.between(line, cells.last))
                return self._build.unreadable(row, line, cells.error, record)
            return self._build.odd(row, line, cells)
        return self._build.fast(row, line, cells)

    def locate(self, entry: Entry, field: str) -> Place:
        """Where the cell of ``field`` begins; the row's beginning if no cell is its source."""
        index = self.layout.places.get(field)
        return locate_cell(self.lines, self.dialect, entry.place, index)

    def _run(
        self, skip: int, position: Position | None, resume: bool
    ) -> Generator[tuple[int, list[str]], None, int | None]:
        """Rows after ``skip`` lines. Returns the line of a record with broken quotes to go on
        behind, or None at the end."""
        suspicion = _Suspicion(self.name, self.encoding, position)
        with self._table(suspicion) as lines:
            next(islice(lines, skip, skip), None)
            reader = self.dialect.reader(lines)
            width = self._build.width
            last = skip
            while True:
                try:
                    for cells in reader:
                        line = last + 1
                        last = skip + reader.line_num
                        if len(cells) != width or suspicion.raised or not cells[0]:
                            found = self._look(cells)
                            if found is None:
                                continue
                            cells = found
                        yield line, cells
                    return None
                except csv.Error as error:
                    line = last + 1
                    last = skip + reader.line_num
                    yield line, OddRow([], _quoting(error), last)
                    if resume and last > line:
                        return line
                except UnicodeDecodeError as error:
                    raise undecodable(self.path, self.name, self.encoding) from error

    def _look(self, cells: list[str]) -> list[str] | None:
        """The row again, marked when it is odd; None when it is blank."""
        if not any(cells):
            return None
        if len(cells) != self._build.width or any(map(is_odd, cells)):
            return OddRow(cells)
        return cells

    def _table(
        self, suspicion: _Suspicion | None = None, errors: str = "strict"
    ) -> io.TextIOWrapper:
        stream = ByteStream(self.path, self.name, watch=suspicion or LineGuard(self.name))
        return io.TextIOWrapper(cast("BinaryIO", stream), self.encoding, errors, newline="")

    def _text(self) -> io.TextIOWrapper:
        return self._table(errors="replace")

    def _read_names(self) -> tuple[list[str], int, int]:
        """Header cells, lines up to its end, and the line it begins in."""
        skip = self.dialect.skip
        with self._table() as lines:
            next(islice(lines, skip, skip), None)
            reader: CsvReader = self.dialect.reader(lines)
            before = 0
            try:
                for cells in reader:
                    if any(cells):
                        cells += [""] * self.dialect.extra
                        return cells, skip + reader.line_num, skip + before + 1
                    before = reader.line_num
            except csv.Error as error:
                raise ManifestError(
                    f"{self.name}:{skip + before + 1}: the header cannot be read: "
                    f"{_quoting(error)}",
                    hint="check its quotes, or say --delimiter",
                    code="bad-header",
                ) from error
            except UnicodeDecodeError as error:
                raise undecodable(self.path, self.name, self.encoding) from error
        raise ManifestError(f"{self.name} is empty", code="empty")


def _quoting(error: csv.Error) -> str:
    """Python's words for broken quoting, in ours."""
    text = str(error)
    if "unexpected end" in text:
        return "a quoted cell is never closed"
    if "field limit" in text:
        return f"a cell is longer than {csv.field_size_limit():,} characters; is its quote closed?"
    if "expected after" in text:
        return "a quote inside a quoted cell is not doubled"
    return text
