"""SQL of jobs: accepting, claiming, recording, answering. Functions that take a connection want
one inside ``Catalogue.writing``."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import chain, takewhile

from ldimport import wire
from ldimport.database_rows import ColumnTypes, made, values_checked
from ldimport.engine.accept import QUOTA_WINDOW, quota_reached, same_request
from ldimport.engine.records import (
    FailureReason,
    ImageFilter,
    ImportOutcome,
    ImportTask,
    JobChange,
    JobFilter,
    JobImage,
    JobSummary,
    JobTotals,
    NewJob,
    StoredAsset,
    StoredResult,
    Terms,
)
from ldimport.engine.store.contract import Follower, Jobs
from ldimport.engine.store.sqlite import library, outbox
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.engine.store.sqlite.schema import KIND, SQL
from ldimport.model import Counts, Image, JobState, JobStatus, Limits, Status, compact_json

ROWS_AT_ONCE = 100
"""Images that one statement enters. Between two of them other threads want the interpreter lock:
one for each image would wait for it as often."""
_NO_END = 1 << 62
_WHICH = {
    JobFilter.ALL: "",
    JobFilter.RUNNING: "AND state = 'started'",
    JobFilter.FAILED: "AND failed > 0",
}
_FREE = ColumnTypes(int, str, str, str, str, str, str, int, int, rest=13)
"""What ``free`` finds of an image; of what the library holds beside it ``library.known`` sees."""


@values_checked(KIND)
class SqliteJobs(Jobs):
    """Jobs in tables ``job``, ``item``, ``terms`` and ``config``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._ended = 0, JobTotals(0, 0, 0, Counts())

    def of_key(self, key: str) -> tuple[str, str] | None:
        rows = self._catalogue.rows("SELECT id, body FROM job WHERE key = ?", key)
        return (rows[0]["id"], rows[0]["body"]) if rows else None

    def accept(self, job: NewJob, daily_limit: int) -> str:
        items = [_as_sent(image) for image in job.request.images]
        with self._catalogue.writing() as connection:  # nobody else writes: what is found stays
            if job.key is not None and (found := self.of_key(job.key)):
                return same_request(found, job.body)
            _check_quota(connection, daily_limit, len(job.request.images), job.created_at)
            _enter(connection, job, items)
        return job.id

    def get(self, job_id: str) -> JobSummary | None:
        rows = self._catalogue.rows("SELECT * FROM job WHERE id = ?", job_id)
        return _summary(rows[0]) if rows else None

    def results(self, job_id: str) -> Sequence[StoredResult]:
        return [_result(row) for row in self._catalogue.rows(SQL["results"], job_id)]

    def newest(
        self, most: int, before: str | None = None, which: JobFilter = JobFilter.ALL
    ) -> Sequence[JobSummary]:
        sql = "SELECT * FROM job WHERE n < coalesce((SELECT n FROM job WHERE id = ?), 9e18) "
        rest = f"{_WHICH[which]} ORDER BY n DESC LIMIT ?"
        return [_summary(row) for row in self._catalogue.rows(sql + rest, before, most)]

    def totals(self) -> JobTotals:
        last, ended = self._ended
        ((until,),) = self._catalogue.rows(SQL["all_ended"])
        if until > last:
            ended = ended + self._totals(last, until)
            self._ended = last, ended = until, ended
        return ended + self._totals(last, _NO_END)

    def _totals(self, after: int, until: int) -> JobTotals:
        row = self._catalogue.rows(SQL["job_totals"], after, until)[0]
        return made(JobTotals, row, failed=row["with_failures"], counts=_counts(row))

    def images(
        self, job_id: str, which: ImageFilter, most: int, after: int = 0
    ) -> Sequence[JobImage]:
        asked = (job_id, which.status, which.pending, which.cause, which.reason, after, most)
        return [made(JobImage, row) for row in self._catalogue.rows(SQL["job_images"], *asked)]

    def reasons(self, job_id: str) -> Sequence[FailureReason]:
        return [
            made(FailureReason, row) for row in self._catalogue.rows(SQL["job_reasons"], job_id)
        ]

    def open_images(self) -> int:
        return int(self._catalogue.rows(SQL["open_images"])[0][0])

    def any_free(self, only: str | None = None, after: int = 0) -> bool:
        return bool(self._catalogue.rows(SQL["free"], 1, only, after))

    def terms(self, number: int) -> Terms:
        from ldimport.schema import config

        ((body, origin, options, limits),) = self._catalogue.rows(SQL["terms"], number)
        return Terms(
            config.from_json(json.loads(body), origin=origin),
            wire.options_from_json(options),
            _limits_of(limits),
        )

    def fail(self, terms: int, reason: str, cause: str, now: float) -> None:
        sql = "SELECT n, images FROM job WHERE state = 'started' AND terms = ?"
        with self._catalogue.writing() as connection:
            for job, images in connection.execute(sql, (terms,)).fetchall():
                untried = connection.execute(SQL["fail_untried"], (reason, cause, job)).rowcount
                _count(connection, job, Status.FAILED, untried)
                state = JobState.FAILED if untried == images else JobState.SUCCESS
                _end_if_done(connection, job, now, state)

    def follow(self) -> SqliteFollower:
        return SqliteFollower(self._catalogue)


@values_checked(KIND)
class SqliteFollower(Follower):
    """Looks again when another connection has committed."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._version = -1
        ((self._newest, still),) = catalogue.rows(SQL["now_open"])
        self._open = set(json.loads(still))

    @property
    def open_jobs(self) -> int:
        return len(self._open)

    def look(self) -> Sequence[JobChange]:
        version = self._catalogue.version()  # costs no file access
        if version == self._version:
            return ()
        rows = self._catalogue.rows(SQL["changed"], self._newest, json.dumps(list(self._open)))
        fresh = [row for row in rows if row["n"] > self._newest]
        ended = [row for row in rows if row["state"] != JobState.STARTED]
        self._open = {row["n"] for row in rows} - {row["n"] for row in ended}
        self._version, self._newest = version, max([self._newest, *(row["n"] for row in fresh)])
        return [_accepted(row) for row in fresh] + [_ended(row) for row in ended]


# -- accepting ------------------------------------------------------------------------------


def _check_quota(connection: sqlite3.Connection, limit: int, trying: int, now: float) -> None:
    if limit <= 0:
        return
    since, ahead = now - QUOTA_WINDOW, now + QUOTA_WINDOW  # else of a clock that was wrong
    sql = "SELECT count(*) FROM asset WHERE created_at > ? AND created_at < ?"
    stored = int(connection.execute(sql, (since, ahead)).fetchone()[0])
    used = stored + int(connection.execute(SQL["open_images"]).fetchone()[0])
    excess = used + trying - limit
    if excess <= 0:
        return
    sql = "SELECT created_at FROM asset WHERE created_at > ? ORDER BY created_at LIMIT 1 OFFSET ?"
    row = connection.execute(sql, (since, excess - 1)).fetchone() if excess <= stored else None
    raise quota_reached(limit, used, trying, None if row is None else row[0] - since)


def _enter(
    connection: sqlite3.Connection, job: NewJob, items: Sequence[tuple[str | None, ...]]
) -> None:
    request = job.request
    context = None if request.context is None else json.dumps(dict(request.context))
    asked = (request.system_name, request.webhook, context, _terms_row(connection, job.terms))
    row = (job.id, job.key, job.body, *asked, len(request.images), job.created_at)
    number = connection.execute(SQL["enter_job"], row).lastrowid
    for at in range(0, len(items), ROWS_AT_ONCE):
        rows = [(number, request.system_name, *item) for item in items[at : at + ROWS_AT_ONCE]]
        marks = ", (?, ?, ?, ?, ?, ?, ?)" * (len(rows) - 1)
        connection.execute(SQL["enter_item"] + marks, [*chain.from_iterable(rows)])


def _as_sent(image: Image) -> tuple[str | None, ...]:
    metadata = compact_json(dict(image.metadata)).decode("utf-8", "surrogatepass")
    return image.id, image.url, image.file_name, image.media_type, metadata


def _terms_row(connection: sqlite3.Connection, terms: Terms) -> int:
    """The number of these terms, recorded when they are new."""
    config, limits = terms.config, json.dumps(asdict(terms.limits), sort_keys=True)
    row = (config.digest, wire.options_to_json(terms.options), limits)
    if found := connection.execute(SQL["terms_row"], row).fetchone():
        return int(found["id"])
    given = (config.digest, json.dumps(config.raw), config.origin)
    connection.execute("INSERT OR IGNORE INTO config VALUES (?, ?, ?)", given)
    sql = "INSERT INTO terms (config, options, limits) VALUES (?, ?, ?)"
    return int(connection.execute(sql, row).lastrowid or 0)


def _limits_of(text: str) -> Limits:
    """Limits that this version does not know are left out."""
    known = {field.name for field in fields(Limits)}
    return Limits(**{name: value for name, value in json.loads(text).items() if name in known})


# -- claiming -------------------------------------------------------------------------------


def claim(
    connection: sqlite3.Connection,
    worker: int,
    most: int,
    terms: int | None,
    only: str | None,
    after: int,
    now: float,
) -> tuple[int | None, list[sqlite3.Row]]:
    """Lease free images (see ``WorkerSession.work``): the number of their terms, and what ``task``
    makes tasks of."""
    rows = connection.execute(SQL["free"], (most, only, after)).fetchall() if most > 0 else []
    if not rows or terms not in (None, rows[0]["terms"]):
        return None, []
    held, deaths = connection.execute(SQL["held"], (worker,)).fetchone()
    if deaths or (held and rows[0]["deaths"]):
        return None, []
    terms = rows[0]["terms"]
    mine = list(takewhile(lambda row: row["terms"] == terms and not row["deaths"], rows))
    mine = mine or rows[:1]
    items = json.dumps([row["item"] for row in mine])
    connection.execute(SQL["lease"], (worker, now, items))
    return terms, mine


def task(row: sqlite3.Row, worker: int) -> ImportTask:
    """A leased image."""
    _FREE.check(row)
    item, system_name, external_id, url, file_name, media_type, metadata, deaths, *_ = row
    image = Image(external_id, url, file_name, library.mapping(metadata), media_type)
    return ImportTask(item, worker, system_name, image, library.known(row), deaths)


# -- recording ------------------------------------------------------------------------------


def record(
    connection: sqlite3.Connection,
    outcomes: Sequence[ImportOutcome],
    changes: Mapping[int, library.LibraryChange],
    now: float,
) -> None:
    """Write outcomes and what they do to library and jobs; a late writer is fenced off."""
    items = json.dumps([each.task.item for each in outcomes])
    leases = {
        (item, worker): job for item, worker, job in connection.execute(SQL["leases"], (items,))
    }
    first = {each.task.lease: each for each in reversed(outcomes)}  # one counts, said twice or not
    kept = [each for lease, each in reversed(first.items()) if lease in leases]
    assets = library.take_over(connection, kept, changes, leases, now)
    became = (
        (each.status.value, each.reason, each.cause, assets.get(each.task.item), each.task.item)
        for each in kept
    )
    connection.executemany(SQL["record"], became)
    ended = Counter((leases[each.task.lease], each.status) for each in kept)
    for (job, status), images in ended.items():
        _count(connection, job, status, images)
    for job in {job for job, _ in ended}:
        _end_if_done(connection, job, now)


def release(connection: sqlite3.Connection, tasks: Iterable[ImportTask]) -> None:
    """Give back leases of images that have to be begun again."""
    sql = "UPDATE item SET worker = NULL WHERE id = ? AND worker = ? AND status IS NULL"
    connection.executemany(sql, ((task.item, task.worker) for task in tasks))


def _count(connection: sqlite3.Connection, job: int, status: Status, images: int) -> None:
    sql = f"UPDATE job SET {status.value} = {status.value} + ? WHERE n = ?"  # noqa: S608
    connection.execute(sql, (images, job))


def _end_if_done(
    connection: sqlite3.Connection, job: int, now: float, state: JobState = JobState.SUCCESS
) -> None:
    """The one place where a job ends, in the transaction of its last image's outcome: its
    notification is put down with it, so that there is exactly one."""
    ended = connection.execute(SQL["end_if_done"], (state, now, job)).rowcount
    row = connection.execute("SELECT * FROM job WHERE n = ?", (job,)).fetchone()
    if not ended or row["webhook"] is None:
        return
    context = None if row["context"] is None else json.loads(row["context"])
    body = wire.notification_to_json(JobStatus(row["id"], state), _counts(row), context)
    outbox.put(connection, row, wire.encode(body).decode(), now)


# -- answering ------------------------------------------------------------------------------


def _summary(row: sqlite3.Row) -> JobSummary:
    return made(JobSummary, row, counts=_counts(row))


def _counts(row: sqlite3.Row) -> Counts:
    done = row["success"] + row["skipped"] + row["failed"]
    return Counts(row["success"], row["skipped"], row["failed"], row["images"] - done)


def _result(row: sqlite3.Row) -> StoredResult:
    asset = None if row["media"] is None else made(StoredAsset, row)
    return made(StoredResult, row, asset=asset)


def _accepted(row: sqlite3.Row) -> JobChange:
    return JobChange(row["id"], JobState.STARTED, Counts(pending=row["images"]), 0.0)


def _ended(row: sqlite3.Row) -> JobChange:
    seconds = max(0.0, row["finished_at"] - row["created_at"])
    return JobChange(row["id"], JobState(row["state"]), _counts(row), seconds)
