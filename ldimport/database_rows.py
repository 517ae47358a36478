"""What our SQLite files hold: is all of it there; and from rows to dataclasses, by names of fields.
What does not fit was never written there, and is damage."""

import sqlite3
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, wraps
from inspect import isfunction, isgeneratorfunction
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_type_hints

from ldimport.database import DatabaseKind, in_memory

_PARTS = """SELECT m.type || ' ' || m.name || coalesce(' with its column ' || c.name, '')
  FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table'
 WHERE m.sql IS NOT NULL AND m.name NOT LIKE 'sqlite%'"""


@cache
def _parts(kind: DatabaseKind) -> frozenset[str]:
    with closing(in_memory(kind)) as whole:
        return frozenset(name for (name,) in whole.execute(_PARTS))


def check_whole(connection: sqlite3.Connection, path: Path, kind: DatabaseKind) -> None:
    """Raise StateFileError where a table, a column or an index is missing: what never asks for it
    would tell less than there was."""
    there = {name for (name,) in connection.execute(_PARTS)}
    if lost := sorted(_parts(kind) - there):
        text = f"the {kind.name} {path} is damaged: its {lost[0]} is missing"
        raise kind.error(text, "state-damaged")


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"


def misfits(connection: sqlite3.Connection, kind: DatabaseKind) -> Sequence[str]:
    """The columns in which values stand that are of no kind which is ever written there."""
    found = []
    with closing(in_memory(kind)) as whole:
        for (table,) in whole.execute(_TABLES):
            columns = whole.execute(f"PRAGMA table_info({table})").fetchall()
            sums = (
                f"total(typeof({each['name']}) NOT IN ('{each['type'].lower()}', 'null'))"
                for each in columns
            )
            counts = connection.execute(f"SELECT {', '.join(sums)} FROM {table}").fetchone()  # noqa: S608
            wrong = (each["name"] for each, n in zip(columns, counts, strict=True) if n)
            found += [f"{table}.{name} holds what cannot be there" for name in wrong]
    return found


def steps_of(column: str, bounds: Iterable[int]) -> str:
    """SQL: how many of these bounds a column's value reaches, to count by bins."""
    return " + ".join(f"({column} >= {int(each)})" for each in bounds)


# -- from a row of a query to a dataclass ---------------------------------------------------------

_T = TypeVar("_T")
_Kind = TypeVar("_Kind", bound=type)
_Reader = Callable[[sqlite3.Row], Any]
_PLAIN: Mapping[Any, tuple[type, ...]] = {
    str: (str,), int: (int,), float: (float, int), bytes: (bytes,)
}  # fmt: skip
_OF_VALUES = (ValueError, TypeError, LookupError, AttributeError)
"""What Python calls a value of which nothing can be made."""
_FARTHEST = 1e12
"""No time of ours lies beyond it, in seconds."""


def made(kind: type[_T], row: sqlite3.Row, **given: object) -> _T:
    """A ``kind`` from the columns that are called as its fields; a field that is a dataclass is
    made of the same row. ``given`` fields are not looked for. Raises ValueError for a value that
    such a field never has."""
    readers = _readers(cast("Hashable", kind))
    return kind(**{name: read(row) for name, read in readers if name not in given}, **given)


def made_each(kind: type[_T], found: sqlite3.Cursor) -> Iterator[_T]:
    """A ``kind``, which is a NamedTuple, from each row of a statement whose columns are its fields,
    in their order: for rows by the million, which are looked at column by column. Raises ValueError
    as ``made`` does."""
    found.row_factory = None
    columns = [_column(name, hint) for name, hint in get_type_hints(kind).items()]
    most = 50
    while rows := found.fetchmany(most):
        pairs = zip(columns, zip(*rows, strict=True), strict=True)
        yield from map(kind, *(read(values) for read, values in pairs))
        most = 1_000


def _column(name: str, hint: Any) -> Callable[[Sequence[Any]], Iterable[Any]]:
    """Reads a column of so many rows."""
    optional, hint = _optional(hint)
    fits = {*_fitting(hint), *([NoneType] if optional else [])}
    known = {each.value: each for each in hint} if issubclass(hint, Enum) else None

    def read(values: Sequence[Any]) -> Iterable[Any]:
        if not fits.issuperset(map(type, values)):
            raise ValueError(f"{name} cannot be what stands there")
        if hint is bool:
            return map(bool, values)
        return values if known is None else [each and known[each] for each in values]

    return read


class ColumnTypes:
    """The types of a statement's first columns, and how many more there are, for rows too many
    for ``made``: what one row has shown to fit is one look for the next."""

    def __init__(self, *types: type, rest: int) -> None:
        self._types = types
        self._rest = rest
        self._fit: set[tuple[type, ...]] = set()

    def check(self, row: sqlite3.Row) -> None:
        """Raises ValueError for a row with values of other types."""
        found = tuple(map(type, row))
        if found not in self._fit:
            if (
                found[: len(self._types)] != self._types
                or len(found) != len(self._types) + self._rest
            ):
                raise ValueError(f"a row cannot be {tuple(row)!r:.60}")
            self._fit.add(found)


@cache
def _readers(kind: Any) -> tuple[tuple[str, _Reader], ...]:
    hints = get_type_hints(kind)
    names = getattr(kind, "_fields", None) or [each.name for each in fields(kind)]
    return tuple((name, _reader(name, hints[name])) for name in names)


def _optional(hint: Any) -> tuple[bool, Any]:
    """Whether it may be None, and what it is else."""
    choices = [each for each in get_args(hint) if each is not NoneType]  # X | None
    optional = len(choices) < len(get_args(hint))
    return optional, choices[0] if optional else hint


def _fitting(hint: Any) -> tuple[type, ...]:
    return _PLAIN.get(hint, (int,) if hint is bool else (str,))


def _reader(name: str, hint: Any) -> _Reader:
    optional, hint = _optional(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda row: made(hint, row)
    as_it_is = hint in _PLAIN
    fits = _fitting(hint)
    known = as_it_is or (isinstance(hint, type) and issubclass(hint, Enum | bool))

    def read(row: sqlite3.Row) -> Any:
        value = row[name]
        if value is None and optional:
            return None
        if known and not isinstance(value, fits):
            raise ValueError(f"{name} cannot be {value!r:.60}")
        if hint is float and not -_FARTHEST < value < _FARTHEST:
            raise ValueError(f"{name} cannot be {value}")
        return value if as_it_is or not known else hint(value)

    return read


def values_checked(kind: DatabaseKind) -> Callable[[_Kind], _Kind]:
    """A class whose methods turn what a file of this kind holds into objects: what these cannot be
    made of was never written, and is damage, whatever Python calls it."""

    def damage(error: Exception) -> Exception:
        if isinstance(error, UnicodeEncodeError):  # of what somebody asks for
            return error
        return kind.error(f"the {kind.name} is damaged: {error}", "state-damaged")

    def decorated(of: _Kind) -> _Kind:
        for name, method in list(vars(of).items()):
            own = name.startswith("_") and name != "__init__" and not isgeneratorfunction(method)
            if isfunction(method) and not own:
                setattr(of, name, _within(damage, method))
        return of

    return decorated


def _within(
    damage: Callable[[Exception], Exception], method: Callable[..., Any]
) -> Callable[..., Any]:
    @wraps(method)
    def whole(*values: Any, **named: Any) -> Any:
        try:
            return method(*values, **named)
        except _OF_VALUES as error:
            raise damage(error) from error

    @wraps(method)
    def each(*values: Any, **named: Any) -> Any:
        try:
            yield from method(*values, **named)
        except _OF_VALUES as error:
            raise damage(error) from error

    return each if isgeneratorfunction(method) else whole
