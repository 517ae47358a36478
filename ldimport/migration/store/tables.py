"""SQLite files beside the state file: the map that is handed over, and redirects while they are
sorted."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from ldimport.closing import Closing
from ldimport.database import DatabaseKind, translated
from ldimport.migration.redirect import Redirect
from ldimport.model import Json

_MAP = """
CREATE TABLE map (
  externalId TEXT NOT NULL, systemName TEXT NOT NULL, sourceUrl TEXT NOT NULL,
  mediaId TEXT NOT NULL, url TEXT, originalUrl TEXT,
  size INTEGER, width INTEGER, height INTEGER, mimeType TEXT,
  jobId TEXT, status TEXT, target TEXT NOT NULL,
  PRIMARY KEY (externalId, systemName, target)
) WITHOUT ROWID
"""
_INDEXES = (
    "CREATE INDEX map_source ON map (sourceUrl)",
    "CREATE INDEX map_media ON map (mediaId)",
)
_AT_ONCE = 5_000
_KIND = DatabaseKind("map", 0, (), "name another file")


def write_map(path: Path, rows: Iterable[Mapping[str, Json]]) -> int:
    """Write the map as the table ``map`` of a new SQLite file (docs/handover.md); how
    many rows it has."""
    with translated(path, _KIND), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=OFF")  # a file that is not whole is not kept
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(_MAP)
        count, every = 0, iter(rows)
        while some := list(islice(every, _AT_ONCE)):
            marks = ", ".join(f":{name}" for name in some[0])
            insert = f"INSERT OR REPLACE INTO map ({', '.join(some[0])}) VALUES ({marks})"  # noqa: S608  our own names
            connection.executemany(insert, some)
            count += len(some)
        for statement in _INDEXES:
            connection.execute(statement)
        connection.commit()
        return count


class RedirectTable(Closing):
    """Redirects in a nameless file, each address once; the first one of an address stays."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")
        self._connection.execute(
            "CREATE TABLE redirect (key TEXT PRIMARY KEY, source TEXT, goal TEXT, id TEXT) "
            "WITHOUT ROWID"
        )

    def add(self, redirect: Redirect) -> Redirect | None:
        """Put one down; returns the one that has its address already."""
        row = (redirect.key, redirect.source, redirect.goal, redirect.external_id)
        insert = "INSERT OR IGNORE INTO redirect VALUES (?, ?, ?, ?)"
        if self._connection.execute(insert, row).rowcount:
            return None
        found = self._connection.execute("SELECT * FROM redirect WHERE key = ?", row[:1])
        return Redirect(*found.fetchone())

    def longest(self) -> int:
        """Characters of the longest key."""
        query = "SELECT coalesce(max(length(key)), 0) FROM redirect"
        return int(self._connection.execute(query).fetchone()[0])

    def count(self) -> int:
        """How many there are."""
        return int(self._connection.execute("SELECT count(*) FROM redirect").fetchone()[0])

    def each(self) -> Iterator[tuple[Redirect, bool]]:
        """In the order of their keys, each with whether another one differs in case alone."""
        self._connection.execute("CREATE INDEX IF NOT EXISTS folded ON redirect (lower(key))")
        query = """SELECT key, source, goal, id, (SELECT count(*) FROM redirect o
          WHERE lower(o.key) = lower(redirect.key)) > 1 FROM redirect ORDER BY key"""
        for *row, twice in self._connection.execute(query):
            yield Redirect(*row), bool(twice)

    def close(self) -> None:
        """Free the space."""
        self._connection.close()
