"""Tables, the quick way: cells that are surely right need no entry and no second look.

A row that fails is only suspicious: ``Checker.check`` then says what it is. Each column's test is
made once for each media type; cells of few different values (dates, lists, credits) are looked at
once and remembered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from ldimport.model import MAX_NAME, Json, Place
from ldimport.schema.addresses import MAX_URL, PLAIN
from ldimport.schema.check import Checker, is_plain_id
from ldimport.schema.metadata import MetadataCheck
from ldimport.schema.nothing import LONGEST, NOTHING
from ldimport.schema.values import ValueCheck

RowTest = Callable[[list[str], int], bool]
"""Of a row's cells and line. True: nothing is to be said about it, and its id is remembered.
False: nothing was remembered, the checker has to look."""
_PREFIX = "metadata."


@dataclass(frozen=True, slots=True)
class _Tests:
    """The columns of one media type: ``texts`` are (index, most characters) of those where only
    length counts, ``others`` (index, cells known to be right, and how others are looked at),
    ``required`` and ``empty`` those that must have a value, or none; ``values``: its handle, and
    those of its properties, each with its index and, where a cell is not its value, what reads it.
    """

    handle: str
    values: tuple[tuple[str, int, ValueCheck | None], ...]
    texts: tuple[tuple[int, int], ...]
    others: tuple[tuple[int, Mapping[str, Json], Callable[[str], bool]], ...]
    required: tuple[int, ...]
    empty: tuple[int, ...]


class QuickRows(NamedTuple):
    """``id`` and ``url`` are the indexes of these cells; ``fields`` reads of a row that ``passes``
    its fileName, its media type and its metadata, as the checker would."""

    passes: RowTest
    fields: Callable[[list[str]], tuple[str, str, dict[str, Json]]]
    id: int
    url: int


def quick_rows(
    checker: Checker, columns: Sequence[str], file: str, textual: bool = True
) -> QuickRows | None:
    """For the rows of a file, ``textual`` where it has nothing but texts; None where each needs a
    closer look."""
    places = {name: index for index, name in enumerate(columns) if name}
    id_, url = places["id"], places["url"]
    title, kind = places.get("fileName"), places.get("mediaType")
    if title is None or "metadata" in places or checker.words.translates:
        return None
    tests: dict[str, _Tests] = {}
    seen = checker.seen
    is_plain_url = PLAIN.fullmatch
    named = [index for name, index in places.items() if index not in (id_, url, kind)]

    def test_of(cells: list[str]) -> _Tests | None:
        name = cells[kind] if kind is not None else ""
        try:
            return tests[name]
        except KeyError:
            test = _tests(checker, checker.words.kind(name), places, textual)
            checker.defaulted |= not name
            if test is not None:  # names that mean nothing may be as many as rows
                tests[name] = test
            return test

    def passes(cells: list[str], line: int) -> bool:
        test = test_of(cells)
        if test is None or not 0 < len(cells[title]) <= MAX_NAME:
            return False
        unsaid = False
        for index, most in test.texts:
            size = len(cells[index])
            if size > most:
                return False
            if size <= LONGEST and cells[index] in NOTHING:
                unsaid = True
        for index, good, accepts in test.others:
            cell = cells[index]
            if cell and cell not in good:
                if not accepts(cell):
                    return False
                unsaid = unsaid or cell in NOTHING
        for index in test.required:
            if not cells[index]:
                return False
        for index in test.empty:
            if cells[index]:
                return False
        address = cells[url]
        if is_plain_url(address) is None or len(address) > MAX_URL:
            return False
        text = cells[id_]
        if is_plain_id(text) is None or not seen.add_new(text, file, line):
            return False
        if unsaid or (len(cells[title]) <= LONGEST and cells[title] in NOTHING):
            for index in named:
                if cells[index] in NOTHING:
                    checker.nothings.add(columns[index], cells[index], Place(file, 0, line))
        return True

    def fields(cells: list[str]) -> tuple[str, str, dict[str, Json]]:
        test = test_of(cells)
        assert test is not None
        metadata: dict[str, Json] = {}
        for handle, index, check in test.values:
            if cell := cells[index]:
                metadata[handle] = cell if check is None else check.value(cell, textual=textual)
        return cells[title], test.handle, metadata

    return QuickRows(passes, fields, id_, url)


def _leave_out(check: MetadataCheck, handle: str, _cell: str) -> bool:
    check.left_out.add(handle)
    return True


def _tests(checker: Checker, handle: str, places: dict[str, int], textual: bool) -> _Tests | None:
    """None when no row of this media type can pass: there is no such type, or a required
    property has no column."""
    check = checker.metadata_check(handle)
    if check is None or not all(_PREFIX + name in places for name in check.required):
        return None
    kind, texts, empty = handle, [], []
    values: list[tuple[str, int, ValueCheck | None]] = []
    others: list[tuple[int, Mapping[str, Json], Callable[[str], bool]]] = []
    for name, index in places.items():
        if not name.startswith(_PREFIX):
            continue
        handle = name.removeprefix(_PREFIX)
        value = check.values.get(handle)
        if value is None and handle in check.common:
            others.append((index, {}, partial(_leave_out, check, handle)))
        elif value is None:
            empty.append(index)
        elif value.any_text is not None:
            texts.append((index, value.any_text))
            values.append((handle, index, None))
        else:
            accepts = partial(value.accepts, textual=textual)
            others.append((index, value.right(textual=textual), accepts))
            values.append((handle, index, value))
    required = tuple(places[_PREFIX + name] for name in check.required)
    return _Tests(kind, tuple(values), tuple(texts), tuple(others), required, tuple(empty))
