"""The quick test of a table's row: cells that are surely right need no entry and no second look.

A row that fails is only suspicious: ``Checker.check`` then says what it is. Each column's test is
made once for each media type; cells of few different values (dates, lists, credits) are looked at
once and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ldimport.schema.advice import MANGLED
from ldimport.schema.check import MAX_TEXT, Checker
from ldimport.schema.findings import BadValue
from ldimport.schema.plugins import Kind
from ldimport.schema.urls import MAX_URL, PLAIN
from ldimport.schema.values import MetadataCheck, ValueCheck

RowTest = Callable[[list[str], int], bool]
_PREFIX = "metadata."
_REMEMBERED = 10_000
"""Cells remembered for one column."""


@dataclass(slots=True)
class _Column:
    """One column's cells under one media type. ``good``: cells known to be right; ``check`` is
    None where no text is right, since the media type lacks the property."""

    index: int
    check: ValueCheck | None
    good: set[str] = field(default_factory=set)

    def accepts(self, cell: str) -> bool:
        """Look at a cell that is not known yet."""
        if self.check is None or not cell:
            return False
        try:
            value = self.check.coerce(cell)
        except BadValue:
            return False
        if next(self.check.findings(value), None) is not None:
            return False
        if len(self.good) < _REMEMBERED:
            self.good.add(cell)
        return True


@dataclass(frozen=True, slots=True)
class _Tests:
    """The columns of one media type: ``texts`` are (index, most characters) of those where only
    length counts, ``others`` (index, good cells, column)."""

    texts: tuple[tuple[int, int], ...]
    others: tuple[tuple[int, set[str], _Column], ...]


def row_test(checker: Checker, columns: Sequence[str], file: str) -> RowTest:
    """A function of a row's cells and line. True: nothing is to be said about it, and its id is
    remembered. False: nothing was remembered, ``checker`` has to look."""
    places = {name: index for index, name in enumerate(columns) if name}
    id_, url = places["id"], places["url"]
    title, kind = places.get("fileName"), places.get("mediaType")
    if title is None or "metadata" in places:
        return lambda cells, line: False
    tests: dict[str, _Tests | None] = {}
    seen, default = checker.seen, checker.config.default_media_type
    is_plain_url, is_mangled = PLAIN.fullmatch, MANGLED.search

    def passes(cells: list[str], line: int) -> bool:
        name = cells[kind] if kind is not None else ""
        try:
            test = tests[name]
        except KeyError:
            test = tests[name] = _tests(checker, name or default, places)
        if test is None or not 0 < len(cells[title]) <= MAX_TEXT:
            return False
        for index, most in test.texts:
            if len(cells[index]) > most:
                return False
        for index, good, column in test.others:
            if cells[index] not in good and not column.accepts(cells[index]):
                return False
        address = cells[url]
        if is_plain_url(address) is None or len(address) > MAX_URL:
            return False
        whole = "\n".join(cells)
        if not whole.isascii() and is_mangled(whole):
            return False
        text = cells[id_]
        return _plain_id(text) and seen.add_new(text, file, line)

    return passes


def _plain_id(text: str) -> bool:
    return (
        0 < len(text) <= MAX_TEXT
        and text.isprintable()
        and text.isascii()
        and text[0] != " " != text[-1]
    )


def _tests(checker: Checker, handle: str, places: dict[str, int]) -> _Tests | None:
    """None when no row of this media type can pass: there is no such type, or a required
    property has no column."""
    check = checker.metadata_check(handle)
    if check is None or not _columns_suffice(check, places):
        return None
    texts: list[tuple[int, int]] = []
    others: list[tuple[int, set[str], _Column]] = []
    for name, index in places.items():
        if not name.startswith(_PREFIX):
            continue
        value = check.values.get(name.removeprefix(_PREFIX))
        most = None if value is None else _only_length(value)
        if most is not None:
            texts.append((index, most))
            continue
        column = _Column(index, value)
        if value is None or not value.property.required:
            column.good.add("")
        others.append((index, column.good, column))
    return _Tests(tuple(texts), tuple(others))


def _columns_suffice(check: MetadataCheck, places: dict[str, int]) -> bool:
    return all(
        _PREFIX + handle in places
        for handle, value in check.values.items()
        if value.property.required
    )


def _only_length(value: ValueCheck) -> int | None:
    """The most characters of a text that nothing else limits; None for all others. Counted in
    half, since an emoji counts twice in JavaScript: longer texts get the closer look."""
    found = value.property
    plain = found.kind is Kind.TEXT and found.plugin in (
        "li-text",
        "li-external-id",
        "li-media-handle",
    )
    limited = {"minLength", "recommendedMinLength", "recommendedMaxLength", "dataProvider"}
    if not plain or found.required or limited & found.config.keys():
        return None
    if found.config.get("allowNewlines") is False:
        return None
    most = found.number("maxLength")
    return 1 << 30 if most is None else int(most) // 2
