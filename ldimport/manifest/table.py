"""Cells to entries: the fast way for rows as they should be, the careful way for all others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from unicodedata import is_normalized

from ldimport.cells import FORMULA
from ldimport.manifest.columns import Layout, column_index, metadata_handles
from ldimport.manifest.fields import PREFIX
from ldimport.manifest.findings import Findings, RowProblems
from ldimport.manifest.jsontext import big_numbers, parse_json, too_big
from ldimport.manifest.kinds import CsvDialect
from ldimport.manifest.normalise import compose
from ldimport.manifest.part import Lines
from ldimport.model import Entry, Json, Place
from ldimport.mojibake import is_whole

_PREFIXED = re.compile(f"'+{FORMULA}")
_AS_TEXT = re.compile('="((?:[^"]|"")*)"')
"""A cell such as ``="0042"``: how Excel is told to keep the zeros."""
_RECORD_LINES = 2_000


class OddRow(list[str]):
    """Cells that are not what they should be: wrong number, NUL, an apostrophe to take away,
    mangled, not NFC; or a record up to line ``last`` that could not be parsed (``error`` says
    why)."""

    __slots__ = ("error", "last")

    def __init__(self, cells: Sequence[str], error: str = "", last: int = 0) -> None:
        super().__init__(cells)
        self.error = error
        self.last = last


class TableRow(Mapping[str, Json]):
    """A row as it stands in the file: column -> cell. Holds no dict, since few rows are asked."""

    __slots__ = ("_cells", "_names")

    def __init__(self, names: tuple[str, ...], cells: Sequence[str]) -> None:
        self._names = names
        self._cells = cells

    def __getitem__(self, name: str) -> Json:
        try:
            return self._cells[self._names.index(name)]
        except (ValueError, IndexError):
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return islice(self._names, len(self._cells))

    def __len__(self) -> int:
        return min(len(self._names), len(self._cells))

    def __repr__(self) -> str:
        return f"TableRow({dict(self)!r})"


def is_odd(cell: str) -> bool:
    """Whether a cell is not simply its own value."""
    odd = "\0" in cell or bare(cell) is not cell
    if cell.isascii():
        return odd
    return odd or not is_whole(cell) or not is_normalized("NFC", cell)


def bare(cell: str) -> str:
    """A cell without what only spreadsheets need: the apostrophe before a formula, the equals
    sign and quotes around a text; the cell itself where there is neither."""
    first = cell[:1]
    if first == "'" and _PREFIXED.match(cell):
        return cell[1:]
    if first == "=" and (found := _AS_TEXT.fullmatch(cell)):
        return found[1].replace('""', '"')
    return cell


class Builder:
    """Makes entries of one table's rows."""

    def __init__(self, layout: Layout, findings: Findings, name: str) -> None:
        self._layout = layout
        self._findings = findings
        self._name = name
        self._mapping = findings.columns
        self.width = len(layout.names)
        simple = self._mapping.plain and "metadata" not in layout.places
        self.fast: Callable[[int, int, list[str]], Entry]
        self.fast = _fast(layout, name) if simple else self.odd

    def unreadable(self, row: int, line: int, error: str, record: str) -> Entry:
        """An entry for a record that is no row; ``original`` has its text as ``_record``."""
        problems = RowProblems(Place(self._name, row, line))
        hint = "double every quote inside a quoted cell, and close the cell"
        problems.add("bad-quotes", "", error, hint, record)
        original = {"_record": record}
        return Entry("", "", None, None, {}, problems.place, True, tuple(problems), original)

    def odd(self, row: int, line: int, cells: list[str]) -> Entry:
        """Any row, carefully."""
        problems = RowProblems(Place(self._name, row, line))
        raw = [bare(cell) for cell in cells]
        names = self._names(len(raw), problems)
        values = self._values(names, raw)
        for name, text in values.items():
            if "\0" in text:
                hint = "take it out; often the file is UTF-16: --encoding utf-16"
                problems.add("nul-byte", name, f"{name} holds a NUL byte", hint)
        metadata = _metadata(values, problems)
        id_ = values.get("id", "")
        return Entry(
            id_,
            values.get("url", ""),
            values.get("fileName") or None,
            values.get("mediaType") or None,
            metadata,
            problems.place,
            True,
            problems.of(id_),
            TableRow(names, raw),
        )

    def _names(self, width: int, problems: RowProblems) -> tuple[str, ...]:
        names = self._layout.names
        if width == self.width:
            return names
        message = f"the row has {width} cells, the header {self.width}"
        hint = "a delimiter or quote inside a cell? put the cell in quotes"
        problems.add("ragged-row", "", message, hint)
        return (*names, *(f"_more ({n})" for n in range(1, width - self.width + 1)))

    def _values(self, names: Sequence[str], raw: list[str]) -> dict[str, str]:
        """Field -> text, the fields that have one."""
        values: dict[str, str] = {}
        for name, index in self._layout.places.items():
            if index < len(raw) and raw[index]:
                values[name] = raw[index] if name in ("id", "url") else compose(raw[index])
        for name, template in self._mapping.templates.items():
            at = ((column, column_index(names, column)) for column in template.columns)
            cells = {c: raw[index] for c, index in at if index is not None and index < len(raw)}
            filled = template.fill(cells)
            values[name] = filled if name in ("id", "url") else compose(filled)
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
    handles = metadata_handles(at)
    names = layout.names

    def build(row: int, line: int, cells: list[str]) -> Entry:
        return Entry(
            cells[id_],
            cells[url],
            (cells[file_name] or None) if file_name is not None else None,
            (cells[media_type] or None) if media_type is not None else None,
            {handle: cell for handle, index in handles if (cell := cells[index])},
            Place(name, row, line),
            True,
            (),
            TableRow(names, cells),
        )

    return build


def _metadata(values: Mapping[str, str], problems: RowProblems) -> dict[str, Json]:
    """Metadata of a JSON cell, if there is one, and of the columns, which win."""
    cell = values.get("metadata")
    metadata = _object(cell, problems) if cell else {}
    own = {name[len(PREFIX) :]: text for name, text in values.items() if name.startswith(PREFIX)}
    return {**metadata, **own}


def _object(cell: str, problems: RowProblems) -> Mapping[str, Json]:
    before = len(problems)
    value = parse_json(cell, problems, "metadata")
    told = len(problems) > before
    for big in big_numbers(value):
        too_big(big, "metadata", problems)
    if isinstance(value, dict):
        return value
    if not told:
        hint = 'for example {"caption": "…"}'
        problems.add("wrong-type", "metadata", "metadata is not a JSON object", hint, cell)
    return {}


def locate_cell(lines: Lines, dialect: CsvDialect, place: Place, index: int | None) -> Place:
    """Line and column where cell ``index`` of the record at ``place`` has its first character
    (behind an opening quote); the record's beginning for None."""
    line, column = place.line, 1
    if index is not None:
        record = lines.between(place.line, place.line + _RECORD_LINES)
        line, column = _cell_start(record, dialect, index, place.line)
    return Place(place.file, place.row, line, column)


def _cell_start(
    record: Iterator[str], dialect: CsvDialect, index: int, line: int
) -> tuple[int, int]:
    begin, go_on = _cell_patterns(dialect)
    pattern = begin
    for number, text in enumerate(record, line):
        found = pattern.match(text)
        while found is not None:
            if pattern is begin and not index:
                return number, found.start("inner") + 1
            if not found["closed"] and (pattern is go_on or found["quote"]):
                pattern = go_on  # in the next line
                break
            if found.end() >= len(text):
                return number, len(text) + 1  # the row has no such cell
            index, pattern = index - 1, begin
            found = pattern.match(text, found.end() + 1)
    return line, 1


@cache
def _cell_patterns(dialect: CsvDialect) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """From the beginning of a cell to its end (its first character is at ``inner``), and from
    within one whose quote is open. ``closed`` is the closing quote, if the line has it."""
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    escape = re.escape(dialect.escape or "")
    escaped = f"{escape}.?" if escape else quote * 2
    behind = f"(?:{escaped}|[^{delimiter}])*+" if escape else f"[^{delimiter}]*+"
    within = f"(?:{escaped}|[^{quote}{escape}])*+(?P<closed>{quote})?+"
    blanks = " *+" if dialect.spaced else ""
    begin = f"{blanks}(?P<quote>{quote})?+(?P<inner>)(?(quote){within}){behind}"
    return re.compile(begin, re.DOTALL), re.compile(within + behind, re.DOTALL)
