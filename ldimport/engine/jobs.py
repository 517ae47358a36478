"""SQL of jobs: accepting, leasing, recording, answering. See ``catalogue`` for the schema;
functions that write want a connection inside ``Catalogue.writing``."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ldimport import wire
from ldimport.engine import library, outbox
from ldimport.engine.records import JobSummary, Outcome, Task
from ldimport.model import Counts, Image, ImportRequest, JobState, JobStatus, Status

# -- accepting ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewJob:
    """A batch to be accepted: ``body`` is the digest of its request, ``terms`` a row's number."""

    id: str
    key: str | None
    body: str
    terms: int
    created_at: float


def of_key(connection: sqlite3.Connection, key: str) -> tuple[str, str] | None:
    """Id and body digest of the job that was accepted under this key."""
    row = connection.execute("SELECT id, body FROM job WHERE key = ?", (key,)).fetchone()
    return None if row is None else (row["id"], row["body"])


def terms_row(
    connection: sqlite3.Connection, digest: str, body: str, origin: str, options: str, limits: str
) -> int:
    """The number of these terms, recorded when they are new."""
    connection.execute("INSERT OR IGNORE INTO config VALUES (?, ?, ?)", (digest, body, origin))
    connection.execute(
        "INSERT OR IGNORE INTO terms (config, options, limits) VALUES (?, ?, ?)",
        (digest, options, limits),
    )
    sql = "SELECT id FROM terms WHERE config = ? AND options = ? AND limits = ?"
    return int(connection.execute(sql, (digest, options, limits)).fetchone()["id"])


def accept(connection: sqlite3.Connection, job: NewJob, request: ImportRequest) -> None:
    """Record a batch and its images; each image's mediaType is settled."""
    cursor = connection.execute(
        """INSERT INTO job (id, key, body, system_name, webhook, context, terms, images,
                            created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            job.id,
            job.key,
            job.body,
            request.system_name,
            request.webhook,
            None if request.context is None else json.dumps(dict(request.context)),
            job.terms,
            len(request.images),
            job.created_at,
        ),
    )
    connection.executemany(
        """INSERT INTO item (job, system_name, external_id, url, file_name, media_type, metadata)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            (
                cursor.lastrowid,
                request.system_name,
                image.id,
                image.url,
                image.file_name,
                image.media_type,
                json.dumps(dict(image.metadata)),
            )
            for image in request.images
        ),
    )


# -- leases ---------------------------------------------------------------------------------


def register(connection: sqlite3.Connection, name: str, expires: float) -> int:
    """Enter a worker, or enter it again after its leases were voided; returns its number."""
    connection.execute("DELETE FROM worker WHERE name = ?", (name,))
    cursor = connection.execute("INSERT INTO worker (name, expires) VALUES (?, ?)", (name, expires))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def renew(connection: sqlite3.Connection, worker: int, expires: float) -> bool:
    """Prolong a worker's leases; False when they were voided."""
    sql = "UPDATE worker SET expires = ? WHERE id = ?"
    return connection.execute(sql, (expires, worker)).rowcount == 1


def workers(connection: sqlite3.Connection) -> list[tuple[int, str, float]]:
    """All workers entered: number, name, when its leases expire."""
    return [tuple(row) for row in connection.execute("SELECT id, name, expires FROM worker")]


def void(connection: sqlite3.Connection, worker: int) -> None:
    """Strike a worker out: what it had leased is free at once."""
    connection.execute("UPDATE item SET worker = NULL WHERE worker = ?", (worker,))
    connection.execute("UPDATE webhook SET worker = NULL WHERE worker = ?", (worker,))
    connection.execute("DELETE FROM worker WHERE id = ?", (worker,))


_FREE = """
SELECT i.id, i.system_name, i.external_id, i.url, i.file_name, i.media_type, i.metadata, j.terms,
       m.id AS media_id, m.request AS media_request, m.url AS media_url, m.etag, m.last_modified,
       a.id AS asset_id, a.sha256, a.source_sha256, a.mime_type, a.width, a.height, a.frames,
       a.orientation
  FROM item i INDEXED BY item_free
  JOIN job j ON j.n = i.job
  LEFT JOIN media m ON m.system_name = i.system_name AND m.external_id = i.external_id
  LEFT JOIN asset a ON a.id = m.asset
 WHERE i.status IS NULL AND i.worker IS NULL
   AND NOT EXISTS (SELECT 1 FROM item e INDEXED BY item_pair
                    WHERE e.status IS NULL AND e.system_name = i.system_name
                      AND e.external_id = i.external_id AND e.id < i.id)
 ORDER BY i.id LIMIT ?
"""
"""Free images, oldest first. A pair that is open in an earlier job waits for it."""


def any_free(connection: sqlite3.Connection) -> bool:
    """Whether ``claim`` would find an image."""
    return connection.execute(_FREE, (1,)).fetchone() is not None


def claim(
    connection: sqlite3.Connection, worker: int, most: int, terms: int | None = None
) -> tuple[int | None, list[Task]]:
    """Lease up to ``most`` free images of one job's terms, oldest first; with ``terms`` only if
    the oldest has these. Returns their terms' number and the tasks."""
    rows = connection.execute(_FREE, (most,)).fetchall()
    if not rows or (terms is not None and rows[0]["terms"] != terms):
        return None, []
    terms = rows[0]["terms"]
    mine = list(takewhile(lambda row: row["terms"] == terms, rows))
    connection.executemany(
        "UPDATE item SET worker = ? WHERE id = ?", ((worker, row["id"]) for row in mine)
    )
    return terms, [_task(row, worker) for row in mine]


def _task(row: sqlite3.Row, worker: int) -> Task:
    image = Image(
        row["external_id"],
        row["url"],
        row["file_name"],
        json.loads(row["metadata"]),
        row["media_type"],
    )
    return Task(row["id"], worker, row["system_name"], image, library.known(row))


def terms_of(connection: sqlite3.Connection, number: int) -> tuple[str, str, str, str]:
    """Config (JSON), its origin, options and limits of a terms row."""
    sql = """SELECT c.body, c.origin, t.options, t.limits
               FROM terms t JOIN config c ON c.digest = t.config WHERE t.id = ?"""
    row = connection.execute(sql, (number,)).fetchone()
    return row["body"], row["origin"], row["options"], row["limits"]


# -- recording ------------------------------------------------------------------------------


def record(connection: sqlite3.Connection, outcomes: Iterable[Outcome], now: float) -> int:
    """Write outcomes, what they do to the library, and what they do to their jobs. A late
    writer, whose lease was voided, is fenced off. Returns how many were recorded."""
    ended: Counter[tuple[int, Status]] = Counter()
    for outcome in outcomes:
        job = _job_of_lease(connection, outcome.task)
        if job is None:
            continue
        asset = None
        if outcome.status is not Status.FAILED:
            asset = library.take_over(connection, outcome, now)
        connection.execute(
            """UPDATE item SET status = ?, reason = ?, asset = ?, metadata = NULL, worker = NULL
                WHERE id = ?""",
            (outcome.status, outcome.reason, asset, outcome.task.item),
        )
        ended[job, outcome.status] += 1
    for (job, status), images in ended.items():
        _count(connection, job, status, images)
    for job in {job for job, _ in ended}:
        _end_if_done(connection, job, now)
    return ended.total()


def _job_of_lease(connection: sqlite3.Connection, task: Task) -> int | None:
    sql = "SELECT job FROM item WHERE id = ? AND worker = ? AND status IS NULL"
    row = connection.execute(sql, (task.item, task.worker)).fetchone()
    return None if row is None else int(row["job"])


def _count(connection: sqlite3.Connection, job: int, status: Status, images: int) -> None:
    column = status.value  # one of three words of our own
    connection.execute(
        f"UPDATE job SET {column} = {column} + ? WHERE n = ?",  # noqa: S608
        (images, job),
    )


def _end_if_done(connection: sqlite3.Connection, job: int, now: float) -> None:
    """State and time of the end, in the transaction of the last image's outcome."""
    ended = connection.execute(
        """UPDATE job SET state = 'success', finished_at = ?
            WHERE n = ? AND state = 'started' AND images = success + skipped + failed""",
        (now, job),
    ).rowcount
    if ended:
        on_end(connection, job, now)


def fail_jobs(connection: sqlite3.Connection, terms: int, reason: str, now: float) -> None:
    """End all open jobs under these terms as failed: nothing of them can be tried."""
    rows = connection.execute(
        "SELECT n FROM job WHERE state = 'started' AND terms = ?", (terms,)
    ).fetchall()
    for (job,) in rows:
        connection.execute(
            """UPDATE item SET status = 'failed', reason = ?, metadata = NULL, worker = NULL
                WHERE job = ? AND status IS NULL""",
            (reason, job),
        )
        connection.execute(
            """UPDATE job SET failed = images - success - skipped, finished_at = ?,
                              state = iif(success + skipped + failed = 0, 'failed', 'success')
                WHERE n = ?""",
            (now, job),
        )
        on_end(connection, job, now)


def on_end(connection: sqlite3.Connection, job: int, now: float) -> None:
    """The one place where a job has just ended, still inside that transaction: its notification
    is put down with it, so that there is exactly one."""
    row = connection.execute("SELECT * FROM job WHERE n = ?", (job,)).fetchone()
    if row["webhook"] is None:
        return
    context = None if row["context"] is None else json.loads(row["context"])
    status = JobStatus(row["id"], JobState(row["state"]))
    body = wire.encode(wire.notification_to_json(status, counts(row), context)).decode()
    outbox.put(connection, job, row["id"], row["webhook"], body, now)


# -- answering ------------------------------------------------------------------------------


def get(connection: sqlite3.Connection, job_id: str) -> sqlite3.Row | None:
    """The job's row."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM job WHERE id = ?", (job_id,)
    ).fetchone()
    return row


def results(connection: sqlite3.Connection, job: int) -> list[sqlite3.Row]:
    """Outcomes of a job in the order of its request, with their assets' facts."""
    return connection.execute(
        """SELECT i.external_id, i.file_name, i.status, i.reason, a.media, a.key, a.size,
                  a.width, a.height, a.mime_type
             FROM item i LEFT JOIN asset a ON a.id = i.asset
            WHERE i.job = ? ORDER BY i.id""",
        (job,),
    ).fetchall()


def newest(connection: sqlite3.Connection, most: int, before: str | None) -> list[JobSummary]:
    """Up to ``most`` jobs, newest first, those older than ``before`` (a job id)."""
    sql = """SELECT * FROM job
              WHERE ?1 IS NULL OR n < (SELECT n FROM job WHERE id = ?1)
              ORDER BY n DESC LIMIT ?2"""
    return [
        JobSummary(
            row["id"],
            JobState(row["state"]),
            counts(row),
            row["system_name"],
            row["created_at"],
            row["finished_at"],
        )
        for row in connection.execute(sql, (before, most))
    ]


def counts(row: sqlite3.Row) -> Counts:
    """The counts of a job's row."""
    done = row["success"] + row["skipped"] + row["failed"]
    return Counts(row["success"], row["skipped"], row["failed"], row["images"] - done)


def open_images(connection: sqlite3.Connection) -> int:
    """Images of accepted jobs that have no outcome yet."""
    sql = """SELECT coalesce(sum(images - success - skipped - failed), 0) FROM job
              WHERE state = 'started'"""
    return int(connection.execute(sql).fetchone()[0])


def release(connection: sqlite3.Connection, tasks: Sequence[Task]) -> None:
    """Give back leases of images that have to be begun again."""
    connection.executemany(
        "UPDATE item SET worker = NULL WHERE id = ? AND worker = ? AND status IS NULL",
        ((task.item, task.worker) for task in tasks),
    )
