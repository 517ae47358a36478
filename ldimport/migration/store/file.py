"""The state file as a file: opened, locked, written in transactions, closed as one whole."""

import os
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from ldimport import database
from ldimport.causes import masked
from ldimport.closing import Closing
from ldimport.database_rows import check_whole, made, values_checked
from ldimport.errors import LdimportError, LockedError
from ldimport.migration.store.schema import KIND
from ldimport.system import ProcessLock, durable_folder

_T = TypeVar("_T")
_OF_WRITERS = ("foreign_keys=0", "secure_delete=FAST", "wal_autocheckpoint=4000")
"""With foreign keys SQLite writes down what each row was before each statement, which comes to
more than all that is recorded; ``state check`` looks at them. Pages that a job changes twice, as
it begins and ends, go into the file once if the log holds both."""


@values_checked(KIND)
class StateFile(Closing):
    """An open state file. One writer at a time, by an OS lock on ``<file>.lock``; readers never
    block."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: ProcessLock | None
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        connection.create_function("masked", 1, masked, deterministic=True)

    @classmethod
    def open(cls, path: Path, *, write: bool, command: str = "") -> Self:
        """Open ``path``; created when ``write`` and absent, read as empty when only reading.

        ``command`` tells other runs who holds it. Raises LockedError when another run writes,
        StateFileError when it is not ours, TemporaryError when the disk does not let us.
        """
        if not write:
            there = os.path.lexists(path)
            return cls(path, _connected(path, write) if there else database.in_memory(KIND), None)
        with database.translated(path, KIND):
            if os.path.lexists(path):  # a foreign file gets its message, not a lock beside it
                database.check(path, KIND)
            durable_folder(path.parent)
            lock = ProcessLock(_lock_of(path))
            if not lock.acquire(command):
                raise _locked(path, lock)
        try:
            return cls(path, _connected(path, write), lock)
        except BaseException:
            lock.release()
            raise

    @property
    def writable(self) -> bool:
        """Whether this run holds the lock."""
        return self._lock is not None

    @property
    def held(self) -> bool:
        """Whether any run holds the lock."""
        return ProcessLock(_lock_of(self.path)).held()

    @property
    def held_elsewhere(self) -> bool:
        """Whether another process holds the lock: one that may be waited for."""
        lock = ProcessLock(_lock_of(self.path))
        mine = {"pid": os.getpid(), "host": socket.gethostname()}
        return lock.held() and {name: lock.holder().get(name) for name in mine} != mine

    @property
    def holder(self) -> str | None:
        """Which run holds the lock, in words; None: nobody does."""
        lock = ProcessLock(_lock_of(self.path))
        return _who(lock) if lock.held() else None

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


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _connected(path: Path, write: bool) -> sqlite3.Connection:
    connection = database.connect(path, KIND, write=write)
    try:
        check_whole(connection, path, KIND)
        for setting in _OF_WRITERS if write else ():
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def _who(lock: ProcessLock) -> str:
    """Process, machine and command of whoever holds a state file."""
    holder = lock.holder()
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
    return f"{who}, running “{holder['command']}”" if holder.get("command") else who


def _locked(path: Path, lock: ProcessLock) -> LockedError:
    """Who holds the state file, since when, and what to do."""
    holder, who = lock.holder(), _who(lock)
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
