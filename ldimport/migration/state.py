"""The state file: every entry ever sent, every job, every result (design section 5).

Its statements are in ``ledger`` (recording), ``settling`` (ends of jobs), ``sums``, ``results``,
``history`` and ``identity`` (reading). Intent is recorded before it is acted upon: a batch stands
here, with its key, before it is POSTed.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from ldimport import database
from ldimport.errors import LockedError
from ldimport.system import ProcessLock

_SCHEMA = """
-- where images go, and under which systemName; with the sums of its images' states
CREATE TABLE scope (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  label TEXT NOT NULL,
  system_name TEXT NOT NULL,
  success INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  pending INTEGER NOT NULL DEFAULT 0,
  unsubmitted INTEGER NOT NULL DEFAULT 0,
  not_taken_over INTEGER NOT NULL DEFAULT 0,
  UNIQUE (target, system_name)
);
-- one POST: intent -> started -> success | failed | lost, or intent -> refused; never deleted
CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  scope INTEGER NOT NULL REFERENCES scope,
  key TEXT NOT NULL UNIQUE,
  job_id TEXT,
  state TEXT NOT NULL,
  manifest TEXT NOT NULL,
  manifest_path TEXT NOT NULL,
  options TEXT NOT NULL,
  packed BLOB,            -- request and original rows, until the job has ended
  images INTEGER NOT NULL,
  first_row INTEGER NOT NULL,
  last_row INTEGER NOT NULL,
  success INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  recorded_at REAL NOT NULL,
  submitted_at REAL,
  finished_at REAL
);
CREATE INDEX batch_open ON batch (state) WHERE state IN ('intent', 'started');
CREATE INDEX batch_job ON batch (job_id);
-- one image for ever: its last outcome, and the batch it is under way in
CREATE TABLE image (
  scope INTEGER NOT NULL REFERENCES scope,
  external_id TEXT NOT NULL,
  status TEXT,            -- success, skipped, failed; NULL: not sent
  sent BLOB,              -- fingerprint that the last outcome is about
  arrived BLOB,           -- digest of the content that the target confirmed
  not_taken_over INTEGER NOT NULL DEFAULT 0,
  open_batch INTEGER REFERENCES batch,
  pending BLOB,           -- fingerprint under way
  last_batch INTEGER REFERENCES batch,
  row INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  reason TEXT,
  cause TEXT,
  retryable INTEGER NOT NULL DEFAULT 0,
  media_id TEXT,
  url TEXT,
  original_url TEXT,
  width INTEGER,
  height INTEGER,
  mime_type TEXT,
  image_service TEXT,
  title TEXT,
  file_name TEXT,
  source_url TEXT NOT NULL,
  PRIMARY KEY (scope, external_id)
) WITHOUT ROWID;
CREATE INDEX image_open ON image (open_batch) WHERE open_batch IS NOT NULL;
CREATE INDEX image_last ON image (last_batch, row);
CREATE INDEX image_failed ON image (scope, cause) WHERE status = 'failed';
-- every outcome ever told, in the order of the request; append-only
CREATE TABLE attempt (
  batch INTEGER NOT NULL REFERENCES batch,
  n INTEGER NOT NULL,
  external_id TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  PRIMARY KEY (batch, n)
) WITHOUT ROWID;
-- failed images as they were sent, with their original rows, until they succeed
CREATE TABLE kept (
  scope INTEGER NOT NULL REFERENCES scope,
  external_id TEXT NOT NULL,
  packed BLOB NOT NULL,
  PRIMARY KEY (scope, external_id)
) WITHOUT ROWID;
"""

KIND = database.DatabaseKind(
    name="state file",
    application_id=0x6C646D73,  # "ldms"
    migrations=(_SCHEMA,),
    way_out="name another one with --state FILE",
)


class StateFile:
    """An open state file. One writer at a time, by an OS lock on ``<file>.lock``; readers never
    block. Use ``StateFile.open``."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: ProcessLock | None
    ) -> None:
        self.path = path
        self.connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, write: bool, command: str = "") -> StateFile:
        """Open ``path``; created when ``write`` and absent, read as empty when only reading.

        ``command`` tells other runs who holds it. Raises LockedError when another run writes,
        StateFileError when it is not ours, TemporaryError when the disk does not let us.
        """
        if not write:
            return cls(path, _read_only(path), None)
        with database.translated(path, KIND):
            if path.exists() and not path.is_file():
                database.connect(path, KIND)  # says what is wrong with it
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = ProcessLock(path.with_name(path.name + ".lock"))
            if path.exists():  # a foreign file gets its message, not a lock beside it
                database.check(path, KIND)
            if not lock.acquire(command):
                raise locked_error(path, lock)
        try:
            return cls(path, database.connect(path, KIND), lock)
        except BaseException:
            lock.release()
            raise

    @property
    def writable(self) -> bool:
        """Whether this run holds the lock."""
        return self._lock is not None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction."""
        with database.translated(self.path, KIND), database.writing(self.connection):
            yield self.connection

    def close(self) -> None:
        """Fold the write-ahead log into the one file, and let the next run in."""
        if self._lock is not None:
            with suppress(sqlite3.Error):  # a reader may be in the way: the next close does it
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> StateFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError):  # met while reading: damage shows late
            with database.translated(self.path, KIND):
                raise error


def _read_only(path: Path) -> sqlite3.Connection:
    if path.is_symlink() or path.exists():
        return database.connect(path, KIND, write=False)
    return database.in_memory(KIND)


def locked_error(path: Path, lock: ProcessLock) -> LockedError:
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
