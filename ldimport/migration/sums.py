"""Images of a scope by their last outcome: counted when asked, and kept in the scope's row by
whoever changes images, in the same transaction (design section 5)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from ldimport.migration.events import Totals
from ldimport.migration.state import StateFile

_STATES = """
SELECT coalesce(sum(open_batch IS NULL AND status = 'success'), 0) AS success,
  coalesce(sum(open_batch IS NULL AND status = 'skipped'), 0) AS skipped,
  coalesce(sum(open_batch IS NULL AND status = 'failed'), 0) AS failed,
  coalesce(sum(open_batch IS NOT NULL), 0) AS pending,
  coalesce(sum(open_batch IS NULL AND status IS NULL), 0) AS unsubmitted,
  coalesce(sum(open_batch IS NULL AND not_taken_over), 0) AS not_taken_over
FROM image WHERE scope = ? AND external_id IN (SELECT value FROM json_each(?))
"""
_ADD = """
UPDATE scope SET success = success + ?, skipped = skipped + ?, failed = failed + ?,
  pending = pending + ?, unsubmitted = unsubmitted + ?, not_taken_over = not_taken_over + ?
WHERE id = ?
"""


_OF_BATCHES = """
SELECT external_id FROM image
WHERE open_batch IN (SELECT value FROM json_each(:ids))
   OR last_batch IN (SELECT value FROM json_each(:ids)) AND open_batch IS NULL
"""


def outcomes(state: StateFile, scope: int | None, ids: Sequence[str]) -> Totals:
    """These images by their last outcome."""
    row = state.connection.execute(_STATES, (scope, json.dumps(ids))).fetchone()
    return Totals(**row)


def batch_outcomes(state: StateFile, scope: int | None, batches: Sequence[int]) -> Totals:
    """The images of these batches by their last outcome."""
    rows = state.connection.execute(_OF_BATCHES, {"ids": json.dumps(batches)})
    return outcomes(state, scope, [row["external_id"] for row in rows])


class kept:  # noqa: N801  reads like a statement: with sums.kept(…)
    """Inside, images of a scope change; after it, the scope's sums have followed."""

    def __init__(self, connection: sqlite3.Connection, scope: int, ids: Sequence[str]) -> None:
        self._connection = connection
        self._scope = scope
        self._ids = json.dumps(ids)

    def _count(self) -> list[int]:
        return list(self._connection.execute(_STATES, (self._scope, self._ids)).fetchone())

    def __enter__(self) -> None:
        self._before = self._count()

    def __exit__(self, kind: object, error: object, at: object) -> None:
        if kind is None:
            after = self._count()
            change = [new - old for new, old in zip(after, self._before, strict=True)]
            self._connection.execute(_ADD, (*change, self._scope))


def of_batch(connection: sqlite3.Connection, batch: int, scope: int) -> kept:
    """The same for all images that are under way in a batch."""
    rows = connection.execute("SELECT external_id FROM image WHERE open_batch = ?", (batch,))
    return kept(connection, scope, [row["external_id"] for row in rows])
