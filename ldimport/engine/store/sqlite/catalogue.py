"""Connections to the catalogue file, and transactions on it."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ldimport import database
from ldimport.database_rows import check_whole
from ldimport.engine.store.sqlite.schema import FILE, KIND


class Catalogue:
    """The catalogue of one engine folder, or another file there of its own ``kind``; each thread
    has its own connection. ``monotonic`` is the clock that leases go by; not ``write``: only read.
    Raises StateFileError for a folder that is not an engine's, TemporaryError when the disk does
    not let us."""

    def __init__(
        self,
        folder: Path,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        write: bool = True,
        name: str = FILE,
        kind: database.DatabaseKind = KIND,
    ) -> None:
        self.folder = folder
        self.path = folder / name
        self.monotonic = monotonic
        self.write = write
        self._kind = kind
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        if name == FILE:
            _refuse_foreign(folder)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = database.connect(self.path, self._kind, write=self.write)
            with self._lock:
                self._all.append(connection)
            check_whole(connection, self.path, self._kind)
            self._local.connection = connection
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction; this thread's ``rows`` see it from inside. Threads take turns:
        SQLite would have them sleep and look again."""
        its_turn = self._turn.acquire(timeout=database.PATIENCE)  # else SQLite says what is wrong
        try:
            with database.translated(self.path, self._kind), database.writing(self.connection):
                yield self.connection
        finally:
            if its_turn:
                self._turn.release()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """What one statement finds, all of it of the same moment."""
        return self.connection.execute(sql, values).fetchall()

    def version(self) -> int:
        """A number that changes whenever another connection commits; costs no file access."""
        return int(self.rows("PRAGMA data_version")[0][0])

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
        code = "not-a-folder" if isinstance(error, NotADirectoryError) else "state-readonly"
        text = f"{folder} cannot be used as engine folder: {error.strerror}"
        raise KIND.error(text, code) from error
    if names and not any(name.startswith(FILE) for name in names):
        text = f"{folder} holds other files and no engine; it is left untouched"
        hint = "name an empty or new folder with --engine FOLDER"
        raise KIND.error(text, "not-our-db", hint)
