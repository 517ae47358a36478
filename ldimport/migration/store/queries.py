"""What the state file tells. Reads only; every method works while another run writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from ldimport import wire
from ldimport.migration import model
from ldimport.migration.batch import Origin, Outgoing, Parcel
from ldimport.migration.causes import meaning_of
from ldimport.migration.store.file import made
from ldimport.migration.store.recording import STATES, Recording, unpack_one
from ldimport.model import Asset, JobOptions, JobState, JobStatus, Json, Result, Status

_AT = """(:target IS NULL
  OR :target IN (scope.target, substr(scope.target, 1, instr(scope.target, ':') - 1)))"""
_JOBS = f"""
SELECT job_id AS id, state, batch.success, batch.skipped,
  CASE state WHEN 'failed' THEN images ELSE batch.failed END AS failed,
  CASE state WHEN 'failed' THEN 0
    ELSE images - batch.success - batch.skipped - batch.failed END AS pending,
  submitted_at, finished_at, manifest, target, system_name, first_row, last_row
FROM batch JOIN scope ON scope.id = batch.scope
WHERE job_id IS NOT NULL AND {_AT}
  AND (:system_name IS NULL OR system_name = :system_name)
  AND (:ids IS NULL OR job_id IN (SELECT value FROM json_each(:ids)))
ORDER BY state = 'started' DESC, batch.id DESC
"""  # noqa: S608  (this and the next ones are made of constants)
_ARCHIVES = f"""
SELECT *, 0 AS invalid FROM scope
WHERE {_AT} AND (:system_name IS NULL OR system_name = :system_name) ORDER BY id
"""  # noqa: S608
_LAST_CHANGE = "SELECT max(max(recorded_at, coalesce(finished_at, 0))) FROM batch"
_OPEN = """
SELECT batch.id, scope AS archive, key, job_id, images FROM batch
JOIN scope ON scope.id = batch.scope
WHERE batch.state IN ('intent', 'started') AND target = :target ORDER BY batch.id
"""
_KNOWN = """
SELECT external_id, status, sent, arrived, pending, open_batch IS NOT NULL AS open,
  not_taken_over, manifest_path AS manifest
FROM image LEFT JOIN batch ON batch.id = coalesce(open_batch, last_batch)
WHERE image.scope = ? AND external_id IN (SELECT value FROM json_each(?))
"""
_OF_BATCHES = """
SELECT external_id FROM image
WHERE open_batch IN (SELECT value FROM json_each(:ids))
   OR last_batch IN (SELECT value FROM json_each(:ids))
"""
_NAMES = """
SELECT system_name, success + skipped + failed + pending AS images
FROM scope WHERE target = ? ORDER BY images DESC, id
"""
_ELSEWHERE = """
SELECT j.value AS id, s.system_name FROM json_each(?) j CROSS JOIN scope s CROSS JOIN image i
WHERE s.target = ? AND s.system_name != ? AND i.scope = s.id AND i.external_id = j.value
ORDER BY s.id DESC
"""
_ATTEMPTS_OF_JOB = """
SELECT attempt.external_id, attempt.status, title, attempt.reason, attempt.cause,
  attempt.retryable, media_id, original_url, url, width, height, mime_type, image_service
FROM attempt JOIN batch ON batch.id = attempt.batch
JOIN image ON image.scope = batch.scope AND image.external_id = attempt.external_id
WHERE batch.job_id = ? ORDER BY attempt.batch, attempt.n
"""
_IMAGES_OF_ID = """
SELECT scope.id AS archive, scope.label, scope.system_name,
  coalesce(batch.manifest, '') AS manifest, image.row, image.source_url,
  CASE WHEN open_batch IS NULL THEN image.status END AS status,
  open_batch IS NOT NULL AS open, image.cause, image.retryable, image.media_id
FROM image JOIN scope ON scope.id = image.scope
LEFT JOIN batch ON batch.id = coalesce(image.open_batch, image.last_batch)
WHERE image.external_id = ? ORDER BY scope.id
"""
_ATTEMPTS_OF_IMAGE = """
SELECT batch.finished_at AS at, batch.job_id, attempt.status, attempt.reason
FROM attempt JOIN batch ON batch.id = attempt.batch
WHERE attempt.external_id = :id AND batch.scope = :archive ORDER BY batch.id
"""
_FAILED = """
SELECT kept.packed, batch.options, batch.manifest, batch.manifest_path AS path
FROM kept JOIN image USING (scope, external_id) JOIN batch ON batch.id = image.last_batch
WHERE kept.scope = :archive AND image.status = 'failed' AND image.open_batch IS NULL
  AND (:job IS NULL OR batch.job_id = :job) AND (:cause IS NULL OR image.cause = :cause)
ORDER BY batch.options, batch.manifest_path, image.row
"""
_WHERE = f"""
FROM image JOIN scope ON scope.id = image.scope
LEFT JOIN batch ON batch.id = coalesce(image.open_batch, image.last_batch)
WHERE (:status IS NULL OR (image.status = :status AND image.open_batch IS NULL))
  AND (:job IS NULL OR batch.job_id = :job)
  AND (:cause IS NULL OR (cause = :cause AND image.status = 'failed'))
  AND (:host IS NULL OR instr(source_url, '://' || :host || '/')
       OR instr(source_url, '://' || :host || ':'))
  AND {_AT}
  AND (:system_name IS NULL OR system_name = :system_name)
  AND (:manifest IS NULL OR manifest_path = :manifest)
"""
_ENDED = "image.open_batch IS NULL AND image.status IS NOT NULL"
_LAST_FAILED = "image.open_batch IS NULL AND image.status IS 'failed'"
_COLUMNS = f"""external_id, system_name,
  CASE WHEN {_ENDED} THEN image.status END AS status,
  CASE WHEN {_ENDED} THEN reason END AS reason,
  CASE WHEN {_LAST_FAILED} THEN cause END AS cause, {_LAST_FAILED} AND retryable AS retryable,
  media_id, url, original_url, width, height, mime_type, title, file_name, source_url, job_id,
  image.row, attempts, image.not_taken_over, scope.label AS target"""
_ROWS = f"SELECT {_COLUMNS} {_WHERE} ORDER BY image.scope, image.row"
_FIRST_FAILED = f"""SELECT {_COLUMNS} {_WHERE}
ORDER BY image.status = 'failed' DESC, image.status IS NULL DESC, image.scope, image.row"""
_ORIGINALS = f"""
SELECT kept.packed, {_COLUMNS}
{_WHERE.replace("WHERE", "JOIN kept USING (scope, external_id) WHERE", 1)}
  AND image.status = 'failed' ORDER BY image.scope, image.row
"""
_CAUSES = f"""
SELECT cause, min(reason) AS reason, count(*) AS images, max(retryable) AS retryable,
  json_group_array(json_array(row, external_id)) FILTER (WHERE n <= 2) AS examples
FROM (
  SELECT image.external_id, image.row, cause, reason, retryable,
    CASE cause WHEN 'other' THEN reason END AS sentence,
    row_number() OVER (
      PARTITION BY cause, CASE cause WHEN 'other' THEN reason END ORDER BY image.row) AS n
  {_WHERE} AND {_LAST_FAILED})
GROUP BY cause, sentence ORDER BY images DESC, cause, reason
"""  # noqa: S608


class StateStore(Recording):
    """What a migration remembers. Use ``StateStore.open``, and close it.

    One process writes at a time (LockedError for the second), any number read, and readers see
    whole transactions only. Each method that writes is one durable transaction:

    - ``record_intent`` before a batch is POSTed, ``accept`` or ``refuse`` after it was answered.
      A batch whose answer was lost stays open, and is handed over again with the same key.
    - ``settle`` stores the results of a job, what they change of its images, the sums of the
      archive and the end of the batch, all or nothing.

    Nothing is ever forgotten: batches and attempts are only added. After ``close`` by the writer
    all of it is one file.
    """

    # -- archives, batches and images, for a run --------------------------------------------

    def system_names(self, target: str) -> list[str]:
        """The systemNames this state file has used for a target."""
        query = "SELECT system_name FROM scope WHERE target = ? ORDER BY id"
        return [row[0] for row in self._connection.execute(query, (target,))]

    def images_by_name(self, target: str) -> dict[str, int]:
        """How many images a target got under which systemName, the most first."""
        return {row[0]: int(row[1]) for row in self._connection.execute(_NAMES, (target,))}

    def elsewhere(self, target: str, own: str, ids: Sequence[str]) -> dict[str, str]:
        """Which of these ids (a few hundred) were sent under another name, and under which."""
        rows = self._connection.execute(_ELSEWHERE, (json.dumps(ids), target, own))
        return {row[0]: row[1] for row in rows}

    def known(self, archive: int | None, ids: Sequence[str]) -> dict[str, model.Known]:
        """What is known of these external ids (a few hundred at a time)."""
        rows = self._connection.execute(_KNOWN, (archive, json.dumps(ids)))
        return {row["external_id"]: made(model.Known, row) for row in rows}

    def open_batches(self, target: str, only: Sequence[str] = ()) -> list[model.OpenBatch]:
        """Batches of a target whose jobs have not ended, oldest first; ``only`` those of these
        jobs where any are named."""
        found = self._each(model.OpenBatch, _OPEN, {"target": target})
        return [batch for batch in found if not only or batch.job_id in only]

    def parcel(self, batch: model.OpenBatch) -> Parcel:
        """What an open batch carries, to send it again."""
        query = "SELECT options, manifest, manifest_path AS path FROM batch WHERE id = ?"
        row = self._connection.execute(query, (batch.id,)).fetchone()
        envelope, images = self._unpacked(batch)
        options = wire.options_from_json(row["options"])
        return Parcel(batch.archive, envelope, options, made(Origin, row), images)

    def failed_images(
        self, archive: int, job: str | None, cause: str | None
    ) -> Iterator[tuple[Outgoing, JobOptions, Origin]]:
        """Failed images as they were sent, those that belong together next to each other."""
        asked = {"archive": archive, "job": job, "cause": cause}
        for row in self._connection.execute(_FAILED, asked).fetchall():
            options = wire.options_from_json(row["options"])
            yield unpack_one(row["packed"]), options, made(Origin, row)

    def outcomes(self, archive: int | None, ids: Sequence[str]) -> model.Totals:
        """These images by their last outcome."""
        row = self._connection.execute(STATES, (archive, json.dumps(ids))).fetchone()
        return made(model.Totals, row, invalid=0)

    def batch_outcomes(self, archive: int | None, batches: Sequence[int]) -> model.Totals:
        """The images of these batches by their last outcome."""
        rows = self._connection.execute(_OF_BATCHES, {"ids": json.dumps(batches)})
        return self.outcomes(archive, [row[0] for row in rows])

    # -- what commands show -----------------------------------------------------------------

    def overview(
        self, *, target: str | None = None, system_name: str | None = None
    ) -> model.Overview:
        """Everything at a glance, without counting a single image."""
        asked = {"target": target, "system_name": system_name}
        archives = tuple(self._each(model.ArchiveSums, _ARCHIVES, asked))
        return model.Overview(
            tuple(self.jobs(target=target, system_name=system_name)),
            model.added(model.Totals, (each.totals for each in archives)),
            archives,
            self._first(_LAST_CHANGE),
        )

    def jobs(
        self,
        ids: Sequence[str] | None = None,
        *,
        target: str | None = None,
        system_name: str | None = None,
    ) -> Iterator[model.JobRow]:
        """Jobs, unfinished first, then newest first; with ``ids`` only these."""
        wanted = None if ids is None else json.dumps(ids)
        asked = {"target": target, "system_name": system_name, "ids": wanted}
        return self._each(model.JobRow, _JOBS, asked)

    def job(self, job_id: str) -> model.JobRow | None:
        """One job, or None when the state file does not know it."""
        return next(self.jobs(ids=[job_id]), None)

    def similar_jobs(self, text: str) -> list[str]:
        """The job id that was probably meant."""
        rows = self._connection.execute("SELECT job_id FROM batch WHERE job_id IS NOT NULL")
        return get_close_matches(text, [row[0] for row in rows], n=1, cutoff=0.6)

    def job_status(self, job_id: str) -> JobStatus:
        """What the target last told of a job, from the stored results."""
        row = self.job(job_id)
        if row is None:
            return JobStatus(job_id, JobState.LOST)
        if row.state is not JobState.SUCCESS:
            started = datetime.fromtimestamp(row.submitted_at, UTC)
            return JobStatus(job_id, row.state, f"{started:%Y-%m-%d %H:%M:%S}")
        found = self._connection.execute(_ATTEMPTS_OF_JOB, (job_id,))
        return JobStatus(job_id, row.state, None, tuple(map(_result, found)))

    def results(
        self, which: model.Filter | None = None, *, failures_first: bool = False
    ) -> Iterator[model.ResultRow]:
        """Every image by its last outcome, in the order of its manifest."""
        query = _FIRST_FAILED if failures_first else _ROWS
        return self._each(model.ResultRow, query, _asked(which))

    def causes(self, which: model.Filter | None = None) -> tuple[model.CauseRow, ...]:
        """Failures grouped by cause, those of unknown causes by what the target said; the most
        frequent first, each with two examples."""
        return tuple(map(_cause_row, self._connection.execute(_CAUSES, _asked(which))))

    def failed_rows(
        self, which: model.Filter | None = None
    ) -> Iterator[tuple[Mapping[str, Json], model.ResultRow]]:
        """Failed images with their rows as they stand in the manifest."""
        for row in self._connection.execute(_ORIGINALS, _asked(which)):
            yield unpack_one(row["packed"]).original, made(model.ResultRow, row)

    def history(self, external_id: str) -> list[model.History]:
        """The image in every archive that has this external id; empty when none has."""
        found = []
        for row in self._connection.execute(_IMAGES_OF_ID, (external_id,)).fetchall():
            asked = {"id": external_id, "archive": row["archive"]}
            attempts = tuple(self._each(model.Attempt, _ATTEMPTS_OF_IMAGE, asked))
            found.append(made(model.History, row, attempts=attempts))
        return found


def _asked(which: model.Filter | None) -> dict[str, Any]:
    return asdict(which or model.Filter())


def _result(row: sqlite3.Row) -> Result:
    none = row["status"] == Status.FAILED or row["media_id"] is None
    return made(Result, row, asset=None if none else made(Asset, row), system_name=None)


def _cause_row(row: sqlite3.Row) -> model.CauseRow:
    examples = tuple((id_, number) for number, id_ in sorted(json.loads(row["examples"])))
    text = meaning_of(row["cause"], row["reason"])
    return model.CauseRow(row["cause"], text, row["images"], bool(row["retryable"]), examples)
