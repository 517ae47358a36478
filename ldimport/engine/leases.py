"""A worker's hold on its images, and what becomes of it when the worker dies or hangs.

Each worker holds an OS lock on ``workers/<name>.lock``. Leases are void at once when that lock
is free (the process is dead), and at ``expires`` when it is held but the worker hangs. Clocks are
monotonic, which all processes of one boot share; after a restart of the machine no lock is held.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from pathlib import Path

from ldimport.engine import jobs, library
from ldimport.engine.blobs import BlobStore
from ldimport.engine.catalogue import Catalogue
from ldimport.model import Limits
from ldimport.system import ProcessLock

PATROL = 1.0
"""Seconds between two looks for workers that died."""


class Leases:
    """This worker's lock and number, and until when its leases hold."""

    def __init__(self, catalogue: Catalogue, store: BlobStore) -> None:
        self._catalogue = catalogue
        self._store = store
        self._lock = _take_lock(catalogue.folder / "workers")
        self.name = self._lock.path.stem
        self.worker = 0
        self._seconds = Limits().lease_seconds
        self._expires = 0.0
        self._patrolled_at = float("-inf")

    @property
    def ageing(self) -> bool:
        """Whether a third of the lease is over: time to renew it."""
        return time.monotonic() > self._expires - self._seconds * 2 / 3

    def last(self, seconds: float) -> None:
        """From now on leases last so long without renewal; they are due for one."""
        if seconds != self._seconds:
            self._seconds, self._expires = seconds, 0.0

    def renew(self, connection: sqlite3.Connection) -> bool:
        """Prolong the leases within the caller's transaction. False when they were voided, or
        at first: then this worker has a new number, and holds nothing under it."""
        self._expires = time.monotonic() + self._seconds
        if jobs.renew(connection, self.worker, self._expires):
            return True
        self.worker = jobs.register(connection, self.name, self._expires)
        return False

    def patrol(self) -> None:
        """Once a second, void what dead and hung workers had, and clear up behind the dead."""
        now = time.monotonic()
        if now < self._patrolled_at + PATROL:
            return
        self._patrolled_at = now
        with self._catalogue.reading() as connection:
            others = [each for each in jobs.workers(connection) if each[1] != self.name]
        gone = [each for each in others if not self._alive(each[1])]
        hung = [each for each in others if each not in gone and each[2] < now]
        if gone or hung:
            with self._catalogue.writing() as connection:
                for worker, _, _ in gone + hung:
                    jobs.void(connection, worker)
        for name in self._traces():
            self._clear_up(name)

    def leave(self) -> None:
        """Give back what is still leased, clear up, free the lock."""
        try:
            with self._catalogue.writing() as connection:
                jobs.void(connection, self.worker)
                self._recover(connection, self.name)
        finally:
            self._lock.discard()

    def _traces(self) -> set[str]:
        """Names of other workers that have a lock file or a folder."""
        locks = {path.stem for path in self._lock.path.parent.glob("*.lock")}
        return (locks | set(self._store.leftovers())) - {self.name}

    def _alive(self, name: str) -> bool:
        return ProcessLock(self._path(name)).held()

    def _path(self, name: str) -> Path:
        return self._lock.path.with_name(f"{name}.lock")

    def _recover(self, connection: sqlite3.Connection, name: str) -> None:
        self._store.recover(name, lambda blobs: library.without_row(connection, blobs))

    def _clear_up(self, name: str) -> None:
        """Remove what a dead worker left behind, while holding its lock: a worker that is just
        starting under this name cannot come in between (see ``_take_lock``)."""
        lock = ProcessLock(self._path(name))
        if not lock.acquire():
            return
        try:
            with self._catalogue.writing() as connection:
                self._recover(connection, name)
            lock.discard()
        finally:
            lock.release()


def _take_lock(folder: Path) -> ProcessLock:
    """A lock of a new name. Somebody may have removed the file between its making and its
    locking; then it guards nothing, and another name is tried."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        lock = ProcessLock(folder / f"{secrets.token_hex(8)}.lock")
        if lock.acquire("ldimport worker") and lock.path.exists():
            return lock
        lock.release()
