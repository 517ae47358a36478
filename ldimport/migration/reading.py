"""One pass over the rows of a manifest: checked, and read as far as it takes to look them up; and
the rows that a pass picked, read again."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from ldimport import wire
from ldimport.manifest.streams import RowsOfFile
from ldimport.migration.account import Tick
from ldimport.migration.batch import Outgoing, content_digest
from ldimport.migration.source import Source
from ldimport.migration.validate import Collector
from ldimport.model import MAX_BATCH_BYTES, Entry, Image, Place
from ldimport.schema.check import Checker
from ldimport.schema.rows import QuickRows, quick_rows

_T = TypeVar("_T")


class ValidRow(NamedTuple):
    """A row without errors: the ``outgoing`` image, or the ``cells`` to make one of."""

    id: str
    file: str
    row: int
    line: int
    outgoing: Outgoing | None
    cells: list[str]

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place(self.file, self.row, self.line, 1)


class Reading:
    """Yields the valid rows of a source. ``collector`` hears of all rows; ``tick`` gets the bytes
    read so far; of ``picked`` rows no others are looked at. Those of a single file that pass the
    quick test never become entries: about most of an archive nothing is to be done."""

    def __init__(
        self,
        source: Source,
        checker: Checker,
        collector: Collector | None = None,
        tick: Tick | None = None,
        picked: Picked | None = None,
    ) -> None:
        self._source, self._checker = source, checker
        self._collector, self._tick, self._picked = collector, tick, picked
        self._table, self._quick = source.table, None
        if (table := self._table) is not None:
            columns = table.columns or ()
            self._quick = quick_rows(checker, columns, table.name, table.textual)

    def __iter__(self) -> Iterator[ValidRow]:
        if self._table is not None and self._quick is not None:
            return self._of_table(self._table, self._quick)
        return self._of_entries()

    def _of_entries(self) -> Iterator[ValidRow]:
        entries = self._source.manifest.entries(self._tick)
        if self._picked is not None:
            entries = self._picked.of(entries, lambda entry: entry.place.row)
        for entry in entries:
            if (row := self._valid(entry)) is not None:
                yield row

    def _of_table(self, table: RowsOfFile, quick: QuickRows) -> Iterator[ValidRow]:
        name, passes, id_ = table.name, quick.passes, quick.id
        collector = self._collector
        self._source.manifest.check_unchanged()
        rows: Iterator[tuple[int, tuple[int, list[str]]]] = enumerate(table.rows(self._tick), 1)
        if self._picked is not None:
            rows = self._picked.of(rows, lambda numbered: numbered[0])
        for number, (line, cells) in rows:
            if type(cells) is list and passes(cells, line):
                if collector is not None:
                    collector.entries += 1
                yield ValidRow(cells[id_], name, number, line, None, cells)
            elif row := self._valid(table.entry(number, line, cells)):
                yield row

    def _valid(self, entry: Entry) -> ValidRow | None:
        checked = self._source.checked(self._checker, entry)
        if self._collector is not None:
            self._collector.add(checked)
        if checked.image is None:
            return None
        file, row, line, _ = checked.entry.place
        return ValidRow(checked.image.id, file, row, line, self._source.outgoing(checked), [])

    def fingerprint(self, row: ValidRow) -> bytes:
        """That of the image, which need not be made for it."""
        if row.outgoing is not None or self._quick is None:
            return self.outgoing(row).fingerprint
        return content_digest(*self._quick.fields(row.cells), row.cells[self._quick.url])

    def weigh(self, row: ValidRow) -> tuple[str, int]:
        """The url, and ``Outgoing.size``."""
        if row.outgoing is not None or self._quick is None:
            each = self.outgoing(row)
            return each.image.url, each.size
        url = row.cells[self._quick.url]
        return url, len(wire.entry_body(row.id, *self._quick.fields(row.cells), url)) + 1

    def outgoing(self, row: ValidRow) -> Outgoing:
        """The image, ready to be put into a batch."""
        quick, table = self._quick, self._table
        if row.outgoing is not None or quick is None or table is None:
            assert row.outgoing is not None
            return row.outgoing
        name, kind, metadata = quick.fields(row.cells)
        image = Image(row.id, row.cells[quick.url], name, metadata, kind)
        return Outgoing.of(image, row.row, row.line, table.original(row.cells))


class Picked:
    """Rows that are to be sent, in their order, by number: a run of them costs as much as one. As
    long as they fit into one batch they are kept themselves, and need not be read again."""

    def __init__(self) -> None:
        self._runs = array("Q")  # the first one of a run, and the one behind it
        self._kept: list[Outgoing] = []
        self._size = 0

    def add(self, reading: Reading, row: ValidRow, size: int) -> None:
        """The next one, which has so many bytes in a request."""
        number = row.row
        if self._runs and self._runs[-1] == number:
            self._runs[-1] += 1
        else:
            self._runs.extend((number, number + 1))
        self._size += size
        if self._size > MAX_BATCH_BYTES:
            self._kept.clear()
        else:
            self._kept.append(reading.outgoing(row))

    def outgoing(self, source: Source) -> Iterator[Outgoing]:
        """Their images."""
        if self._size <= MAX_BATCH_BYTES:
            yield from self._kept
            return
        reading = Reading(source, source.checker(again=True), picked=self)
        yield from map(reading.outgoing, reading)

    def of(self, rows: Iterable[_T], number: Callable[[_T], int]) -> Iterator[_T]:
        """Those among all rows; what follows the last one is not read."""
        runs = iter(self._runs)
        first = behind = 0
        for each in rows:
            row = number(each)
            while row >= behind:
                if (first := next(runs, 0)) == 0:
                    return
                behind = next(runs)
            if row >= first:
                yield each
