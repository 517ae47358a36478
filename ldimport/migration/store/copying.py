"""The whole state file somewhere else: a copy made while another run writes, and every row of every
table as JSON Lines and back. Which tables and columns there are is asked, never listed here."""

import base64
import binascii
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any

from ldimport.database import as_it_is, translated
from ldimport.database_rows import misfits, values_checked
from ldimport.errors import ManifestError, StateFileError, UsageError
from ldimport.files import NewFile, named_file
from ldimport.migration.care import Copied
from ldimport.migration.store.queries import StateStore
from ldimport.migration.store.schema import KIND

FORMAT = "ldimport-state"
_PAGES = 2_000
"""Copied at once, so that a signal is heard in between."""
_BESIDE = ("-wal", "-shm", "-journal", ".lock", ".notices", ".notices.lock", ".listen")
"""What stands beside a state file, after its name."""
_LONGEST = 256 << 20
"""Bytes of one line that is read, at most."""
_TABLES = """SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
  ORDER BY rootpage"""


def refuse_to_replace(path: Path, state: Path, *, force: bool) -> None:
    """Raises UsageError where a file is that ``force`` does not replace; the state file itself, by
    whatever name, and what belongs to it are never replaced."""
    own = [state, *(state.with_name(f"{state.name}{end}") for end in _BESIDE)]
    for each in own:
        same = path.exists() and each.exists() and path.samefile(each)
        if same or os.path.realpath(path) == os.path.realpath(each):
            text = f"{path} is the state file itself, or belongs to it"
            raise UsageError(text, hint="name another file", code="same-file")
    if not force and os.path.lexists(path) and not _is_stream(path):
        raise UsageError(f"{path} is there already", hint="--force replaces it", code="exists")


def _is_stream(path: Path) -> bool:
    return str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir())


# -- a copy --------------------------------------------------------------------------------------


def backup(state: Path, path: Path, *, force: bool = False) -> int:
    """Copy the state file as of one moment, whoever writes to it, look the copy through, and give
    it its name; its size in bytes. Raises UsageError, StateFileError, TemporaryError."""
    refuse_to_replace(path, state, force=force)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file", code="unwritable")
    with closing(as_it_is(state, KIND)) as source, named_file(path) as new:
        with translated(new, KIND):
            _copy(source, new)
        _look_through(new, path)
        return new.stat().st_size


def _copy(source: sqlite3.Connection, new: Path) -> None:
    """From one snapshot: without it every commit of another run would begin it anew
    (https://www.sqlite.org/c3ref/backup_finish.html, "Concurrent Usage")."""
    with closing(sqlite3.connect(new, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # it is synced before it gets its name
        copy.execute("PRAGMA journal_mode=OFF")
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        try:
            sqlite3.Connection.backup(source, copy, pages=_PAGES)
        finally:
            with suppress(StateFileError):
                source.execute("COMMIT")


def _look_through(new: Path, path: Path) -> None:
    """Read-only and for nobody else: the copy gets no log beside it."""
    uri = f"{new.resolve().as_uri()}?mode=ro&immutable=1"
    with translated(path, KIND), closing(sqlite3.connect(uri, uri=True)) as copy:
        (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        text = f"the copy is not whole, and was not kept: {found}"
        hint = "ldimport state check   looks at the state file"
        raise StateFileError(text, hint=hint, code="state-damaged")


# -- as JSON Lines -------------------------------------------------------------------------------


@values_checked(KIND)
class Copying(StateStore):
    """Everything, as it stands in the tables."""

    def export(self, file: NewFile) -> Copied:
        """Write a head, a line for each row, and a last line with how many there are of each
        table; as of one moment."""
        rows: Counter[str] = Counter()
        self._connection.execute("BEGIN")
        try:
            head = {"format": FORMAT, "version": 1, "schema": len(KIND.migrations)}
            file.write(_line(head))
            for table, names in self._tables().items():
                rows[table] = 0
                for row in self._connection.execute(f"SELECT {', '.join(names)} FROM {table}"):  # noqa: S608
                    values = dict(zip(names, map(_told, row), strict=True))
                    file.write(_line({"table": table, "row": values}))
                    rows[table] += 1
            file.write(_line({"end": dict(rows)}))
        finally:
            self._connection.execute("COMMIT")
        return Copied(rows)

    def take_all(self, file: IO[bytes], name: str) -> Copied:
        """Fill the empty state file with what ``export`` wrote, all or nothing. Raises
        ManifestError with the line that cannot be read."""
        tables = self._tables()
        if any(self._first(f"SELECT 1 FROM {table} LIMIT 1") for table in tables):  # noqa: S608
            text = f"the state file {self.path} holds something already"
            hint = "import into a new one: --state FILE; ldimport state merge joins two state files"
            raise UsageError(text, hint=hint, code="not-empty")
        self._connection.execute("PRAGMA foreign_keys=0")  # rows come table by table
        try:
            with self._writing() as connection:
                return _fill(connection, tables, _ExportLines(file, name))
        finally:
            self._connection.execute("PRAGMA foreign_keys=1")

    def _tables(self) -> dict[str, Sequence[str]]:
        names = [row[0] for row in self._connection.execute(_TABLES)]
        return {
            name: [each["name"] for each in self._connection.execute(f"PRAGMA table_info({name})")]
            for name in names
        }


def _fill(
    connection: sqlite3.Connection, tables: Mapping[str, Sequence[str]], lines: "_ExportLines"
) -> Copied:
    rows: Counter[str] = Counter(dict.fromkeys(tables, 0))
    lines.check_head()
    for line in lines:
        if "end" in line:
            if line["end"] != dict(rows):
                raise lines.error("the counts at its end are not those of its rows")
            if next(iter(lines), None) is not None:
                raise lines.error("something stands behind its end")
            _check_filled(connection, lines)
            return Copied(rows)
        table, row = line.get("table"), line.get("row")
        if not (isinstance(table, str) and table in tables and isinstance(row, dict)) or (
            set(row) != set(tables[table])
        ):
            raise lines.error("no row of a state file stands there")
        rows[table] += 1
        lines.put(connection, table, row)
    raise lines.error("it ends in the middle: its last line is missing")


def _check_filled(connection: sqlite3.Connection, lines: "_ExportLines") -> None:
    """Rows that name others find them, and values are of the kinds that are written there."""
    if (row := connection.execute("PRAGMA foreign_key_check").fetchone()) is not None:
        raise lines.error(f"a row of {row['table']} names one of {row['parent']} that is missing")
    if wrong := misfits(connection, KIND):
        raise lines.error(wrong[0])


class _ExportLines:
    """Lines of an export, each a JSON object."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name, self.number = file, name, 0

    def error(self, why: str) -> ManifestError:
        """What is wrong with the line that was read last."""
        text = f"{self._name}, line {max(self.number, 1)}: {why}"
        hint = "nothing was imported; take another copy"
        return ManifestError(text, hint=hint, code="state-export")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while line := self._file.readline(_LONGEST + 1):
            self.number += 1
            if len(line) > _LONGEST:
                raise self.error("the line is too long for a row of a state file")
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise self.error("it is not JSON") from error
            if not isinstance(found, dict):
                raise self.error("no row of a state file stands there")
            yield found

    def check_head(self) -> None:
        """The first line says what it is. Raises StateFileError for a newer version's."""
        head: dict[str, Any] = next(iter(self), {})
        schema, newest = head.get("schema"), len(KIND.migrations)
        if head.get("format") != FORMAT or type(schema) is not int:
            raise self.error("this is not what ldimport state export writes")
        if schema > newest or head.get("version") != 1:
            text = f"{self._name} was written by a newer ldimport (schema {schema})"
            raise StateFileError(text, hint="upgrade ldimport", code="state-newer")
        if schema != newest:
            raise self.error(f"no ldimport ever exported schema {schema}")

    def put(self, connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row; its names are those of the table."""
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
        try:
            connection.execute(insert, [_value(each) for each in row.values()])
        except StateFileError as error:
            if error.code != "state-damaged":
                raise
            raise self.error(f"such a row cannot be in {table}: {error.__cause__}") from error
        except (ValueError, TypeError, OverflowError) as error:  # of no kind that SQLite takes
            raise self.error(f"such a row cannot be in {table}: {error}") from error


def _line(document: Mapping[str, Any]) -> str:
    return f"{json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n"


def _told(value: Any) -> Any:
    """A value as JSON; bytes in an object of their own."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value


def _value(told: Any) -> Any:
    if isinstance(told, dict):
        if set(told) != {"base64"} or not isinstance(told["base64"], str):
            raise ValueError("a value is an object")
        try:
            return base64.b64decode(told["base64"], validate=True)
        except binascii.Error as error:
            raise ValueError("bytes are not base64") from error
    if isinstance(told, bool | list):
        raise TypeError(f"a value is {told!r:.40}")
    return told


def export(state: Path, path: Path, *, force: bool = False) -> Copied:
    """Write all of a state file as JSON Lines, whole or not at all. Raises as ``backup`` does."""
    if str(path) != "-":
        refuse_to_replace(path, state, force=force)
    with Copying.open(state, write=False) as store, NewFile(path) as file:
        return store.export(file)


def take(state: Path, file: IO[bytes], name: str) -> Copied:
    """Make a new state file of an export, all of it or an empty one."""
    with Copying.open(state, write=True, command="state import") as store:
        return store.take_all(file, name)
