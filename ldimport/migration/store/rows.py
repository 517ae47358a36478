"""From a row of a query to a dataclass, by the names of its fields."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import itemgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

_T = TypeVar("_T")
_Reader = Callable[[sqlite3.Row], Any]


def made(kind: type[_T], row: sqlite3.Row, **given: object) -> _T:
    """A ``kind`` from the columns that are called as its fields; a field that is a dataclass is
    made of the same row. ``given`` fields are not looked for."""
    readers = _readers(cast("Hashable", kind))
    return kind(**{name: read(row) for name, read in readers if name not in given}, **given)


@cache
def _readers(kind: Any) -> tuple[tuple[str, _Reader], ...]:
    hints = get_type_hints(kind)
    return tuple((each.name, _reader(each.name, hints[each.name])) for each in fields(kind))


def _reader(name: str, hint: Any) -> _Reader:
    if get_origin(hint) is UnionType:  # X | None
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda row: made(hint, row)
    if isinstance(hint, type) and issubclass(hint, Enum | bool):
        return lambda row: None if row[name] is None else hint(row[name])
    return itemgetter(name)
