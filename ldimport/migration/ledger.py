"""The state file's statements: record a batch, settle its job, look things up.

Every function that writes is one transaction, and keeps the sums of a scope equal to its images.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ldimport.migration.batch import (
    Envelope,
    Outgoing,
    options_from_text,
    options_to_text,
    pack,
    pack_one,
    unpack,
    unpack_one,
)
from ldimport.migration.causes import cause_of
from ldimport.migration.events import Totals
from ldimport.migration.state import StateFile
from ldimport.model import JobOptions, JobState, JobStatus, Result, Status

NO_RESULT = "the target gave no result for this image"


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


@dataclass(frozen=True, slots=True)
class Settled:
    """What a job's end changed: its counts, and the failures with row, URL and cause."""

    success: int
    skipped: int
    failed: int
    unsubmitted: int
    not_taken_over: int
    failures: tuple[tuple[Outgoing, str], ...]


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
                options_to_text(options),
                pack(envelope, images),
                len(images),
                min(rows),
                max(rows),
                now,
            ),
        )
        batch = cursor.lastrowid
        assert batch is not None
        with _sums(connection, scope, [each.image.id for each in images]):
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
    with state.writing() as connection, _batch_sums(connection, batch):
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
    return *unpack(row["packed"]), options_from_text(row["options"])


_SETTLE = """
UPDATE image SET status = :status, sent = :sent, arrived = :arrived,
  not_taken_over = :not_taken_over, open_batch = NULL, pending = NULL, last_batch = :batch,
  attempts = attempts + 1, reason = :reason, cause = :cause, retryable = :retryable,
  media_id = coalesce(:media_id, media_id), url = coalesce(:url, url),
  original_url = coalesce(:original_url, original_url), width = coalesce(:width, width),
  height = coalesce(:height, height), mime_type = coalesce(:mime_type, mime_type),
  image_service = coalesce(:image_service, image_service), title = :title,
  file_name = :file_name, source_url = :source_url
WHERE scope = :scope AND external_id = :external_id AND open_batch = :batch
"""
_UNSENT = """
UPDATE image SET status = NULL, sent = NULL, open_batch = NULL, pending = NULL,
  last_batch = ?, attempts = attempts + 1, reason = NULL, cause = NULL WHERE open_batch = ?
"""


def settle(state: StateFile, batch: OpenBatch, job: JobStatus, now: float) -> Settled:
    """Store the end of a job with all its results at once; a target need not keep them.

    A job that failed as a whole or was lost leaves its images "not sent".
    """
    _, images, _ = contents(state, batch)
    if job.state is not JobState.SUCCESS:
        return _settle_unsent(state, batch, job, now)
    results = {result.external_id: result for result in job.results}
    with state.writing() as connection, _batch_sums(connection, batch):
        arrived = _arrived(connection, batch)
        outcomes = [
            _outcome(batch, each, results.get(each.image.id), arrived.get(each.image.id))
            for each in images
        ]
        connection.executemany(_SETTLE, outcomes)
        _append_attempts(connection, batch, outcomes)
        _keep_failed(connection, batch, images, outcomes)
        settled = _settled(images, outcomes)
        connection.execute(
            "UPDATE batch SET state = 'success', packed = NULL, finished_at = ?, success = ?, "
            "skipped = ?, failed = ? WHERE id = ?",
            (now, settled.success, settled.skipped, settled.failed, batch.id),
        )
    return settled


def _settle_unsent(state: StateFile, batch: OpenBatch, job: JobStatus, now: float) -> Settled:
    with state.writing() as connection, _batch_sums(connection, batch):
        connection.execute(
            "UPDATE batch SET state = ?, packed = NULL, finished_at = ? WHERE id = ?",
            (job.state.value, now, batch.id),
        )
        connection.execute(_UNSENT, (batch.id, batch.id))
    return Settled(0, 0, 0, batch.images, 0, ())


def _arrived(connection: sqlite3.Connection, batch: OpenBatch) -> dict[str, bytes | None]:
    rows = connection.execute(
        "SELECT external_id, arrived FROM image WHERE open_batch = ?", (batch.id,)
    )
    return {row["external_id"]: row["arrived"] for row in rows}


def _outcome(
    batch: OpenBatch, each: Outgoing, result: Result | None, arrived: bytes | None
) -> dict[str, object]:
    """The new state of one image. ``skipped`` for content that differs from what arrived means
    that the target did not take the change over: it stays changed (design section 4)."""
    if result is None:
        result = Result(each.image.id, Status.FAILED, reason=NO_RESULT)
    failed = result.status is Status.FAILED
    not_taken = result.status is Status.SKIPPED and arrived not in (None, each.content)
    cause, retryable = cause_of(result.reason) if failed else (None, False)
    asset = result.asset
    return {
        "scope": batch.scope,
        "batch": batch.id,
        "external_id": each.image.id,
        "status": result.status.value,
        "sent": each.fingerprint,
        "arrived": arrived if failed or not_taken else each.content,
        "not_taken_over": not_taken,
        "reason": result.reason,
        "cause": cause,
        "retryable": retryable,
        "media_id": asset and asset.media_id,
        "url": asset and asset.url,
        "original_url": asset and asset.original_url,
        "width": asset and asset.width,
        "height": asset and asset.height,
        "mime_type": asset and asset.mime_type,
        "image_service": asset and asset.image_service,
        "title": result.title or each.image.file_name,
        "file_name": each.image.file_name,
        "source_url": each.image.url,
    }


def _append_attempts(
    connection: sqlite3.Connection, batch: OpenBatch, outcomes: Iterable[dict[str, object]]
) -> None:
    connection.executemany(
        "INSERT INTO attempt (batch, n, external_id, status, reason) VALUES (?, ?, ?, ?, ?)",
        (
            (batch.id, n, outcome["external_id"], outcome["status"], outcome["reason"])
            for n, outcome in enumerate(outcomes)
        ),
    )


def _keep_failed(
    connection: sqlite3.Connection,
    batch: OpenBatch,
    images: Sequence[Outgoing],
    outcomes: Sequence[dict[str, object]],
) -> None:
    pairs = list(zip(images, outcomes, strict=True))
    connection.executemany(
        "INSERT OR REPLACE INTO kept (scope, external_id, packed) VALUES (?, ?, ?)",
        (
            (batch.scope, each.image.id, pack_one(each))
            for each, outcome in pairs
            if outcome["status"] == Status.FAILED
        ),
    )
    connection.executemany(
        "DELETE FROM kept WHERE scope = ? AND external_id = ?",
        (
            (batch.scope, each.image.id)
            for each, outcome in pairs
            if outcome["status"] != Status.FAILED
        ),
    )


def _settled(images: Sequence[Outgoing], outcomes: Sequence[dict[str, object]]) -> Settled:
    words = [outcome["status"] for outcome in outcomes]
    failures = tuple(
        (each, str(outcome["reason"]))
        for each, outcome in zip(images, outcomes, strict=True)
        if outcome["status"] == Status.FAILED
    )
    return Settled(
        words.count(Status.SUCCESS),
        words.count(Status.SKIPPED),
        len(failures),
        0,
        sum(bool(outcome["not_taken_over"]) for outcome in outcomes),
        failures,
    )


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
        yield unpack_one(row["packed"]), options_from_text(row["options"]), origin


# -- sums ----------------------------------------------------------------------------------

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


class _sums:  # noqa: N801  reads like a statement: with _sums(…)
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


def _batch_sums(connection: sqlite3.Connection, batch: OpenBatch) -> _sums:
    rows = connection.execute("SELECT external_id FROM image WHERE open_batch = ?", (batch.id,))
    return _sums(connection, batch.scope, [row["external_id"] for row in rows])
