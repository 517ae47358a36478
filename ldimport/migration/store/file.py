"""The state file as a file: opened, locked, written in transactions, closed as one whole."""

import os
import sqlite3
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import itemgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Self, TypeVar, cast, get_args, get_origin, get_type_hints

from ldimport import database
from ldimport.closing import Closing
from ldimport.errors import LdimportError, LockedError
from ldimport.migration.store.schema import KIND, damaged
from ldimport.system import ProcessLock, durable_folder

_T = TypeVar("_T")
_Reader = Callable[[sqlite3.Row], Any]


class StateFile(Closing):
    """An open state file. One writer at a time, by an OS lock on ``<file>.lock``; readers never
    block."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: ProcessLock | None
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, write: bool, command: str = "") -> Self:
        """Open ``path``; created when ``write`` and absent, read as empty when only reading.

        ``command`` tells other runs who holds it. Raises LockedError when another run writes,
        StateFileError when it is not ours, TemporaryError when the disk does not let us.
        """
        if not write:
            there = os.path.lexists(path)
            found = database.connect(path, KIND, write=False) if there else database.in_memory(KIND)
            return cls(path, found, None)
        with database.translated(path, KIND):
            if os.path.lexists(path):  # a foreign file gets its message, not a lock beside it
                database.check(path, KIND)
            durable_folder(path.parent)
            lock = ProcessLock(path.with_name(path.name + ".lock"))
            if not lock.acquire(command):
                raise _locked(path, lock)
        try:
            return cls(path, database.connect(path, KIND), lock)
        except BaseException:
            lock.release()
            raise

    @property
    def writable(self) -> bool:
        """Whether this run holds the lock."""
        return self._lock is not None

    def close(self) -> None:
        """Fold the write-ahead log into the one file, and let the next run in."""
        if self._lock is not None:
            with suppress(LdimportError):  # a reader may be in the way: the next close does it
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction."""
        with database.writing(self._connection):
            yield self._connection

    def _each(self, kind: type[_T], query: str, asked: Mapping[str, Any]) -> Iterator[_T]:
        """The answers to a query, as dataclasses."""
        for row in self._connection.execute(query, asked):
            yield made(kind, row)

    def _first(self, query: str, *asked: object) -> Any:
        """The only column of the first answer; None without one."""
        row = self._connection.execute(query, asked).fetchone()
        return None if row is None else row[0]


def _locked(path: Path, lock: ProcessLock) -> LockedError:
    """Who holds the state file, since when, and what to do."""
    holder = lock.holder()
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
    if holder.get("command"):
        who += f", running “{holder['command']}”"
    stop = "end that process" if sys.platform == "win32" else f"kill {holder.get('pid', 'PID')}"
    error = LockedError(
        "another ldimport is at work with this state file",
        hint="ldimport watch   follows that run, without the lock",
        facts={
            "who": who,
            "file": str(path),
            "fix": f"let it finish, or stop it: {stop} is safe",
        },
    )
    error.holder = dict(holder)
    return error


# -- from a row of a query to a dataclass, by the names of its fields ---------------------------


def made(kind: type[_T], row: sqlite3.Row, **given: object) -> _T:
    """A ``kind`` from the columns that are called as its fields; a field that is a dataclass is
    made of the same row. ``given`` fields are not looked for."""
    readers = _readers(cast("Hashable", kind))
    try:
        return kind(**{name: read(row) for name, read in readers if name not in given}, **given)
    except ValueError as error:
        raise damaged(error) from error


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
