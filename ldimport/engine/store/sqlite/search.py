"""The search index of the media library: an SQLite file beside the catalogue, which reads on in it
when somebody asks. Imports do not wait for it, and it may be removed at any time."""

import json
import os
import sqlite3
import tempfile
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ldimport import database
from ldimport.database_rows import made
from ldimport.engine.records import LibraryKind, LibraryQuery
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.engine.store.sqlite.schema import SEARCH, SEARCH_FILE, SQL
from ldimport.errors import LdimportError, StateFileError
from ldimport.system import start_thread

AT_ONCE = 500
"""Entries read in one transaction; so many are read while somebody waits for an answer."""
PAUSE = 0.002
"""Seconds between two of them, in which whoever else wants the interpreter gets it."""
MOST_WORDS = 40
"""Words that an unfinished one may stand for, one by one."""
_FOUND = """SELECT e.id FROM words w JOIN entry e ON e.n = w.rowid
 WHERE w.words MATCH ?1 AND w.rowid < ?2 AND w.rowid >= ?3 AND w.rowid < ?4
 ORDER BY w.rowid DESC LIMIT ?5"""
_ALL = "SELECT id FROM entry WHERE n < ?2 AND n >= ?3 AND n < ?4 ORDER BY n DESC LIMIT ?5"
_LAST = 1 << 62
_WRITE = "INSERT OR REPLACE INTO words (rowid, title, caption, external_id, media_id, kind) VALUES "


class SearchIndex:
    """The index of one catalogue. Threads and processes use it at the same time. In a folder that
    cannot be written it lies in a temporary one."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._file: Catalogue | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._opening, self._reading = threading.Lock(), threading.Lock()
        self._reader: threading.Thread | None = None
        self._closed = False

    # -- asking -----------------------------------------------------------------------------

    def find(self, query: LibraryQuery, most: int, before: str | None) -> Sequence[str]:
        """The media ids of up to ``most`` entries, the newest first."""
        if (words := self._words(query)) is None:
            return []
        ends = (self._number(before), *self._range(query))
        rows = self._index.rows(_FOUND if words else _ALL, words, *ends, most)
        return [media_id for (media_id,) in rows]

    def kinds(self) -> Sequence[LibraryKind]:
        """See ``Library.kinds``."""
        sql = "SELECT * FROM kind WHERE images > 0 ORDER BY system_name, media_type"
        return [made(LibraryKind, row) for row in self._index.rows(sql)]

    def _words(self, query: LibraryQuery) -> str | None:
        """The query in the language of FTS5; None where nothing can be found."""
        asked, parts = (query.system_name, query.media_type), []
        if asked != (None, None):
            sql = """SELECT id FROM kind WHERE (?1 IS NULL OR system_name = ?1)
                AND (?2 IS NULL OR media_type = ?2)"""
            kinds = [f"k{number}" for (number,) in self._index.rows(sql, *asked)]
            if not kinds:
                return None
            parts.append(f"kind : ({' OR '.join(kinds)})")
        words = [each for each in query.text.split() if any(map(str.isalnum, each))]
        if words:
            told = [_quoted(each) for each in words]
            if not query.text[-1].isspace():
                told[-1] = self._begun(words[-1])
            parts.append(f"{{title caption external_id media_id}} : ({' AND '.join(told)})")
        elif query.text.strip():
            return None
        return " AND ".join(parts)

    def _begun(self, word: str) -> str:
        """What stands for an unfinished word: the words that begin so, where these are few. FTS5
        itself would put all their places in order before it says the first."""
        parts = unicodedata.normalize("NFKD", word.lower())
        plain = "".join(each for each in parts if not unicodedata.combining(each))
        if not (plain.isascii() and plain.isalnum()):  # the index may write it in another way
            return f"{_quoted(word)}*"
        sql = "SELECT term FROM vocabulary WHERE term >= ? AND term < ? LIMIT 1"
        known, place = list[str](), plain
        while rows := self._index.rows(sql, place, f"{plain}\U0010ffff"):
            if len(known) == MOST_WORDS:
                return f"{_quoted(word)}*"
            known.append(rows[0]["term"])
            place = f"{known[-1]}0"  # no sign of a word comes before it
        return f"({' OR '.join(map(_quoted, known or [word]))})"

    def _number(self, media_id: str | None) -> int:
        rows = self._index.rows("SELECT n FROM entry WHERE id = ?", media_id)
        return int(rows[0][0]) if rows else _LAST

    def _range(self, query: LibraryQuery) -> tuple[int, int]:
        """Numbers of the first entry that is meant, and of the first that is not any more: they
        stand in the order of time."""
        sql = "SELECT n FROM entry WHERE created_at >= ? ORDER BY created_at LIMIT 1"

        def number(moment: float) -> int:
            return next((int(n) for (n,) in self._index.rows(sql, moment)), _LAST)

        begin = 0 if query.since is None else number(query.since)
        return begin, _LAST if query.until is None else number(query.until)

    # -- reading on -------------------------------------------------------------------------

    def unread(self) -> int:
        """See ``Library.unread``."""
        if self._behind() and self._reading.acquire(blocking=False):
            try:
                if self._read_some() and not (self._reader and self._reader.is_alive()):
                    self._reader = start_thread(self._read_all, name="ldimport-search")
            finally:
                self._reading.release()
        return self._behind()

    def close(self) -> None:
        """Stop reading, close the file. May be called twice."""
        self._closed = True
        if self._reader is not None:
            self._reader.join()
        if self._file is not None:
            self._file.close()
        if self._scratch is not None:
            self._scratch.cleanup()
        self._file = self._scratch = None

    @property
    def _index(self) -> Catalogue:
        with self._opening:
            if self._file is None:
                self._file = self._opened()
            return self._file

    def _opened(self) -> Catalogue:
        """The file, or a new one where it cannot be used or belongs to another catalogue."""
        folder = self._catalogue.folder
        if not os.access(folder, os.W_OK):
            self._scratch = tempfile.TemporaryDirectory(prefix="ldimport-")
            folder = Path(self._scratch.name)
        found = Catalogue(folder, name=SEARCH_FILE, kind=SEARCH)
        ((uuid, newest),) = self._catalogue.rows(
            "SELECT uuid, (SELECT coalesce(max(id), 0) FROM asset) FROM engine"
        )
        sql = "INSERT INTO reached SELECT ?, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM reached)"
        try:
            with found.writing() as connection:
                connection.execute(sql, (uuid,))
            ((of, reached),) = found.rows("SELECT engine, asset FROM reached")
            if of == uuid and reached <= newest:
                return found
        except (StateFileError, ValueError):
            pass
        found.close()
        with database.translated(found.path, SEARCH):
            for rest in ("", "-wal", "-shm"):
                found.path.with_name(f"{SEARCH_FILE}{rest}").unlink(missing_ok=True)
        with found.writing() as connection:
            connection.execute(sql, (uuid,))
        return found

    def _behind(self) -> int:
        ((asset, change),) = self._index.rows("SELECT asset, change FROM reached")
        sql = """SELECT coalesce((SELECT max(id) FROM asset), 0) - ?
            + coalesce((SELECT max(n) FROM media_change), 0) - ?"""
        return max(0, int(self._catalogue.rows(sql, asset, change)[0][0]))

    def _read_all(self) -> None:
        more = True
        with suppress(LdimportError):  # whoever looks next meets it
            while more and not self._closed:
                time.sleep(PAUSE)
                with self._reading:
                    more = self._read_some()

    def _read_some(self) -> bool:
        """Enter entries behind those that were read; whether there may be more of them."""
        with self._index.writing() as connection:
            ((asset, change),) = connection.execute("SELECT asset, change FROM reached").fetchall()
            new = self._catalogue.rows(SQL["unread"], asset, AT_ONCE)
            changed = self._catalogue.rows(SQL["unread_changes"], change, AT_ONCE)
            _enter(connection, {row["id"]: row for row in (*new, *changed)})
            asset = new[-1]["number"] if new else asset
            change = changed[-1]["number"] if changed else change
            connection.execute("UPDATE reached SET asset = ?, change = ?", (asset, change))
        return AT_ONCE in (len(new), len(changed))


def _quoted(word: str) -> str:
    return '"{}"'.format(word.replace('"', '""'))


def _enter(connection: sqlite3.Connection, rows: dict[str, sqlite3.Row]) -> None:
    """Enter what these entries are by now."""
    sql = "SELECT id, n, kind FROM entry WHERE id IN (SELECT value FROM json_each(?))"
    old = {row["id"]: row for row in connection.execute(sql, (json.dumps([*rows]),))}
    (last,) = connection.execute("SELECT coalesce(max(n), 0) FROM entry").fetchone()
    kinds, counts = _Kinds(connection), Counter[int]()
    entries, words = [], []
    for media_id, row in rows.items():
        kind = kinds[row["system_name"], row["media_type"]]
        counts[kind] += 1
        if media_id in old:
            number = old[media_id]["n"]
            counts[old[media_id]["kind"]] -= 1
        else:
            number = last = last + 1
        entries.append((number, media_id, row["created_at"], kind))
        texts = (*_texts(row), row["external_id"], media_id)
        words.append((number, *texts, f"k{kind}"))
    connection.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)", entries)
    connection.executemany(f"{_WRITE} (?, ?, ?, ?, ?, ?)", words)
    sql = "UPDATE kind SET images = images + ? WHERE id = ?"
    connection.executemany(sql, ((count, kind) for kind, count in counts.items()))


class _Kinds(dict[tuple[str, str], int]):
    """Numbers of kinds; new ones are entered."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT system_name, media_type, id FROM kind")
        super().__init__(((system_name, media_type), n) for system_name, media_type, n in rows)

    def __missing__(self, key: tuple[str, str]) -> int:
        sql = "INSERT INTO kind (system_name, media_type) VALUES (?, ?)"
        self[key] = number = int(self._connection.execute(sql, key).lastrowid or 0)
        return number


def _texts(row: sqlite3.Row) -> tuple[str, str]:
    """Title and caption; the title is the file's name and, where it is another, that of the
    metadata."""
    metadata = json.loads(row["metadata"])
    found = (metadata.get("title"), metadata.get("caption"))
    title, caption = (each if isinstance(each, str) else "" for each in found)
    both = row["title"] if title in ("", row["title"]) else f"{row['title']} {title}"
    return both.encode("utf-8", "replace").decode(), caption.encode("utf-8", "replace").decode()
