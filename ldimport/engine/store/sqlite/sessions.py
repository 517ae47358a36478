"""A worker's hold on its images, and what becomes of it when the worker dies or hangs.

Each session holds an OS lock on ``workers/<name>.lock``. Its leases are void at once when that
lock is free (the process is dead), and at ``expires`` when it is held but the worker hangs. Clocks
are monotonic, which all processes of one boot share; after a restart of the machine no lock is
held. The number of its row is the fencing token.
"""

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from ldimport.engine.blobs import Blobs
from ldimport.engine.records import Claimed, DeliveryOutcome, ImportOutcome, Notification
from ldimport.engine.store.contract import WorkerSession
from ldimport.engine.store.sqlite import jobs, library, outbox
from ldimport.engine.store.sqlite.catalogue import Catalogue, insert
from ldimport.model import Limits
from ldimport.system import ProcessLock, durable_folder

FOLDER = "workers"
PATROL = 1.0
"""Seconds between two looks for workers that died."""


class SqliteSession(WorkerSession):
    """A row of ``worker``, and a lock."""

    def __init__(self, catalogue: Catalogue, blobs: Blobs | None) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._clock = catalogue.monotonic
        self._lock = _take_lock(catalogue.folder / FOLDER)
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

    def last(self, seconds: float) -> None:
        if seconds != self._seconds:
            self._seconds, self._expires = seconds, 0.0

    def work(
        self,
        done: Sequence[ImportOutcome],
        now: float,
        *,
        lost: Callable[[], set[str]] = set,
        most: int = 0,
        terms: int | None = None,
    ) -> Claimed:
        with self._catalogue.writing() as connection:  # who clears up writes, and so waits
            kept = self._renew(connection)
            gone = lost()
            again = [each.task for each in done if each.new and each.new.sha256 in gone]
            jobs.release(connection, again)
            jobs.record(connection, done, now)
            return Claimed(kept, *jobs.claim(connection, self._worker, most, terms))

    def deliver(
        self, done: Sequence[DeliveryOutcome], most: int, now: float
    ) -> Sequence[Notification]:
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
        sql = "SELECT id, name, expires FROM worker WHERE name <> ?"
        others = self._catalogue.rows(sql, self.name)
        if gone := [n for n, name, end in others if end < now or not self._lock_of(name).held()]:
            with self._catalogue.writing() as connection:
                for worker in gone:
                    _void(connection, worker)
        names = {path.stem for path in self._lock.path.parent.glob("*.lock")}
        left = set() if self._blobs is None else set(self._blobs.leftovers())
        for name in (names | left) - {self.name}:
            self._clear_up(name)

    def leave(self) -> None:
        try:
            with self._catalogue.writing() as connection:
                _void(connection, self._worker)
                self._recover(connection, self.name)
        finally:
            self._lock.discard()

    def _renew(self, connection: sqlite3.Connection) -> bool:
        """False when the leases were voided, or at first: then this session has a new number, and
        holds nothing under it."""
        self._expires = self._clock() + self._seconds
        sql = "UPDATE worker SET expires = ? WHERE id = ?"
        if connection.execute(sql, (self._expires, self._worker)).rowcount:
            return True
        self._worker = insert(connection, "worker", name=self.name, expires=self._expires)
        return False

    def _lock_of(self, name: str) -> ProcessLock:
        return ProcessLock(self._lock.path.with_name(f"{name}.lock"))

    def _recover(self, connection: sqlite3.Connection, name: str) -> None:
        if self._blobs is not None:
            self._blobs.recover(name, lambda blobs: library.without_row(connection, blobs))

    def _clear_up(self, name: str) -> None:
        """Remove what a dead worker left behind, while holding its lock: a worker that is just
        starting under this name cannot come in between (see ``_take_lock``)."""
        lock = self._lock_of(name)
        if not lock.acquire():
            return
        try:
            with self._catalogue.writing() as connection:
                self._recover(connection, name)
            lock.discard()
        finally:
            lock.release()


def _void(connection: sqlite3.Connection, worker: int) -> None:
    """Strike a session out: what it had leased is free at once."""
    connection.execute("UPDATE item SET worker = NULL WHERE worker = ?", (worker,))
    connection.execute("UPDATE webhook SET worker = NULL WHERE worker = ?", (worker,))
    connection.execute("DELETE FROM worker WHERE id = ?", (worker,))


def _take_lock(folder: Path) -> ProcessLock:
    """A lock of a new name. Somebody may have removed the file between its making and its
    locking; then it guards nothing, and another name is tried."""
    durable_folder(folder)
    while True:
        lock = ProcessLock(folder / f"{secrets.token_hex(8)}.lock")
        if lock.acquire("ldimport worker") and lock.path.exists():
            return lock
        lock.release()


def busy(folder: Path) -> bool:
    """Whether a session on the engine in this folder is alive."""
    return any(ProcessLock(path).held() for path in (folder / FOLDER).glob("*.lock"))
