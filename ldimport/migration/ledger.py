"""The state file's statements: record a batch, and look things up.

Every function that writes is one transaction, and keeps the sums of a scope equal to its images
(``sums``). What the end of a job changes is in ``settling``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ldimport import wire
from ldimport.migration import sums
from ldimport.migration.batch import (
    Envelope,
    Outgoing,
    pack,
    unpack,
    unpack_one,
)
from ldimport.migration.state import StateFile
from ldimport.model import JobOptions, Status


@dataclass(frozen=True, slots=True)
class Known:
    """What the state file knows of an image that a manifest names again."""

    status: Status | None
    sent: bytes | None
    arrived: bytes | None
    pending: bytes | None
    open: bool
    not_taken_over: bool
    last_batch: int | None


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A recorded batch whose job has not ended; ``job_id`` None: intent, maybe never sent."""

    id: int
    scope: int
    key: str
    job_id: str | None
    images: int
    system_name: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch comes from: manifest as shown, and its absolute path."""

    manifest: str
    path: str


def scope_id(state: StateFile, target: str, label: str, system_name: str) -> int | None:
    """Number of the scope; made when the state file is writable, else None if unknown."""
    find = "SELECT id FROM scope WHERE target = ? AND system_name = ?"
    found = state.connection.execute(find, (target, system_name)).fetchone()
    if found is None and state.writable:
        with state.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO scope (target, label, system_name) VALUES (?, ?, ?)",
                (target, label, system_name),
            )
            found = connection.execute(find, (target, system_name)).fetchone()
    return None if found is None else int(found["id"])


def system_names(state: StateFile, target: str) -> list[str]:
    """The systemNames this state file has used for a target."""
    rows = state.connection.execute(
        "SELECT system_name FROM scope WHERE target = ? ORDER BY id", (target,)
    )
    return [row["system_name"] for row in rows]


_KNOWN = """
SELECT external_id, status, sent, arrived, pending, open_batch, not_taken_over, last_batch
FROM image WHERE scope = ? AND external_id IN (SELECT value FROM json_each(?))
"""


def known(state: StateFile, scope: int | None, ids: Sequence[str]) -> dict[str, Known]:
    """What is known of these external ids (a few hundred at a time)."""
    if scope is None:
        return {}
    rows = state.connection.execute(_KNOWN, (scope, json.dumps(ids)))
    return {
        row["external_id"]: Known(
            None if row["status"] is None else Status(row["status"]),
            row["sent"],
            row["arrived"],
            row["pending"],
            row["open_batch"] is not None,
            bool(row["not_taken_over"]),
            row["last_batch"],
        )
        for row in rows
    }


def manifest_path(state: StateFile, batch: int) -> str:
    """Absolute path of the manifest that a batch came from."""
    row = state.connection.execute(
        "SELECT manifest_path FROM batch WHERE id = ?", (batch,)
    ).fetchone()
    return "" if row is None else str(row["manifest_path"])


# -- the life of a batch -------------------------------------------------------------------

_INSERT_BATCH = """
INSERT INTO batch (scope, key, state, manifest, manifest_path, options, packed, images,
                   first_row, last_row, recorded_at)
VALUES (?, ?, 'intent', ?, ?, ?, ?, ?, ?, ?, ?)
"""
_OPEN_IMAGE = """
INSERT INTO image (scope, external_id, open_batch, pending, row, file_name, source_url)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (scope, external_id) DO UPDATE SET open_batch = excluded.open_batch,
  pending = excluded.pending, row = excluded.row
"""


def record_intent(
    state: StateFile,
    scope: int,
    key: str,
    origin: Origin,
    options: JobOptions,
    envelope: Envelope,
    images: Sequence[Outgoing],
    now: float,
) -> OpenBatch:
    """Write a batch down before it is sent; its images are pending from here on."""
    rows = [each.row for each in images]
    with state.writing() as connection:
        cursor = connection.execute(
            _INSERT_BATCH,
            (
                scope,
                key,
                origin.manifest,
                origin.path,
                wire.options_to_json(options),
                pack(envelope, images),
                len(images),
                min(rows),
                max(rows),
                now,
            ),
        )
        batch = cursor.lastrowid
        assert batch is not None
        with sums.kept(connection, scope, [each.image.id for each in images]):
            connection.executemany(
                _OPEN_IMAGE,
                (
                    (
                        scope,
                        each.image.id,
                        batch,
                        each.fingerprint,
                        each.row,
                        each.image.file_name,
                        each.image.url,
                    )
                    for each in images
                ),
            )
    return OpenBatch(batch, scope, key, None, len(images), envelope.system_name)


def accept(state: StateFile, batch: OpenBatch, job_id: str, now: float) -> OpenBatch:
    """The target answered with a job id."""
    with state.writing() as connection:
        connection.execute(
            "UPDATE batch SET state = 'started', job_id = ?, submitted_at = ? WHERE id = ?",
            (job_id, now, batch.id),
        )
    return OpenBatch(batch.id, batch.scope, batch.key, job_id, batch.images, batch.system_name)


def refuse(state: StateFile, batch: OpenBatch, now: float) -> None:
    """The target certainly did not accept the batch: its images are as they were before."""
    with state.writing() as connection, sums.of_batch(connection, batch.id, batch.scope):
        connection.execute(
            "UPDATE batch SET state = 'refused', packed = NULL, finished_at = ? WHERE id = ?",
            (now, batch.id),
        )
        connection.execute(
            "UPDATE image SET open_batch = NULL, pending = NULL WHERE open_batch = ?", (batch.id,)
        )


_OPEN = """
SELECT batch.id, scope, key, job_id, images, system_name FROM batch
JOIN scope ON scope.id = batch.scope
WHERE batch.state IN ('intent', 'started') AND target = ? ORDER BY batch.id
"""


def open_batches(state: StateFile, target: str, only: Sequence[str] = ()) -> list[OpenBatch]:
    """Batches of a target whose jobs have not ended, oldest first; ``only`` those of these jobs
    where any are named."""
    found = [OpenBatch(**row) for row in state.connection.execute(_OPEN, (target,))]
    return [batch for batch in found if batch.job_id in only] if only else found


def contents(state: StateFile, batch: OpenBatch) -> tuple[Envelope, list[Outgoing], JobOptions]:
    """The request of an open batch, to send or settle it."""
    row = state.connection.execute(
        "SELECT packed, options FROM batch WHERE id = ?", (batch.id,)
    ).fetchone()
    return *unpack(row["packed"]), wire.options_from_json(row["options"])


_KEPT = """
SELECT kept.packed, batch.options, batch.manifest, batch.manifest_path
FROM kept JOIN image USING (scope, external_id) JOIN batch ON batch.id = image.last_batch
WHERE kept.scope = :scope AND image.status = 'failed' AND image.open_batch IS NULL
  AND (:job IS NULL OR batch.job_id = :job) AND (:cause IS NULL OR image.cause = :cause)
ORDER BY batch.options, batch.manifest_path, image.row
"""


def failed_images(
    state: StateFile, scope: int, job: str | None, cause: str | None
) -> Iterator[tuple[Outgoing, JobOptions, Origin]]:
    """Failed images as they were sent, those that belong together next to each other."""
    filters = {"scope": scope, "job": job, "cause": cause}
    for row in state.connection.execute(_KEPT, filters).fetchall():
        origin = Origin(row["manifest"], row["manifest_path"])
        yield unpack_one(row["packed"]), wire.options_from_json(row["options"]), origin
