"""A worker's hold on its images, and what becomes of it when the worker dies or hangs.

Each session holds an OS lock on ``workers/<name>.lock``. Its leases are void at once when that
lock is free (the process is dead), and at ``expires`` when it is held but the worker hangs. Clocks
are monotonic, which all processes of one boot share; after a restart of the machine no lock is
held. The number of its row is the fencing token.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from ldimport import database
from ldimport.database_rows import values_checked
from ldimport.engine import records
from ldimport.engine.blobs import Blobs
from ldimport.engine.store.contract import WorkerSession
from ldimport.engine.store.sqlite import jobs, library, outbox
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.engine.store.sqlite.schema import KIND, SQL
from ldimport.model import Limits
from ldimport.system import ProcessLock, durable_folder, new_lock, private_folder

FOLDER = "workers"
PATROL = 1.0
"""Seconds between two looks for workers that died."""


@values_checked(KIND)
class SqliteSession(WorkerSession):
    """A row of ``worker``, and a lock."""

    def __init__(self, catalogue: Catalogue, blobs: Blobs | None) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._clock = catalogue.monotonic
        with database.translated(catalogue.path, KIND):
            durable_folder(catalogue.folder / FOLDER)
            self._lock = new_lock(catalogue.folder / FOLDER, after=".lock", command="worker")
        self._worker = 0
        self._seconds = Limits().lease_seconds
        self._expires = 0.0
        self._patrolled_at = float("-inf")

    @property
    def name(self) -> str:
        return self._lock.path.stem

    @property
    def ageing(self) -> bool:
        return self._clock() > self._expires - self._seconds * 2 / 3

    def hold(self, task: records.ImportTask | None) -> None:
        self._lock.note(0 if task is None else task.item)

    def last(self, seconds: float) -> None:
        if seconds != self._seconds:
            self._seconds, self._expires = seconds, 0.0

    def work(
        self,
        done: Sequence[records.ImportOutcome],
        now: float,
        *,
        lost: Callable[[], set[str]] = set,
        most: int = 0,
        terms: int | None = None,
        only: str | None = None,
        back: Sequence[records.ImportTask] = (),
        after: int = 0,
    ) -> records.Claimed:
        changes = library.changes(done, now)
        with self._catalogue.writing() as connection:  # who clears up writes, and so waits
            began, kept = self._worker, self._renew(connection)
            connection.execute("UPDATE engine SET moved_at = ?", (now,))
            gone = lost()
            again = [each.task for each in done if each.new and each.new.sha256 in gone]
            jobs.release(connection, (*again, *back))
            jobs.record(connection, done, changes, now)
            if began and not kept:
                _recover(connection, self._blobs, self.name)
            asked = (self._worker, most, terms, only, after, now)
            found, rows = jobs.claim(connection, *asked)
        return records.Claimed(kept, found, tuple(jobs.task(row, self._worker) for row in rows))

    def deliver(
        self, done: Sequence[records.DeliveryOutcome], most: int, now: float
    ) -> Sequence[records.Notification]:
        with self._catalogue.writing() as connection:
            self._renew(connection)
            for outcome in done:
                outbox.settle(connection, outcome, now)
            return outbox.claim(connection, self._worker, most, now)

    def patrol(self) -> None:
        now = self._clock()
        if now < self._patrolled_at + PATROL:
            return
        self._patrolled_at = now
        sql = "SELECT name FROM worker WHERE expires < ? AND name <> ?"
        if hung := self._catalogue.rows(sql, now, self.name):
            with self._catalogue.writing() as connection:
                for (name,) in hung:
                    _void(connection, name, self._lock.path.with_name(f"{name}.lock"))
        clear_up(self._catalogue, self._blobs, self.name)
        if stuck := self._catalogue.rows(SQL["stuck"]):
            path, job = self._catalogue.path, stuck[0]["id"]
            text = f"the engine catalogue {path} is damaged: job {job} has no image that is open"
            raise KIND.error(text, "state-damaged")

    def leave(self) -> None:
        try:
            with self._catalogue.writing() as connection:
                _void(connection, self.name)
                _recover(connection, self._blobs, self.name)
        finally:
            self._lock.discard()

    def _renew(self, connection: sqlite3.Connection) -> bool:
        """False when the leases were voided, or at first: then this session has a new number, and
        holds nothing under it."""
        self._expires = self._clock() + self._seconds
        sql = "UPDATE worker SET expires = ? WHERE id = ?"
        if connection.execute(sql, (self._expires, self._worker)).rowcount:
            return True
        sql = "INSERT INTO worker (name, expires) VALUES (?, ?)"
        self._worker = connection.execute(sql, (self.name, self._expires)).lastrowid or 0
        return False


def clear_up(catalogue: Catalogue, blobs: Blobs | None, but: str = "") -> None:
    """Strike out the sessions that died (all ``but`` one are looked at), and remove what they
    left, while holding their locks: a worker that is just starting under such a name cannot come
    in between (see ``new_lock``)."""
    folder = catalogue.folder / FOLDER
    names = {path.stem for path in folder.glob("*.lock")}
    names.update(row["name"] for row in catalogue.rows("SELECT name FROM worker"))
    names.update(() if blobs is None else blobs.leftovers())
    for name in names - {but}:
        with database.translated(catalogue.path, KIND):
            private_folder(folder)
            lock = ProcessLock(folder / f"{name}.lock")
            if not lock.take():
                continue
        try:
            with catalogue.writing() as connection:
                _void(connection, name, lock.path)
                _recover(connection, blobs, name)
            lock.discard()
        finally:
            lock.release()


def orphans(catalogue: Catalogue, blobs: Blobs, part: str) -> Sequence[str]:
    """See ``Store.orphans``."""

    def found() -> list[str]:
        return library.without_row(catalogue.connection, blobs.stored(part))

    if not found():
        return ()
    with catalogue.writing():  # now nobody can enter a row for one of them
        for sha256 in (gone := found()):
            blobs.delete(sha256)
    return gone


def _recover(connection: sqlite3.Connection, blobs: Blobs | None, name: str) -> None:
    if blobs is not None:
        blobs.recover(name, lambda names: library.without_row(connection, names))


def _void(connection: sqlite3.Connection, name: str, lock: Path | None = None) -> None:
    """Strike a session out: what it had leased is free at once. With its ``lock`` file this is a
    death, and counted for the image that it was at."""
    row = connection.execute("SELECT id FROM worker WHERE name = ?", (name,)).fetchone()
    if row is None:
        return
    at = None if lock is None else ProcessLock(lock).holder().get("note")
    sql = "UPDATE item SET deaths = deaths + 1 WHERE id = ? AND worker = ?"
    connection.execute(sql, (at, row["id"]))
    for table in ("item", "webhook"):
        sql = f"UPDATE {table} SET worker = NULL WHERE worker = ?"  # noqa: S608
        connection.execute(sql, (row["id"],))
    connection.execute("DELETE FROM worker WHERE id = ?", (row["id"],))


def in_hand(folder: Path, pid: int) -> bool:
    """Whether a session of this process has an image in hand, or died over it."""
    holders = (ProcessLock(path).holder() for path in (folder / FOLDER).glob("*.lock"))
    return any(each.get("pid") == pid and each.get("note") for each in holders)


def busy(folder: Path) -> bool:
    """Whether a session on the engine in this folder is alive."""
    return any(ProcessLock(path).held() for path in (folder / FOLDER).glob("*.lock"))
