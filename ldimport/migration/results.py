"""What the state file tells: jobs, totals, causes, and the outcome of every image.

Reads only; every function works while another run writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from ldimport.migration.batch import unpack_one
from ldimport.migration.events import CauseRow, JobRow, ResultRow, Totals
from ldimport.migration.state import StateFile
from ldimport.model import Asset, Counts, JobState, JobStatus, Json, Result, Status


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images or jobs are meant; None: all of them. ``target`` is an identity, or
    ``embedded`` for every local engine; ``manifest`` an absolute path, as in ``ledger.Origin``."""

    status: Status | None = None
    job: str | None = None
    cause: str | None = None
    host: str | None = None
    target: str | None = None
    system_name: str | None = None
    manifest: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """One target and systemName with its sums."""

    target: str
    label: str
    system_name: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the state file knows: jobs (unfinished first, then newest first), sums, and when
    something changed last (Unix seconds)."""

    jobs: tuple[JobRow, ...]
    totals: Totals
    scopes: tuple[Scope, ...]
    last_change: float | None


_JOBS = """
SELECT job_id, state, images, batch.success, batch.skipped, batch.failed, submitted_at,
  finished_at, manifest,
  target, system_name, first_row, last_row
FROM batch JOIN scope ON scope.id = batch.scope
WHERE job_id IS NOT NULL AND state != 'refused'
  AND (:target IS NULL
       OR :target IN (scope.target, substr(scope.target, 1, instr(scope.target, ':') - 1)))
  AND (:system_name IS NULL OR system_name = :system_name)
  AND (:ids IS NULL OR job_id IN (SELECT value FROM json_each(:ids)))
ORDER BY state = 'started' DESC, batch.id DESC
"""


def jobs(
    state: StateFile,
    *,
    target: str | None = None,
    system_name: str | None = None,
    ids: Sequence[str] | None = None,
) -> Iterator[JobRow]:
    """Jobs, unfinished first, then newest first."""
    asked = {
        "target": target,
        "system_name": system_name,
        "ids": None if ids is None else json.dumps(ids),
    }
    for row in state.connection.execute(_JOBS, asked):
        job_state = JobState(row["state"])
        yield JobRow(
            row["job_id"],
            job_state,
            _job_counts(job_state, row["images"], row["success"], row["skipped"], row["failed"]),
            row["submitted_at"],
            row["finished_at"],
            row["manifest"],
            row["target"],
            row["system_name"],
            row["first_row"],
            row["last_row"],
        )


def _job_counts(state: JobState, images: int, success: int, skipped: int, failed: int) -> Counts:
    if state is JobState.FAILED:
        return Counts(failed=images)
    return Counts(success, skipped, failed, images - success - skipped - failed)


def overview(
    state: StateFile, *, target: str | None = None, system_name: str | None = None
) -> Overview:
    """Everything at a glance, without counting a single image."""
    rows = state.connection.execute(
        "SELECT * FROM scope WHERE "
        "(:target IS NULL OR :target IN (target, substr(target, 1, instr(target, ':') - 1)))"
        " AND (:name IS NULL OR system_name = :name) ORDER BY id",
        {"target": target, "name": system_name},
    )
    scopes = tuple(
        Scope(row["target"], row["label"], row["system_name"], _totals(row)) for row in rows
    )
    last = state.connection.execute(
        "SELECT max(max(recorded_at, coalesce(finished_at, 0))) AS last FROM batch"
    ).fetchone()["last"]
    found = tuple(jobs(state, target=target, system_name=system_name))
    return Overview(found, _sum(scope.totals for scope in scopes), scopes, last)


_SUMS = ("success", "skipped", "failed", "pending", "unsubmitted", "not_taken_over")


def _totals(row: Mapping[str, int]) -> Totals:
    return Totals(**{name: row[name] for name in _SUMS})


def _sum(all_totals: Iterator[Totals]) -> Totals:
    sums = dict.fromkeys(_SUMS, 0)
    for totals in all_totals:
        for name in _SUMS:
            sums[name] += getattr(totals, name)
    return Totals(**sums)


def job(state: StateFile, job_id: str) -> JobRow | None:
    """One job, or None when the state file does not know it."""
    return next(jobs(state, ids=[job_id]), None)


def similar_jobs(state: StateFile, text: str) -> list[str]:
    """The job id that was probably meant."""
    rows = state.connection.execute("SELECT job_id FROM batch WHERE job_id IS NOT NULL")
    return get_close_matches(text, [row["job_id"] for row in rows], n=1, cutoff=0.6)


_ATTEMPTS = """
SELECT attempt.external_id, attempt.status, attempt.reason, image.*
FROM attempt JOIN batch ON batch.id = attempt.batch
JOIN image ON image.scope = batch.scope AND image.external_id = attempt.external_id
WHERE batch.job_id = ? ORDER BY attempt.batch, attempt.n
"""


def job_status(state: StateFile, job_id: str) -> JobStatus:
    """What the target last told of a job, from the stored results."""
    row = job(state, job_id)
    if row is None:
        return JobStatus(job_id, JobState.LOST)
    if row.state is not JobState.SUCCESS:
        return JobStatus(job_id, row.state, _started_at(row.submitted_at))
    found = state.connection.execute(_ATTEMPTS, (job_id,))
    return JobStatus(job_id, row.state, None, tuple(_result(each) for each in found))


def _started_at(submitted_at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(submitted_at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _result(row: Mapping[str, object]) -> Result:
    status = Status(str(row["status"]))
    return Result(
        str(row["external_id"]),
        status,
        _text(row["title"]),
        _text(row["reason"]),
        None if status is Status.FAILED else _asset(row),
    )


def _asset(row: Mapping[str, object]) -> Asset | None:
    if row["media_id"] is None:
        return None
    return Asset(
        str(row["media_id"]),
        str(row["original_url"]),
        str(row["url"]),
        _int(row["width"]),
        _int(row["height"]),
        _text(row["mime_type"]),
        _text(row["image_service"]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None


_WHERE = """
FROM image JOIN scope ON scope.id = image.scope
LEFT JOIN batch ON batch.id = coalesce(image.open_batch, image.last_batch)
WHERE (:status IS NULL OR (image.status = :status AND image.open_batch IS NULL))
  AND (:job IS NULL OR batch.job_id = :job)
  AND (:cause IS NULL OR (cause = :cause AND image.status = 'failed'))
  AND (:host IS NULL OR instr(source_url, '://' || :host || '/')
       OR instr(source_url, '://' || :host || ':'))
  AND (:target IS NULL
       OR :target IN (scope.target, substr(scope.target, 1, instr(scope.target, ':') - 1)))
  AND (:system_name IS NULL OR system_name = :system_name)
  AND (:manifest IS NULL OR manifest_path = :manifest)
"""
_COLUMNS = "image.*, system_name, scope.label AS target, job_id"
_ROWS = f"SELECT {_COLUMNS} {_WHERE} ORDER BY image.scope, image.row"
_FIRST_FAILED = f"""SELECT {_COLUMNS} {_WHERE}
ORDER BY image.status = 'failed' DESC, image.status IS NULL DESC, image.scope, image.row"""


def rows(
    state: StateFile, which: Filter | None = None, *, failures_first: bool = False
) -> Iterator[ResultRow]:
    """Every image by its last outcome, in the order of its manifest."""
    query = _FIRST_FAILED if failures_first else _ROWS
    for row in state.connection.execute(query, _asked(which or Filter())):
        yield _row(row)


def _asked(which: Filter) -> dict[str, str | None]:
    return {
        "status": which.status,
        "job": which.job,
        "cause": which.cause,
        "host": which.host,
        "target": which.target,
        "system_name": which.system_name,
        "manifest": which.manifest,
    }


def _row(row: Mapping[str, object]) -> ResultRow:
    open_ = row["open_batch"] is not None
    status = None if open_ or row["status"] is None else Status(str(row["status"]))
    failed = status is Status.FAILED
    return ResultRow(
        external_id=str(row["external_id"]),
        system_name=str(row["system_name"]),
        status=status,
        reason=None if status is None else _text(row["reason"]),
        cause=_text(row["cause"]) if failed else None,
        retryable=bool(row["retryable"]) and failed,
        media_id=_text(row["media_id"]),
        url=_text(row["url"]),
        original_url=_text(row["original_url"]),
        width=_int(row["width"]),
        height=_int(row["height"]),
        mime_type=_text(row["mime_type"]),
        title=_text(row["title"]),
        file_name=_text(row["file_name"]),
        source_url=str(row["source_url"]),
        job_id=_text(row["job_id"]),
        row=_int(row["row"]) or 0,
        attempts=_int(row["attempts"]) or 0,
        not_taken_over=bool(row["not_taken_over"]),
        target=str(row["target"]),
    )


_CAUSES = f"""
SELECT cause, count(*) AS images, max(retryable) AS retryable, min(reason) AS reason
{_WHERE} AND image.status = 'failed' AND image.open_batch IS NULL
GROUP BY cause ORDER BY images DESC, cause
"""
_EXAMPLES = f"""SELECT external_id, image.row AS row {_WHERE} AND image.open_batch IS NULL
ORDER BY image.row LIMIT 2"""


def causes(state: StateFile, which: Filter | None = None) -> tuple[CauseRow, ...]:
    """Failures grouped by cause, the most frequent first, each with two examples."""
    which = which or Filter()
    found = []
    for row in state.connection.execute(_CAUSES, _asked(which)):
        of_cause = _asked(replace(which, cause=row["cause"], status=Status.FAILED))
        examples = state.connection.execute(_EXAMPLES, of_cause)
        found.append(
            CauseRow(
                row["cause"],
                row["reason"],
                row["images"],
                bool(row["retryable"]),
                tuple((each["external_id"], each["row"]) for each in examples),
            )
        )
    return tuple(found)


_KEPT = f"""
SELECT kept.packed, {_COLUMNS}
{_WHERE.replace("WHERE", "JOIN kept USING (scope, external_id) WHERE", 1)}
  AND image.status = 'failed' ORDER BY image.scope, image.row
"""


def original_rows(
    state: StateFile, which: Filter | None = None
) -> Iterator[tuple[Mapping[str, Json], ResultRow]]:
    """Failed images with their rows as they stand in the manifest."""
    for row in state.connection.execute(_KEPT, _asked(which or Filter())):
        yield unpack_one(row["packed"]).original, _row(row)
