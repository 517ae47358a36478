"""How a CSV is written: found out from a sample, read, and its cells found again."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from ldimport.manifest.fields import FieldMap, column_index, field_of

if TYPE_CHECKING:
    from _csv import Reader  # no public name before Python 3.14

DELIMITERS = ",;\t|"
SEP_LINE = re.compile(r"\ufeff?(\"?)sep=(.)\1\r?\n?", re.IGNORECASE)
"""The first line by which Excel is told the delimiter."""
_SAMPLE_ROWS = 200


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a CSV is written. ``escape`` is a backslash where quotes are escaped, not doubled;
    ``spaced``: blanks follow the delimiters; ``skip``: lines before the header (``sep=;``);
    ``extra``: empty cells at the end of every row that the header lacks."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    spaced: bool = False
    skip: int = 0
    extra: int = 0

    def reader(self, lines: Iterable[str]) -> Reader:
        """A strict ``csv.reader``: broken quoting raises csv.Error instead of mangling cells."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            skipinitialspace=self.spaced,
            strict=True,
        )

    def cell_start(self, record: Iterable[str], index: int, line: int) -> tuple[int, int]:
        """Line and column where cell ``index`` of a record that begins in ``line`` has its first
        character (behind an opening quote); the record's beginning if it has no such cell."""
        begin, go_on = _cell_patterns(self)
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


def detect_dialect(text: str, delimiter: str | None, mapping: FieldMap, cut: bool) -> CsvDialect:
    """The dialect in which the sample makes most sense; ``cut``: the sample ends anywhere."""
    skip = 0
    if sep := SEP_LINE.match(text):
        skip, text, delimiter = 1, text[sep.end() :], delimiter or sep[2]
    best = max(_candidates(text, delimiter), key=lambda each: _score(text, each, mapping, cut))
    return replace(best, skip=skip, extra=_extra(_sample_rows(text, best, cut)[0]))


def _candidates(text: str, delimiter: str | None) -> Iterator[CsvDialect]:
    """Plain ones first, since the first of equals wins."""
    lines = [line.strip() for line in text.splitlines()[:50] if line.strip()]
    first, *rest = lines or [""]
    single = all(len(line) > 1 and line[0] == line[-1] == "'" for line in rest)
    for each in delimiter or DELIMITERS:
        spaced = f'{each} "' in text
        if rest and single:  # but perhaps not the header
            yield CsvDialect(each, quote="'")
        yield CsvDialect(each)
        if spaced:
            yield CsvDialect(each, spaced=True)
        if '\\"' in text:
            yield CsvDialect(each, escape="\\", spaced=spaced)
        if first.startswith("'") and first.endswith("'"):
            yield CsvDialect(each, quote="'")


def _score(text: str, dialect: CsvDialect, mapping: FieldMap, cut: bool) -> tuple[float, ...]:
    """Known columns, then how many rows have as many cells as the header, then how many."""
    rows, broken = _sample_rows(text, dialect, cut)
    if not rows:
        return (-1.0,)
    header = rows[0]
    known = {name for cell in header if (name := field_of(cell)) in ("id", "url", "fileName")}
    mapped = [c for c in mapping.columns.values() if column_index(header, c) is not None]
    right = Counter(map(len, rows))[len(header)] / (len(rows) + broken)
    return (len(known) + len(mapped), right if len(header) > 1 else 0.0, len(header))


def _extra(rows: list[list[str]]) -> int:
    """How many empty cells end every row but the header: some programs write a delimiter behind
    the last cell. One row that has none, or has a text there, and they are odd rows as any."""
    if len(rows) < 3:  # one row alone may just as well hold an unquoted delimiter
        return 0
    header, *others = rows
    width = len(others[0])
    more = width - len(header)
    every = more > 0 and all(len(row) == width and not any(row[-more:]) for row in others)
    return more if every else 0


def _sample_rows(text: str, dialect: CsvDialect, cut: bool) -> tuple[list[list[str]], int]:
    """The first rows, without a cut one, and how many could not be parsed."""
    reader = dialect.reader(io.StringIO(text, newline=""))
    rows: list[list[str]] = []
    broken = 0
    while len(rows) + broken < _SAMPLE_ROWS:
        try:
            if row := next(reader):
                rows.append(row)
        except StopIteration:
            return (rows[:-1] or rows) if cut else rows, broken
        except csv.Error:
            broken += 1
    return rows, broken
