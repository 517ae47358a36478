"""Connections to the catalogue file, and transactions on it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ldimport import database
from ldimport.engine.store.sqlite.schema import FILE, KIND
from ldimport.errors import StateFileError
from ldimport.system import process_alive


class Catalogue:
    """The catalogue of one engine folder; each thread has its own connection. ``monotonic`` is
    the clock that leases go by. Raises StateFileError for a folder that is not an engine's,
    TemporaryError when the disk does not let us."""

    def __init__(self, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.monotonic = monotonic
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        _refuse_foreign(folder)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = database.connect(self.path, KIND)
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction."""
        with database.translated(self.path, KIND), database.writing(self.connection):
            yield self.connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view: all statements inside see the same state."""
        connection = self.connection
        with database.translated(self.path, KIND):
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def version(self) -> int:
        """A number that changes whenever another connection commits; costs no file access."""
        with database.translated(self.path, KIND):
            (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def tidy(self) -> None:
        """Remove what processes left that died while they made the catalogue."""
        for path in self.folder.glob(f"{FILE}.new-*"):
            pid = path.name.removeprefix(f"{FILE}.new-").split("-")[0]
            if not (pid.isdigit() and process_alive(int(pid))):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            connections, self._all = self._all, []
            self._local = threading.local()
        for connection in connections:
            with suppress(sqlite3.Error):  # nothing of ours is left to be written
                connection.close()


def _refuse_foreign(folder: Path) -> None:
    """A folder with files but no catalogue is somebody else's: leave it alone."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateFileError(
            f"{folder} cannot be used as engine folder: {error.strerror}",
            hint=KIND.way_out,
            code="not-a-folder" if isinstance(error, NotADirectoryError) else "state-readonly",
        ) from error
    if names and not any(name.startswith(FILE) for name in names):
        raise StateFileError(
            f"{folder} holds other files and no engine; it is left untouched",
            hint="name an empty or new folder with --engine FOLDER",
            code="not-our-db",
        )


def insert(connection: sqlite3.Connection, table: str, **values: object) -> int:
    """Enter a row into a table of ours; returns its number."""
    marks = ", ".join("?" * len(values))
    sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608
    return connection.execute(sql, tuple(values.values())).lastrowid or 0
