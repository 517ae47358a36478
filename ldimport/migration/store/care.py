"""Is the state file sound, and what is in it: sums counted again, everything packed read."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ldimport.database import as_it_is, statements
from ldimport.database_rows import made, misfits, values_checked
from ldimport.errors import StateFileError
from ldimport.migration.care import StateFault, StateHealth, StateInfo
from ldimport.migration.model import RunRow
from ldimport.migration.store.packing import unpack, unpack_one
from ldimport.migration.store.queries import StateStore
from ldimport.migration.store.schema import KIND
from ldimport.migration.store.schema import SQL as STATEMENTS

SQL = statements(__package__, "care.sql")

_SUMS = ("success", "skipped", "failed", "pending", "unsubmitted", "not_taken_over", "waived")
_MOST = 20
"""Faults of one kind that are told."""
_BACK = "bring back a copy (ldimport state backup makes them)"
_COUNT = "ldimport state check --repair counts again"
_SEND = "ldimport submit MANIFEST --resend sends what is in doubt again"


def info(path: Path) -> StateInfo:
    """What a state file is. An older one is read as it is. Raises StateFileError."""
    with closing(as_it_is(path, KIND)) as raw:
        (schema,) = raw.execute("PRAGMA user_version").fetchone()
    beside = (path, path.with_name(f"{path.name}-wal"))
    size = sum(each.stat().st_size for each in beside if each.exists())
    with Care.open(path, write=False) as store:
        return store.info(size, int(schema))


def check(path: Path, *, repair: bool = False) -> StateHealth:
    """Look at all of a state file; ``repair``: count its sums again, under the lock. Raises
    StateFileError where so little is left that nothing can be looked at."""
    with Care.open(path, write=repair, command="state check --repair") as store:
        repaired = store.repair() if repair else 0
        return store.health(repaired)


@values_checked(KIND)
class Care(StateStore):
    """A state file that is looked after. Memory does not grow with its images."""

    def info(self, size: int, schema: int) -> StateInfo:
        """What it is."""
        jobs = {row["state"]: row["jobs"] for row in self._connection.execute(SQL["jobs_by_state"])}
        run = self._connection.execute(SQL["last_run"]).fetchone()
        return StateInfo(
            self.path,
            size,
            schema,
            len(KIND.migrations),
            self.archives(),
            jobs,
            self.overview(most=0).last_change,
            None if run is None else made(RunRow, run),
            self.holder,
        )

    def health(self, repaired: int = 0) -> StateHealth:
        """What is wrong with it, as of one moment."""
        self._connection.execute("BEGIN")
        try:
            faults = tuple(self._faults())
            images, jobs = (
                int(self._first(f"SELECT count(*) FROM {what}"))  # noqa: S608  our own words
                for what in ("image", "batch WHERE job_id IS NOT NULL")
            )
        finally:
            self._connection.execute("COMMIT")
        return StateHealth(self.path, images, jobs, faults, repaired)

    def repair(self) -> int:
        """Count the sums of archives and jobs again; how many were wrong."""
        with self._writing() as connection:
            sums, jobs = list(self._wrong_sums()), list(self._wrong_jobs())
            for row, right in sums:
                connection.execute(SQL["store_sums"], (*right, row["id"]))
            for row in jobs:
                connection.execute(SQL["store_counts"], (row["id"],))
        return len(sums) + len(jobs)

    def _faults(self) -> Iterator[StateFault]:
        damage = list(self._damage())
        yield from damage
        if damage:  # what rests on broken pages or values would only be told once more
            return
        for row, right in self._wrong_sums():
            pairs = zip(_SUMS, right, strict=True)
            told = ", ".join(f"{name} {row[name]} is {n}" for name, n in pairs if n != row[name])
            name = f"the sums of “{row['system_name']}” at {row['label']}"
            yield StateFault(f"{name} are not those of its images: {told}", _COUNT, True)
        for row in self._wrong_jobs():
            name = f"the counts of the job {row['job_id'] or row['key']}"
            yield StateFault(f"{name} are not those of its outcomes", _COUNT, True)
        yield from self._lost_images()
        yield from self._unreadable()

    def _damage(self) -> Iterator[StateFault]:
        """What SQLite finds, and values of no kind that is ever written."""
        for (text,) in self._connection.execute(f"PRAGMA integrity_check({_MOST})"):
            if text != "ok":
                yield StateFault(f"SQLite finds damage: {text}", _BACK)
        tables: dict[str, int] = {}
        for row in self._connection.execute("PRAGMA foreign_key_check"):
            tables[row["table"]] = tables.get(row["table"], 0) + 1
        for table, rows in tables.items():
            yield StateFault(f"{rows:,} rows of {table} name what is not there", _BACK)
        for text in misfits(self._connection, KIND):
            yield StateFault(text, _BACK)

    def _wrong_sums(self) -> Iterator[tuple[sqlite3.Row, Sequence[int]]]:
        for row in self._connection.execute("SELECT * FROM scope ORDER BY id").fetchall():
            right = tuple(self._connection.execute(STATEMENTS["recount"], (row["id"],)).fetchone())
            if right != tuple(row[name] for name in _SUMS):
                yield row, right

    def _wrong_jobs(self) -> Iterator[sqlite3.Row]:
        yield from self._connection.execute(SQL["wrong_jobs"])

    def _lost_images(self) -> Iterator[StateFault]:
        if n := self._first(SQL["strange"]):
            yield StateFault(f"{n:,} states of images or jobs are words of no meaning", _BACK)
        for query, text, fix in (
            ("stranded", "are under way in a job that is not", _SEND),
            ("misplaced", "had their outcome from a job of another archive", _BACK),
            ("unkept", "failed and are not kept as they were sent: retry cannot send them",
             "ldimport submit MANIFEST sends them when their rows are there"),
        ):  # fmt: skip
            if n := self._first(SQL[query]):
                yield StateFault(f"{n:,} images {text}", fix)

    def _unreadable(self) -> Iterator[StateFault]:
        """Requests and rows that wait to be sent again are read, one at a time."""
        for row in self._connection.execute(SQL["open_packed"]):
            fine = _readable(lambda row=row: len(unpack(row["packed"])[1]) == row["images"])
            if not fine:
                yield StateFault(
                    f"the request of the open batch {row['key']} cannot be read", _SEND
                )
        bad, first = 0, ""
        for row in self._connection.execute(SQL["kept"]):
            if not _readable(lambda row=row: unpack_one(row["packed"])):
                bad, first = bad + 1, first or row["external_id"]
        if bad:
            text = f"{bad:,} failed images cannot be read as they were sent, the first is “{first}”"
            yield StateFault(text, _SEND)


def _readable(read: Any) -> bool:
    try:
        return bool(read())
    except (StateFileError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False
