"""The end of a job in the state file: results, attempts, sums, all in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ldimport.migration import sums
from ldimport.migration.batch import Outgoing, pack_one
from ldimport.migration.causes import cause_of
from ldimport.migration.ledger import OpenBatch, contents
from ldimport.migration.state import StateFile
from ldimport.model import JobState, JobStatus, Result, Status

NO_RESULT = "the target gave no result for this image"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a job's end changed: its counts, and the failures with row, URL and cause."""

    success: int
    skipped: int
    failed: int
    unsubmitted: int
    not_taken_over: int
    failures: tuple[tuple[Outgoing, str], ...]


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
    with state.writing() as connection, sums.of_batch(connection, batch.id, batch.scope):
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
    with state.writing() as connection, sums.of_batch(connection, batch.id, batch.scope):
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
