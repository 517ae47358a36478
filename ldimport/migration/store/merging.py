"""Two state files in one: what the other one knows is taken into the one in force.

A batch is known by its key, in both files once; an image by its archive and id, and the outcome
that counts is the later one. The rules stand in ``merging.sql`` and docs/unattended.md. Columns are
asked, so that a new one is carried; ``TABLES`` names the tables, which a test compares.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ldimport import database
from ldimport.database import statements
from ldimport.database_rows import check_whole, values_checked
from ldimport.errors import StateFileError, UsageError
from ldimport.migration.care import Merged
from ldimport.migration.store.care import SQL as CARE
from ldimport.migration.store.copying import backup
from ldimport.migration.store.queries import StateStore
from ldimport.migration.store.schema import KIND
from ldimport.migration.store.schema import SQL as STATEMENTS

SQL = statements(__package__, "merging.sql")

TABLES = ("scope", "batch", "image", "attempt", "kept", "verification", "verifying", "refusal",
          "run")  # fmt: skip
_FILLED = ("arrived", "media_id", "url", "original_url", "width", "height", "mime_type",
           "image_service")  # fmt: skip
"""What is known of an image at the target, whichever file knows it."""
_EXPRESSIONS = {
    "scope": "d.scope",
    "external_id": "d.external_id",
    "last_batch": "d.last",
    "open_batch": "d.opened",
    "pending": "CASE WHEN d.opened IS NULL THEN NULL WHEN m.open_batch IS d.opened THEN m.pending"
    " ELSE t.pending END",
    "attempts": "iif(d.fresh, t.attempts, m.attempts + coalesce(h.times, 0))",
    "parts": "iif(d.won, iif(t.arrived IS NULL AND m.arrived IS NOT NULL, m.parts, t.parts),"
    " iif(m.arrived IS NULL AND t.arrived IS NOT NULL, t.parts, m.parts))",
    **{name: f"iif(d.won, coalesce(t.{name}, m.{name}), coalesce(m.{name}, t.{name}))"
       for name in _FILLED},
}  # fmt: skip


def merge(state: Path, other: Path) -> Merged:
    """Take what another state file knows into the one in force, all of it or nothing; the other one
    is only read. Raises UsageError, StateFileError, LockedError, TemporaryError."""
    if not other.exists():
        raise UsageError(f"there is no state file at {other}", code="no-such-file")
    if state.exists() and other.samefile(state):
        text = f"{other} is the state file in force itself"
        raise UsageError(text, hint="name the other one", code="same-file")
    with _copy_of(other) as copy, Merging.open(state, write=True, command="state merge") as store:
        return store.take(copy)


@contextmanager
def _copy_of(other: Path) -> Iterator[Path]:
    """A copy of the newest schema, as of one moment, that nobody else has."""
    with tempfile.TemporaryDirectory(prefix="ldimport-merge-") as folder:
        copy = Path(folder) / "other.sqlite"
        backup(other, copy)
        with closing(database.connect(copy, KIND)) as connection:
            check_whole(connection, other, KIND)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield copy


@values_checked(KIND)
class Merging(StateStore):
    """A state file that takes in another one."""

    def take(self, other: Path) -> Merged:
        """Take all of it in one transaction."""
        uri = f"{other.resolve().as_uri()}?mode=ro&immutable=1"
        self._connection.execute("ATTACH ? AS other", (uri,))
        try:
            with self._writing() as connection:
                return _Merge(connection).carry_out()
        finally:
            self._connection.execute("DETACH other")


class _Merge:
    """One merge, within its transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute

    def carry_out(self) -> Merged:
        """Archives, batches, images, and what follows them; then the sums are counted again."""
        (engines,) = self._run(SQL["new_engines"]).fetchone()
        archives = self._run(SQL["add_scopes"]).rowcount
        self._run(SQL["map_scopes"])
        batches, settled = self._batches()
        added, updated, both_open = self._images()
        self._outcomes()
        verifications, runs = self._rest()
        self._sums()
        for table in ("scopes", "batches", "sides", "held_anew"):
            self._run(f"DROP TABLE temp.{table}")
        return Merged(archives, batches, settled, added, updated, both_open, verifications, runs,
                      int(engines))  # fmt: skip

    def _batches(self) -> tuple[int, int]:
        """Those that are new here, and those that came further there."""
        self._run(SQL["map_known_batches"])
        names = self._columns("batch", but=("id", "scope"))
        columns = ", ".join(names)
        new = self._run(
            f"INSERT INTO main.batch (scope, {columns}) SELECT s.ours, {_of('t', names)} "  # noqa: S608
            "FROM other.batch t JOIN temp.scopes s ON s.theirs = t.scope "
            "WHERE t.id NOT IN (SELECT theirs FROM temp.batches) ORDER BY t.recorded_at, t.key"
        ).rowcount
        self._run(SQL["map_new_batches"])
        self._run(SQL["index_batches"])
        if (row := self._run(SQL["strangers"]).fetchone()) is not None:
            text = f"the batch {row[0]} is of another archive in the other state file"
            hint = "these two do not come from one migration; one of them was changed by hand"
            raise StateFileError(text, hint=hint, code="state-damaged")
        further = self._run(
            f"UPDATE main.batch SET ({columns}) = (SELECT {_of('t', names)} "  # noqa: S608
            "FROM temp.batches b JOIN other.batch t ON t.id = b.theirs WHERE b.ours = batch.id) "
            "WHERE id IN (SELECT ours FROM temp.batches WHERE taken AND our_come IS NOT NULL)"
        ).rowcount
        return new, further

    def _images(self) -> Sequence[int]:
        """Each by its later outcome; how many are new, how many others follow the other file, how
        many are under way in both, in different batches."""
        for name in ("sides", "index_sides", "held_anew", "index_held"):
            self._run(SQL[name])
        counts = tuple(self._run(SQL["count_sides"]).fetchone())
        names = self._columns("image")
        given = ", ".join(
            f"{_EXPRESSIONS.get(name, f'iif(d.won, t.{name}, m.{name})')} AS {name}"
            for name in names
        )
        same = " AND ".join(f"now.{name} IS x.{name}" for name in names)
        self._run(
            f"INSERT OR REPLACE INTO main.image ({', '.join(names)}) "  # noqa: S608
            f"SELECT {_of('x', names)} FROM (SELECT {given} {SQL['both_images']}) x "
            "LEFT JOIN main.image now ON now.scope = x.scope AND now.external_id = x.external_id "
            f"WHERE now.scope IS NULL OR NOT ({same})"
        )
        self._run(SQL["none_open"])
        return counts

    def _outcomes(self) -> None:
        """Attempts follow their batches, kept rows their images."""
        self._run(SQL["drop_attempts"])
        names = self._columns("attempt", but=("batch",))
        self._run(
            f"INSERT INTO main.attempt (batch, {', '.join(names)}) "  # noqa: S608
            f"SELECT b.ours, {_of('t', names)} FROM temp.batches b "
            "JOIN other.attempt t ON t.batch = b.theirs WHERE b.taken"
        )
        self._run(SQL["drop_kept"])
        self._run(SQL["add_kept"])

    def _rest(self) -> tuple[int, int]:
        """Looks and refusals, the newest of each; runs, all of both in the order of time."""
        self._newest("verifying", "later_verifying", scoped=True)
        looks = self._newest("verification", "later_verifications", scoped=True)
        self._newest("refusal", "later_refusals")
        columns = ", ".join(self._columns("run", but=("id",)))
        self._run(
            f"CREATE TEMP TABLE new_runs AS SELECT {columns} FROM other.run "  # noqa: S608
            f"EXCEPT SELECT {columns} FROM main.run"
        )
        (runs,) = self._run("SELECT count(*) FROM temp.new_runs").fetchone()
        if runs:
            self._run(f"INSERT INTO temp.new_runs SELECT {columns} FROM main.run")  # noqa: S608
            self._run("DELETE FROM main.run")
            self._run(
                f"INSERT INTO main.run ({columns}) SELECT {columns} FROM temp.new_runs "  # noqa: S608
                "ORDER BY finished_at, started_at, command, target"
            )
        self._run("DROP TABLE temp.new_runs")
        return looks, int(runs)

    def _newest(self, table: str, which: str, *, scoped: bool = False) -> int:
        names = self._columns(table, but=("scope",))
        columns, values = ", ".join(names), _of("t", names)
        if scoped:
            columns, values = f"scope, {columns}", f"s.ours, {values}"
        insert = f"INSERT OR REPLACE INTO main.{table} ({columns}) SELECT {values} {SQL[which]}"
        return self._run(insert).rowcount

    def _sums(self) -> None:
        for (archive,) in self._run("SELECT ours FROM temp.scopes").fetchall():
            sums = tuple(self._run(STATEMENTS["recount"], (archive,)).fetchone())
            self._run(CARE["store_sums"], (*sums, archive))

    def _columns(self, table: str, but: Sequence[str] = ()) -> list[str]:
        rows = self._run(f"PRAGMA main.table_info({table})")
        return [row["name"] for row in rows if row["name"] not in but]


def _of(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)
