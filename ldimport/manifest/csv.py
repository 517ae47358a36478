"""Tables: CSV in any dialect, row by row at the speed of ``csv.reader``: the fast way to entries
for rows as they should be, the careful way for all others.

Cells that ``cells.safe_cell`` wrote (``'=1+1``) lose the apostrophe that it put there.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice, takewhile

from ldimport.cells import bare_cell
from ldimport.errors import ManifestError
from ldimport.manifest.fields import PREFIX, Layout, ignored_text, layout
from ldimport.manifest.kinds import Detected, Findings, RowProblems, TableRow
from ldimport.manifest.streams import Part, Position, SourceFile, buffered, undecodable
from ldimport.manifest.texts import check_numbers, compose, parse_json, surely_composed
from ldimport.model import Entry, Json, Place
from ldimport.mojibake import is_whole, surely_whole

LONGEST_LINE = 32 << 20
"""Bytes of one line of a table at most: lines are read whole."""
_GUARDED_BYTES = re.compile(
    rb"'(?:[\x00-\x20\"\x7f-\xaf\xb9-\xbf\xc2\xd8\xe1-\xe3\xef]*(?:[=+\-@]|::|\xef[\xb9\xbc])"
    rb"|[\t\r\n\x0b\x0c\x1c-\x1e\x85]|\xc2\x85|\xe2\x80[\xa8\xa9])|##'|section_(?:start|end)'"
)
"""What ``bare_cell`` takes away, in any encoding that contains ASCII; may find more."""
_AS_TEXT_BYTES = re.compile(rb'(?<!\w)="')
"""Where a cell such as ``="0042"`` may begin; attributes of HTML, which captions hold, do not."""
_RESUMES = 20
"""How often a pass goes back to the line after an unclosed quote; each costs a partial pass."""
_WESTERN = {"cp1252", "cp1250", "latin-1", "iso8859-1", "iso8859-15", "ascii"}
_OVERLAP = 64
_RECORD_LINES = 2_000
_LOOKED_AT = 5_000
_MOST_ADDED = 200
"""Empty cells added to a short row at most; a header may have a million columns."""


class OddRow(list[str]):
    """Cells that are not what they should be: wrong number, NUL, an apostrophe to take away,
    mangled, not NFC; or a record that could not be parsed (``error`` says why). It ends in line
    ``last``; ``fits``: the cells that it lacks are empty ones."""

    __slots__ = ("error", "fits", "last")

    def __init__(self, cells: Sequence[str], last: int, error: str = "") -> None:
        super().__init__(cells)
        self.error, self.fits, self.last = error, False, last


def _is_odd(cell: str) -> bool:
    """Whether a cell is not simply its own value."""
    dressed = bare_cell(cell) is not cell
    return "\0" in cell or dressed or compose(cell) is not cell or not is_whole(cell)


class _Suspicion:
    """Watches chunks of bytes for what needs a second look, cell by cell; once found, for good.
    Stops at a line that would fill the memory."""

    def __init__(self, name: str, encoding: str, position: Position | None) -> None:
        self._utf8 = encoding.startswith("utf-8")
        self.raised = not self._utf8 and encoding not in _WESTERN
        self._name = name
        self._position = position
        self._end = b""
        self._length = 0

    def __call__(self, chunk: bytes, position: int) -> None:
        """Raises ManifestError when too much came since the last line break."""
        if (end := chunk.rfind(b"\n")) < 0:
            end = chunk.rfind(b"\r")
        self._length = len(chunk) - end - 1 if end >= 0 else self._length + len(chunk)
        if self._length > LONGEST_LINE:
            message = f"{self._name} has a line of more than {LONGEST_LINE >> 20} MB"
            hint = "is it a table at all? save it as CSV, each row on a line of its own"
            raise ManifestError(message, hint=hint, code="too-large")
        if not self.raised:
            chunk = self._end + chunk
            odd = not surely_whole(chunk, utf8=self._utf8)
            odd = odd or bool(b"'" in chunk and _GUARDED_BYTES.search(chunk))
            odd = odd or bool(b'="' in chunk and _AS_TEXT_BYTES.search(chunk))
            self.raised = odd or (self._utf8 and not surely_composed(chunk))
            self._end = chunk[-_OVERLAP:]
        if self._position is not None:
            self._position(position)


class Table(Part):
    """One CSV file; ``layout`` says which cell is which field. Raises ManifestError when the header
    cannot be used, or no row follows it."""

    newline = ""
    textual = True

    def __init__(self, source: SourceFile, detected: Detected, findings: Findings) -> None:
        super().__init__(source, detected, findings)
        assert detected.dialect is not None
        self.dialect = detected.dialect
        name = source.name
        self._mapping = findings.columns
        self._width = -1  # every row is odd, until the header is known
        self._needed = 0
        line, header = self._read_names()
        self.header_lines = header.last
        self.layout = layout(header, self._mapping, name, line)
        self.names = tuple(self.layout.names)
        self._width = len(self.names)
        places = self.layout.places
        self._needed = 1 + max(places.get("id", 0), places.get("url", 0))
        simple = self._mapping.plain and "metadata" not in self.layout.places
        self._build: Callable[[int, int, list[str]], Entry]
        self._build = _fast(self.layout, name) if simple else self._careful
        if next(self.rows(), None) is None:
            raise ManifestError(f"{name} has a header but no rows", code="no-rows")
        findings.taken(self.layout.taken, name)
        if self.layout.ignored:
            findings.notice("unknown-columns", ignored_text(self.layout.ignored, name))

    @property
    def columns(self) -> tuple[str, ...] | None:
        """For each cell of ``rows`` the field it is ("" for none), or None when rows alone do not
        tell the values: templates, constants, one column for two fields."""
        fields = {index: name for name, index in self.layout.places.items()}
        if len(fields) < len(self.layout.places) or not self._mapping.plain:
            return None
        return tuple(fields.get(index, "") for index in range(self._width))

    def column_of(self, field: str) -> str | None:
        """The name of the column that is this field."""
        at = self.layout.places.get(field)
        return None if at is None else self.names[at]

    def rows(
        self, position: Position | None = None, *, skip: int | None = None
    ) -> Generator[tuple[int, list[str]]]:
        """(line, cells) of every row that is not blank. ``cells`` is exactly a ``list`` with one
        text for each of ``columns``, each its own value; where anything is odd about a row it is
        an ``OddRow``, which only ``entry`` understands. ``skip``: lines left out, else those down
        to the header. Raises ManifestError for bytes that are not in the encoding."""
        skip = skip or self.header_lines
        self._findings.fitted.pop(self.name, None)
        resumes = 0
        while skip is not None:
            with closing(self._run(skip, position, resumes < _RESUMES)) as run:
                skip = yield from run
            resumes += 1

    def cells(self, fields: Collection[str]) -> Iterator[tuple[str, Counter[str]]]:
        """By field its cells and how many of each, a few thousand rows at a time."""
        made = {*self._mapping.templates, *self._mapping.constants}
        if not made.isdisjoint(fields) or "metadata" in self.layout.places:
            yield from super().cells(fields)
            return
        places = [(name, at) for name, at in self.layout.places.items() if name in fields]
        if places:
            with closing(self._plain_rows()) as rows:
                while some := list(islice(rows, _LOOKED_AT)):
                    for name, at in places:
                        yield name, Counter([row[at] for row in some if at < len(row)])

    def _plain_rows(self) -> Generator[list[str]]:
        """Rows as they stand, at twice the speed of ``rows``: for what cells hold on the whole."""
        suspicion = _Suspicion(self.name, self.encoding, None)
        suspicion.raised = True  # nobody asks what is odd
        last = skip = self.header_lines
        stream = buffered(self.path, self.name, watch=suspicion)
        with io.TextIOWrapper(stream, self.encoding, newline="") as lines:
            next(islice(lines, skip, skip), None)
            reader = self.dialect.reader(lines)
            try:
                for row in reader:
                    yield row
                    last = skip + reader.line_num
                return
            except csv.Error:
                pass
            except UnicodeDecodeError as error:
                raise undecodable(self.path, self.name, self.encoding) from error
        with closing(self.rows(skip=last)) as rows:  # the slow way gets over broken quotes
            for _, row in rows:
                yield row

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every row."""
        with closing(self.rows(position)) as rows:
            build, odd = self._build, self.entry
            for number, (line, cells) in enumerate(rows, first):
                yield (build if type(cells) is list else odd)(number, line, cells)

    def entry(self, row: int, line: int, cells: list[str]) -> Entry:
        """One of ``rows`` as an Entry; ``row`` counts them from 1."""
        if isinstance(cells, OddRow):
            return (self._unreadable if cells.error else self._careful)(row, line, cells)
        return self._build(row, line, cells)

    def original(self, cells: list[str]) -> TableRow:
        """One of ``rows`` that is not odd, by the names of its columns."""
        return TableRow(self.layout.names, cells)

    def _start(self, place: Place, field: str) -> tuple[int, int]:
        index = self.layout.places.get(field, self.layout.names.get(field))  # or a column
        if index is None:
            return place.line, 1
        record = self.lines.between(place.line, place.line + _RECORD_LINES)
        return self.dialect.cell_start(record, index, place.line)

    def _run(
        self, skip: int, position: Position | None, resume: bool
    ) -> Generator[tuple[int, list[str]], None, int | None]:
        """Rows after ``skip`` lines. Returns the line of a record with broken quotes to go on
        behind, or None at the end."""
        suspicion = _Suspicion(self.name, self.encoding, position)
        stream = buffered(self.path, self.name, watch=suspicion)
        with io.TextIOWrapper(stream, self.encoding, newline="") as lines:
            next(islice(lines, skip, skip), None)
            reader = self.dialect.reader(lines)
            width = self._width
            last = skip
            held: tuple[int, OddRow] | None = None
            while True:
                try:
                    for cells in reader:
                        line = last + 1
                        last = skip + reader.line_num
                        unclear = suspicion.raised or last > line  # a cell with line ends
                        if len(cells) != width or unclear or not cells[0]:
                            if not any(cells) or cells == ["\x1a"]:
                                continue
                            if len(cells) != width or any(map(_is_odd, cells)):
                                cells = OddRow(cells, last)
                        elif held is None:
                            yield line, cells
                            continue
                        if held is not None:
                            yield self._settled(*held, cells)
                            held = None
                        if type(cells) is OddRow and self._needed <= len(cells) < width:
                            held = line, cells
                        else:
                            yield line, cells
                    if held is not None:
                        yield self._settled(*held, [])
                    return None
                except csv.Error as error:
                    if held is not None:
                        yield self._settled(*held, [])
                        held = None
                    line = last + 1
                    last = skip + reader.line_num
                    yield line, OddRow([], last, _quoting(error))
                    if resume and last > line:
                        return line
                except UnicodeDecodeError as error:
                    raise undecodable(self.path, self.name, self.encoding) from error

    def _settled(self, line: int, cells: OddRow, following: list[str]) -> tuple[int, list[str]]:
        """A short row: cells left out at its end are empty ones. Unless a line break without quotes
        tore it: then what follows is no row of its own, and both stay as they are."""
        url = self.layout.places.get("url")
        torn = bool(following) and len(following) < self._needed
        if following and not torn and url is not None and "://" in cells[url]:
            torn = len(following) < self._width and "://" not in following[url]
        if torn:
            return line, cells
        self._findings.fitted[self.name] += 1
        lacking = self._width - len(cells)
        if lacking > _MOST_ADDED or any(map(_is_odd, cells)):
            cells.fits = True
            return line, cells
        return line, [*cells, *[""] * lacking]

    def _read_names(self) -> tuple[int, OddRow]:
        """The line in which the header begins, and its cells."""
        with closing(self._run(self.dialect.skip, None, resume=False)) as run:
            for line, cells in run:
                assert isinstance(cells, OddRow)
                if cells.error:
                    message = f"{self.name}:{line}: the header cannot be read: {cells.error}"
                    hint = "check its quotes, or say --delimiter"
                    raise ManifestError(message, hint=hint, code="bad-header")
                cells += [""] * self.dialect.extra
                return line, cells
        raise ManifestError(f"{self.name} is empty", code="empty")

    def _unreadable(self, row: int, line: int, cells: OddRow) -> Entry:
        """An entry for a record that is no row; ``original`` has its text as ``_record``."""
        problems = RowProblems(Place(self.name, row, line))
        record = "\n".join(self.lines.between(line, cells.last))
        hint = "double every quote inside a quoted cell, and close the cell"
        problems.add("bad-quotes", "", cells.error, hint, record)
        return problems.entry({"_record": record}, textual=True)

    def _careful(self, row: int, line: int, cells: list[str]) -> Entry:
        """Any row that could be parsed."""
        problems = RowProblems(Place(self.name, row, line))
        raw = [bare_cell(cell) for cell in cells]
        fits = len(raw) == self._width or (isinstance(cells, OddRow) and cells.fits)
        names = self.layout.names if fits else self._row_names(len(raw), problems)
        values = self._values(raw)
        hint = "take it out; often the file is UTF-16: --encoding utf-16"
        for name in (name for name, text in values.items() if "\0" in text):
            problems.add("nul-byte", name, f"{name} holds a NUL byte", hint)
        metadata = _metadata(values, problems)
        id_, url = values.get("id", ""), values.get("url", "")
        title, kind = values.get("fileName") or None, values.get("mediaType") or None
        told, original = problems.of(id_), TableRow(names, raw)
        return Entry(id_, url, title, kind, metadata, problems.place, True, told, original)

    def _row_names(self, width: int, problems: RowProblems) -> Mapping[str, int]:
        names = self.layout.names
        message = f"the row has {width} cell{'s' * (width != 1)}, the header {self._width}"
        hint = "a delimiter, quote or line break inside a cell? put the cell in quotes"
        problems.add("ragged-row", "", message, hint)
        more = range(self._width, width)
        return names | {f"_more ({n - self._width + 1})": n for n in more} if more else names

    def _values(self, raw: list[str]) -> dict[str, str]:
        """Field -> text, the fields that have one."""
        there = takewhile(lambda place: place[1] < len(raw), self.layout.places.items())
        values = {name: raw[index] for name, index in there}
        templated = self.layout.templated.items()
        cells = {column: raw[index] for column, index in templated if index < len(raw)}
        for name, template in self._mapping.templates.items():
            values[name] = template.fill(cells)
        for name in values.keys() - {"id", "url"}:
            values[name] = compose(values[name])
        for name, text in self._mapping.constants.items():
            if not values.get(name):
                values[name] = text
            elif values[name] != text:
                self._findings.kept[name] += 1
        return {name: text for name, text in values.items() if text}


def _fast(layout: Layout, name: str) -> Callable[[int, int, list[str]], Entry]:
    """A function for rows with the right number of cells that need no second look. Every
    microsecond in it costs a second on a million rows."""
    at = layout.places
    id_, url = at["id"], at["url"]
    file_name, media_type = at.get("fileName"), at.get("mediaType")
    handles = [(f[len(PREFIX) :], index) for f, index in at.items() if f.startswith(PREFIX)]
    names = layout.names

    def build(row: int, line: int, cells: list[str]) -> Entry:
        title = (cells[file_name] or None) if file_name is not None else None
        kind = (cells[media_type] or None) if media_type is not None else None
        metadata = {handle: cell for handle, index in handles if (cell := cells[index])}
        place, original = Place(name, row, line), TableRow(names, cells)
        return Entry(cells[id_], cells[url], title, kind, metadata, place, True, (), original)

    return build


def _metadata(values: Mapping[str, str], problems: RowProblems) -> dict[str, Json]:
    """Metadata of a JSON cell, if there is one, and of the columns, which win."""
    metadata: dict[str, Json] = {}
    if cell := values.get("metadata"):
        before = len(problems)
        found = parse_json(cell, problems, "metadata")
        told = len(problems) > before
        check_numbers(found, "metadata", problems)
        if isinstance(found, dict):
            metadata = found
        elif not told:
            hint = 'for example {"caption": "…"}'
            problems.add("wrong-type", "metadata", "metadata is not a JSON object", hint, cell)
    own = {name[len(PREFIX) :]: text for name, text in values.items() if name.startswith(PREFIX)}
    return metadata | own


_QUOTING = {
    "unexpected end": "a quoted cell is never closed",
    "field limit": f"a cell is longer than {csv.field_size_limit():,} characters; is its quote "
    "closed?",
    "expected after": "a quote inside a quoted cell is not doubled",
}
"""Python's words for broken quoting, and ours."""


def _quoting(error: csv.Error) -> str:
    return next((ours for theirs, ours in _QUOTING.items() if theirs in str(error)), str(error))
