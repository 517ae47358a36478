"""A durable SQLite file of ours: opening, recognising, migrating, and errors for people.

Used by the state file and by the engine's catalogue; imports only ``errors`` and ``system``.
"""

import contextlib
import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ldimport.errors import LdimportError, StateFileError, TemporaryError
from ldimport.system import (
    DISK,
    clear_up,
    durable_folder,
    full_disk,
    new_lock,
    scarce,
    sync_folder,
)

Step = str | Callable[[sqlite3.Connection], object]
"""One migration: an SQL script, or what does its work on a connection inside a transaction."""

_SHARED: Mapping[str, Any] = {"isolation_level": None, "check_same_thread": False}
_NEW = ".new-"
PATIENCE = 30.0
"""Seconds that somebody who wants to write waits for others that do."""
COPY_MOST = 1 << 30
"""The largest older file in bytes that is copied into memory to be read."""


def script(package: str, name: str) -> Step:
    """The step that stands in an SQL file of a package; read when it is needed."""

    def step(connection: sqlite3.Connection) -> None:
        for statement in _statements(files(package).joinpath(name).read_text("utf-8")):
            connection.execute(statement)

    return step


def statements(package: str, name: str) -> Mapping[str, str]:
    """The statements of an SQL file of a package, each under a line ``-- name: NAME``; ``{NAME}``
    in one stands for an earlier one."""
    found: dict[str, str] = {}
    for part in files(package).joinpath(name).read_text("utf-8").split("-- name: ")[1:]:
        title, _, text = part.partition("\n")
        found[title] = text.strip().format_map(found)
    return found


@dataclass(frozen=True, slots=True)
class DatabaseKind:
    """What sort of file it is: ``name`` for screens ("state file"), ``application_id`` in its
    header, ``migrations`` whose n-th step leads from schema version n to n + 1, ``way_out`` the
    advice when a file cannot be used. Steps run without foreign key checks, and must not commit."""

    name: str
    application_id: int
    migrations: Sequence[Step]
    way_out: str

    def error(self, text: str, code: str, hint: str | None = None) -> StateFileError:
        """That a file of this kind cannot be used."""
        return StateFileError(text, hint=hint or self.way_out, code=code)


def _gate(name: str) -> Callable[..., Any]:
    """A cursor's method, its errors turned into ours."""
    method = getattr(sqlite3.Cursor, name)

    def gated(self: sqlite3.Cursor, *values: object) -> Any:
        try:
            return method(self, *values)
        except sqlite3.Error as error:
            assert isinstance(self.connection, _Connection)
            raise _ours(error, *self.connection.of) from error

    return gated


class _Cursor(sqlite3.Cursor):
    """All statements on our files go through here, and all rows."""

    execute, executemany, __next__ = map(_gate, ("execute", "executemany", "__next__"))
    fetchone, fetchmany, fetchall = map(_gate, ("fetchone", "fetchmany", "fetchall"))


class _Connection(sqlite3.Connection):
    """A connection to a file of ours, which is known of for as long as it is open."""

    of: tuple[Path, DatabaseKind]

    def execute(self, *values: Any) -> Any:
        """Carry out a statement. Raises errors of ours."""
        return self.cursor(_Cursor).execute(*values)

    def executemany(self, *values: Any) -> Any:
        """The same for many rows."""
        return self.cursor(_Cursor).executemany(*values)

    def close(self) -> None:
        """Close it, and forget it."""
        with _opening:
            super().close()
            _open.pop(self, None)


_open: weakref.WeakKeyDictionary[_Connection, tuple[int, int]] = weakref.WeakKeyDictionary()
_opening = threading.RLock()
"""Device and inode of the files that this process has connections to. Whoever closes any other
descriptor of such a file drops all POSIX locks of the process on it; the next process to end
would then take itself for the last one and remove the write-ahead log under our feet."""


def connect(path: Path, kind: DatabaseKind, *, write: bool = True) -> sqlite3.Connection:
    """Open ``path`` as a file of this kind; created (mode 0600) when absent and ``write``.

    WAL, ``synchronous=FULL``, foreign keys on, autocommit: writers use ``writing``. An older file
    is migrated when ``write``; otherwise it stays as it is, and what comes back is a migrated copy
    in memory, which no later commit reaches. A copy costs the file's size in memory and a second
    for some hundred megabytes; beyond ``COPY_MOST`` it is refused.

    Raises StateFileError for a file that is not ours, newer, damaged or too large for a copy,
    TemporaryError when the disk does not let us. A foreign file is never touched.
    """
    with translated(path, kind), _opening:
        if write and not os.path.lexists(path):
            _create(path, kind)
        file = _recognise(path, kind)
        if write and file not in _open.values():
            clear_up(path.parent, path.name + _NEW)  # they may be second names: of no open file
            sync_folder(path.parent)  # who made it may have been killed before that
        connection = _open_file(path, kind, write)
        try:
            _refuse_newer(version := _pragma(connection, "user_version"), path, kind)
            older = version < len(kind.migrations)
            if older and not write:
                return _migrated_copy(connection, path, kind)
            if write:
                connection.execute("PRAGMA synchronous=FULL")
                if older:
                    _migrate(connection, kind)
                connection.execute("PRAGMA foreign_keys=1")
            else:
                connection.execute("PRAGMA query_only=1")
            _open[connection] = file
            return connection
        finally:
            if connection not in _open:
                connection.close()


def check(path: Path, kind: DatabaseKind) -> None:
    """Raise what ``connect`` would raise for a file that is not ours or newer; the rest of it is
    not looked at."""
    with translated(path, kind), _opening:
        _recognise(path, kind)


def as_it_is(path: Path, kind: DatabaseKind) -> sqlite3.Connection:
    """A connection to read a file as it is, an older one too. Raises as ``connect`` does."""
    with translated(path, kind), _opening:
        file = _recognise(path, kind)
        connection = _open_file(path, kind, write=False)
        try:
            _refuse_newer(_pragma(connection, "user_version"), path, kind)
            connection.execute("PRAGMA query_only=1")
        except BaseException:
            connection.close()
            raise
        _open[connection] = file
        return connection


def in_memory(kind: DatabaseKind) -> sqlite3.Connection:
    """A connection to an empty database of the newest schema, as a new file would have it."""
    connection = _connection(":memory:", Path(kind.name), kind)
    _migrate(connection, kind)
    connection.execute("PRAGMA foreign_keys=1")
    return connection


def _open_file(path: Path, kind: DatabaseKind, write: bool) -> _Connection:
    mode = "ro&immutable=1" if not write and _frozen(path) else "rw"  # the last one clears up
    return _connection(f"{path.resolve().as_uri()}?mode={mode}", path, kind)


def _connection(name: str, path: Path, kind: DatabaseKind) -> _Connection:
    connection = sqlite3.connect(name, uri=True, timeout=PATIENCE, factory=_Connection, **_SHARED)
    connection.row_factory = sqlite3.Row
    connection.of = path, kind
    return connection


def _frozen(path: Path) -> bool:
    """Whether nobody can be writing: a read-only folder with no log beside the file, or an empty
    one. SQLite has to be told, since it cannot make there what readers and writers share."""
    log = path.with_name(f"{path.name}-wal")
    whole = not log.exists() or log.stat().st_size == 0
    return whole and not os.access(path.parent, os.W_OK)


def _create(path: Path, kind: DatabaseKind) -> None:
    """Made whole under another name, then linked into place: whoever sees the file sees all of
    its schema, so an empty one is never ours."""
    durable_folder(path.parent)
    with contextlib.closing(in_memory(kind)) as connection:
        whole = bytearray(connection.serialize())
    whole[18:20] = b"\2\2"  # write-ahead log (https://www.sqlite.org/fileformat.html, 1.3)
    new = new_lock(path.parent, f"{path.name}{_NEW}")
    try:
        with new.path.open("r+b") as file:
            file.write(whole)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker: take its file
            os.link(new.path, path)
    finally:
        new.discard()


def _recognise(path: Path, kind: DatabaseKind) -> tuple[int, int]:
    """Refuse what is not an SQLite file of ours, or newer, before SQLite may write to it or beside
    it. Returns device and inode. A file that this process has open is ours, and is not opened
    beside SQLite."""
    found = path.lstat()
    file, head = (found.st_dev, found.st_ino), b""
    if file in _open.values():
        return file
    if stat.S_ISREG(found.st_mode):
        with path.open("rb") as stream:
            head = stream.read(100)
    ours = kind.application_id.to_bytes(4, "big")
    if not head.startswith(b"SQLite format 3\0") or head[68:72] != ours:
        text = f"{path} is not an ldimport {kind.name}; it is left untouched"
        raise kind.error(text, "not-our-db")
    _refuse_newer(int.from_bytes(head[60:64], "big"), path, kind)
    return file


def _refuse_newer(version: int, path: Path, kind: DatabaseKind) -> None:
    newest = len(kind.migrations)
    if version > newest:
        text = f"{path} was written by a newer ldimport (schema {version}, this one knows {newest})"
        raise kind.error(text, "state-newer", f"upgrade ldimport, or {kind.way_out}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _migrated_copy(
    connection: sqlite3.Connection, path: Path, kind: DatabaseKind
) -> sqlite3.Connection:
    if _pragma(connection, "page_count") * _pragma(connection, "page_size") > COPY_MOST:
        raise kind.error(
            f"{path} was written by an older ldimport and is too large to be read as it is",
            "state-older",
            "the next command that writes to it will migrate it; then run this one again",
        )
    copy = _connection(":memory:", path, kind)
    try:
        connection.backup(copy)
        _migrate(copy, kind)
        copy.execute("PRAGMA query_only=1")
    except BaseException:
        copy.close()
        raise
    return copy


def _migrate(connection: sqlite3.Connection, kind: DatabaseKind) -> None:
    """All steps that are missing, in one transaction: whoever is killed in it leaves the old
    schema. Another process may have migrated since we looked, so the version is read inside."""
    with writing(connection):
        for step in kind.migrations[_pragma(connection, "user_version") :]:
            if callable(step):
                step(connection)
            else:
                for statement in _statements(step):
                    connection.execute(statement)
            assert connection.in_transaction, "a migration step must not commit"
        connection.execute(f"PRAGMA application_id={kind.application_id}")
        connection.execute(f"PRAGMA user_version={len(kind.migrations)}")


def _statements(script: str) -> Iterator[str]:
    """The single statements of a script: ``executescript`` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One durable transaction; BEGIN IMMEDIATE, since a reader that turns writer can meet
    SQLITE_BUSY_SNAPSHOT, which no timeout covers (https://www.sqlite.org/rescode.html)."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(LdimportError, sqlite3.Error):  # the error under way says more
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextlib.contextmanager
def translated(path: Path, kind: DatabaseKind) -> Iterator[None]:
    """Turn the system's errors into ours, and SQLite's where no statement met them."""
    try:
        yield
    except sqlite3.Error as error:
        raise _ours(error, path, kind) from error
    except FileNotFoundError as error:
        raise kind.error(f"{path} does not exist", "state-missing") from error
    except OSError as error:
        if error.errno in DISK:
            raise _disk(path, kind, error.strerror or str(error)) from error
        text = f"the {kind.name} {path} cannot be used: {error.strerror}: {error.filename}"
        raise scarce(error) or kind.error(text, "state-unusable") from error


_OPENED_AT_ONCE = 4
"""Files that SQLite opens for a connection: the database, its log, what is shared, a folder."""
_FULL = ("disk is full", "disk i/o error", "unable to open database file", "readonly database")
_DAMAGED = ("no such", "could not decode", "malformed", "duplicate column", "already exists")


def _ours(error: sqlite3.Error, path: Path, kind: DatabaseKind) -> Exception:
    """What to say instead of an error of SQLite's; itself when it is a bug of ours. A full disk
    shows itself as any of the messages in ``_FULL``, damage also as those in ``_DAMAGED``."""
    text = str(error)
    said = text.lower()
    if any(sign in said for sign in _FULL):
        return _no_descriptors(path.parent) or _disk(path, kind, text)
    misuse = isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError)
    if misuse and "lock" in said:
        hint = "wait for it to end, then run the same command again"
        return TemporaryError(f"the {kind.name} {path} stays locked by another process", hint=hint)
    if misuse and not any(sign in said for sign in _DAMAGED):
        return error
    return kind.error(f"the {kind.name} {path} is damaged: {text}", "state-damaged")


def _no_descriptors(folder: Path) -> LdimportError | None:
    """What SQLite tells as a disk that does not let it open a file, in truth may be that this
    process has too many open."""
    with contextlib.ExitStack() as opened, contextlib.suppress(FileNotFoundError):
        try:
            for _ in range(_OPENED_AT_ONCE):
                opened.callback(os.close, os.open(folder, os.O_RDONLY))
        except OSError as error:
            return scarce(error)
    return None


def _disk(path: Path, kind: DatabaseKind, text: str) -> LdimportError:
    folder = next(each for each in path.parents if os.access(each, os.F_OK))
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        hint = f"make {folder} a folder that you may write to, or {kind.way_out}"
        text = f"the {kind.name} {path} cannot be written: {text}"
        return kind.error(text, "state-readonly", hint)
    return full_disk(folder, text)
