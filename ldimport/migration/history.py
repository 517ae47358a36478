"""What became of one image: every attempt that the state file knows. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ldimport.migration.causes import cause_of
from ldimport.migration.events import CauseRow
from ldimport.migration.state import StateFile
from ldimport.model import Result, Status


@dataclass(frozen=True, slots=True)
class Attempt:
    """One outcome of an image in one job; ``at`` is when the job ended, in Unix seconds."""

    at: float | None
    job_id: str
    status: Status
    reason: str | None


@dataclass(frozen=True, slots=True)
class History:
    """One image of one archive: where it comes from, its last outcome (``status`` None: in an
    open job, or not sent), and all attempts, oldest first."""

    label: str
    system_name: str
    manifest: str
    row: int
    source_url: str
    status: Status | None
    open: bool
    cause: str | None
    retryable: bool
    media_id: str | None
    attempts: tuple[Attempt, ...]


_IMAGES = """
SELECT image.scope, image.row, image.source_url, image.status, image.open_batch, image.cause,
  image.retryable, image.media_id, scope.label, scope.system_name, batch.manifest
FROM image JOIN scope ON scope.id = image.scope
LEFT JOIN batch ON batch.id = coalesce(image.open_batch, image.last_batch)
WHERE image.external_id = ? ORDER BY scope.id
"""
_ATTEMPTS = """
SELECT batch.finished_at, batch.job_id, attempt.status, attempt.reason
FROM attempt JOIN batch ON batch.id = attempt.batch
WHERE attempt.external_id = ? AND batch.scope = ? ORDER BY batch.id
"""


def history(state: StateFile, external_id: str) -> list[History]:
    """The image in every archive that has this external id; empty when none has."""
    found = []
    for row in state.connection.execute(_IMAGES, (external_id,)).fetchall():
        attempts = state.connection.execute(_ATTEMPTS, (external_id, row["scope"]))
        open_ = row["open_batch"] is not None
        found.append(
            History(
                row["label"],
                row["system_name"],
                row["manifest"] or "",
                row["row"],
                row["source_url"],
                None if open_ or row["status"] is None else Status(row["status"]),
                open_,
                row["cause"],
                bool(row["retryable"]),
                row["media_id"],
                tuple(
                    Attempt(
                        each["finished_at"], each["job_id"], Status(each["status"]), each["reason"]
                    )
                    for each in attempts
                ),
            )
        )
    return found


def causes_of(results: Iterable[Result]) -> tuple[CauseRow, ...]:
    """The failures of one job grouped by cause, the most frequent first. Rows are not known."""
    found: dict[str, CauseRow] = {}
    for result in results:
        if result.status is not Status.FAILED:
            continue
        cause, retryable = cause_of(result.reason)
        row = found.get(cause) or CauseRow(cause, result.reason or cause, 0, retryable, ())
        examples = (*row.examples, (result.external_id, 0))[:2]
        found[cause] = CauseRow(cause, row.reason, row.images + 1, retryable, examples)
    return tuple(sorted(found.values(), key=lambda row: -row.images))
