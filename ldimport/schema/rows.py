"""Tables, the quick way: cells that are surely right need no entry and no second look.

A row that fails is only suspicious: ``Checker.check`` then says what it is. Each column's test is
made once for each media type; cells of few different values (dates, lists, credits) are looked at
once and remembered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ldimport.model import MAX_NAME, Json, Place
from ldimport.schema.addresses import MAX_URL, PLAIN
from ldimport.schema.check import Checker, is_plain_id
from ldimport.schema.metadata import MetadataCheck
from ldimport.schema.nothing import LONGEST, NOTHING
from ldimport.schema.values import ValueCheck

_PREFIX = "metadata."
_is_plain_url = PLAIN.fullmatch


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

    def look(self, cells: list[str]) -> bool | None:
        """Whether a cell of a row that is right says that there is nothing; None: it may not be
        right."""
        unsaid = False
        for index, most in self.texts:
            size = len(cells[index])
            if size > most:
                return None
            if size <= LONGEST and cells[index] in NOTHING:
                unsaid = True
        for index, good, accepts in self.others:
            cell = cells[index]
            if cell and cell not in good:
                if not accepts(cell):
                    return None
                unsaid = unsaid or cell in NOTHING
        for index in self.required:
            if not cells[index]:
                return None
        for index in self.empty:
            if cells[index]:
                return None
        return unsaid


class QuickRows:
    """Of the rows of a file. ``id`` and ``url`` are the indexes of these cells."""

    def __init__(
        self, checker: Checker, columns: Sequence[str], places: dict[str, int], file: str, *,
        textual: bool,
    ) -> None:  # fmt: skip
        self.id, self.url = places["id"], places["url"]
        self._title, self._kind = places["fileName"], places.get("mediaType")
        self._checker, self._columns, self._places = checker, columns, places
        self._file, self._textual = file, textual
        self._tests: dict[str, _Tests] = {}
        apart = (self.id, self.url, self._kind)
        self._named = [index for index in places.values() if index not in apart]

    def passes(self, cells: list[str], line: int) -> bool:
        """True: nothing is to be said about this row, and its id is remembered. False: nothing was
        remembered, the checker has to look."""
        test, title = self._test(cells), cells[self._title]
        if test is None or not 0 < len(title) <= MAX_NAME:
            return False
        unsaid = test.look(cells)
        if unsaid is None:
            return False
        address, id_ = cells[self.url], cells[self.id]
        if _is_plain_url(address) is None or len(address) > MAX_URL:
            return False
        if is_plain_id(id_) is None or not self._checker.seen.add_new(id_, self._file, line):
            return False
        if unsaid or (len(title) <= LONGEST and title in NOTHING):
            self._say_nothing(cells, line)
        return True

    def fields(self, cells: list[str]) -> tuple[str, str, dict[str, Json]]:
        """fileName, media type and metadata of a row that ``passes``, as the checker would read
        them."""
        test = self._test(cells)
        assert test is not None
        metadata: dict[str, Json] = {}
        for handle, index, check in test.values:
            if cell := cells[index]:
                metadata[handle] = (
                    cell if check is None else check.value(cell, textual=self._textual)
                )
        return cells[self._title], test.handle, metadata

    def _test(self, cells: list[str]) -> _Tests | None:
        name = cells[self._kind] if self._kind is not None else ""
        try:
            return self._tests[name]
        except KeyError:
            checker = self._checker
            test = _tests(checker, checker.words.kind(name), self._places, self._textual)
            checker.defaulted |= not name
            if test is not None:  # names that mean nothing may be as many as rows
                self._tests[name] = test
            return test

    def _say_nothing(self, cells: list[str], line: int) -> None:
        for index in self._named:
            if cells[index] in NOTHING:
                place = Place(self._file, 0, line)
                self._checker.nothings.add(self._columns[index], cells[index], place)


def quick_rows(
    checker: Checker, columns: Sequence[str], file: str, textual: bool = True
) -> QuickRows | None:
    """For the rows of a file, ``textual`` where it has nothing but texts; None where each needs a
    closer look."""
    places = {name: index for index, name in enumerate(columns) if name}
    if "fileName" not in places or "metadata" in places or checker.words.translates:
        return None
    return QuickRows(checker, columns, places, file, textual=textual)


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
