"""Following jobs as they come and go, whichever process accepts them and carries them out."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ldimport.engine import jobs
from ldimport.engine.catalogue import Catalogue
from ldimport.model import Counts, JobState


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job was accepted (``started``), or has ended; ``seconds`` since its acceptance."""

    id: str
    state: JobState
    counts: Counts
    seconds: float


class Follower:
    """What happens to the jobs of a catalogue from now on. Jobs that are open already are not
    told as accepted, but their end is."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._seen = -1
        with catalogue.reading() as connection:
            self._open = _open(connection)
            (self._newest,) = connection.execute("SELECT coalesce(max(n), 0) FROM job").fetchone()

    @property
    def open_jobs(self) -> int:
        """Jobs open when it looked last."""
        return len(self._open)

    def look(self) -> Sequence[JobChange]:
        """What has changed since the last look; costs no file access when nothing has. Call it
        from one thread."""
        version = self._catalogue.version()
        if version == self._seen:
            return ()
        with self._catalogue.reading() as connection:
            fresh = _rows(connection, "n > ? ORDER BY n", self._newest)
            still = _open(connection)
            gone = sorted((self._open | {row["n"] for row in fresh}) - still)
            ended = [row for n in gone for row in _rows(connection, "n = ?", n)]
        self._open, self._seen = still, version
        self._newest = fresh[-1]["n"] if fresh else self._newest
        return [_accepted(row) for row in fresh] + [_ended(row) for row in ended]


def _open(connection: sqlite3.Connection) -> set[int]:
    return {n for (n,) in connection.execute("SELECT n FROM job WHERE state = 'started'")}


def _rows(connection: sqlite3.Connection, where: str, value: int) -> list[sqlite3.Row]:
    return connection.execute(f"SELECT * FROM job WHERE {where}", (value,)).fetchall()  # noqa: S608


def _accepted(row: sqlite3.Row) -> JobChange:
    return JobChange(row["id"], JobState.STARTED, Counts(pending=row["images"]), 0.0)


def _ended(row: sqlite3.Row) -> JobChange:
    seconds = max(0.0, row["finished_at"] - row["created_at"])
    return JobChange(row["id"], JobState(row["state"]), jobs.counts(row), seconds)
