"""What the state file tells. Reads only; every method works while another run writes."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from ldimport import wire
from ldimport.database_rows import made, made_each, values_checked
from ldimport.migration import model
from ldimport.migration.batch import Origin, Outgoing, Parcel
from ldimport.migration.causes import cause_row
from ldimport.migration.hosts import IN_A_ROW, blames_host
from ldimport.migration.store.packing import unpack_one
from ldimport.migration.store.schema import KIND, SQL
from ldimport.migration.store.surveying import Surveying
from ldimport.migration.story import Attempt, History
from ldimport.model import Asset, JobOptions, JobState, JobStatus, Json, Result, Status
from ldimport.url import host_of

_MOST_HOSTS = 100


@values_checked(KIND)
class StateStore(Surveying):
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
        return {row[0]: int(row[1]) for row in self._connection.execute(SQL["names"], (target,))}

    def elsewhere(self, target: str, own: str, ids: Sequence[str]) -> dict[str, str]:
        """Which of these ids (a few hundred) were sent under another name, and under which."""
        rows = self._connection.execute(SQL["elsewhere"], (json.dumps(ids), target, own))
        return {row[0]: row[1] for row in rows}

    def alike(self, archive: int | None, ids: Sequence[str]) -> dict[str, str]:
        """Which of these ids (a few hundred, none of them known) differ only in leading zeros or
        case from one that the archive has, and from which."""
        rows = self._connection.execute(SQL["alike"], (json.dumps(ids), archive))
        return {row[0]: row[1] for row in rows}

    def known(self, archive: int | None, ids: Sequence[str]) -> dict[str, model.Known]:
        """What is known of these external ids (a few hundred at a time)."""
        rows = self._connection.execute(SQL["known"], (archive, json.dumps(ids)))
        return {row["external_id"]: made(model.Known, row) for row in rows}

    def settled(
        self, archive: int | None, ids: Sequence[str]
    ) -> dict[str, tuple[bytes | None, Status]]:
        """Of these external ids those that have arrived, with nothing left open: the fingerprint
        that was sent, and the outcome."""
        rows = self._connection.execute(SQL["settled"], (archive, json.dumps(ids))).fetchall()
        return {id_: (sent, _OUTCOMES[status]) for id_, sent, status in rows}

    def has_images(self, archive: int | None) -> bool:
        """Whether anything is known of any image."""
        return self._first("SELECT 1 FROM image WHERE scope = ? LIMIT 1", archive) is not None

    def open_batches(
        self, target: str, only: Sequence[str] = (), system_name: str | None = None
    ) -> list[model.OpenBatch]:
        """Batches of a target whose jobs have not ended, oldest first; ``only`` those of these
        jobs where any are named, and those of one archive where it is named."""
        asked = {"target": target, "system_name": system_name}
        found = self._each(model.OpenBatch, SQL["open"], asked)
        wanted = frozenset(only)
        return [batch for batch in found if not wanted or batch.job_id in wanted]

    def has_webhook(self, batch: model.OpenBatch) -> bool:
        """Whether the end of an open batch's job is told by webhook."""
        return self._unpacked(batch)[0].webhook is not None

    def parcel(self, batch: model.OpenBatch) -> Parcel:
        """What an open batch carries, to send it again."""
        query = "SELECT options, manifest, manifest_path AS path, dialect FROM batch WHERE id = ?"
        row = self._connection.execute(query, (batch.id,)).fetchone()
        envelope, images = self._unpacked(batch)
        options = wire.options_from_json(row["options"])
        return Parcel(batch.archive, envelope, options, made(Origin, row), images)

    def failed_images(
        self, archive: int, which: model.Failed
    ) -> Iterator[tuple[Outgoing, JobOptions, Origin]]:
        """Failed images as they were sent, those that belong together next to each other. They may
        be sent while this goes on: which they are is settled at its beginning. One at a time."""
        self._connection.execute("DROP TABLE IF EXISTS temp.chosen")
        self._connection.execute(SQL["failed"], _of_failed(archive, which))
        at = {"archive": archive, "after": 0}
        while rows := self._connection.execute(SQL["next_failed"], at).fetchall():
            for row in rows:
                options = wire.options_from_json(row["options"])
                yield unpack_one(row["packed"]), options, made(Origin, row)
            at["after"] = rows[-1]["n"]

    def split(self, archive: int, which: model.Failed) -> tuple[model.RetryGroup, ...]:
        """All failures of an archive grouped by cause, and how many of each are meant."""
        rows = self._connection.execute(SQL["split"], _of_failed(archive, which))
        return tuple(model.RetryGroup(_cause_row(row), row["chosen"], row["asked"]) for row in rows)

    def outcomes(self, archive: int | None, ids: Sequence[str]) -> model.Totals:
        """These images by their last outcome."""
        row = self._connection.execute(SQL["states"], (archive, json.dumps(ids))).fetchone()
        return made(model.Totals, row, invalid=0)

    def batch_outcomes(self, archive: int | None, batches: Sequence[int]) -> model.Totals:
        """The images of these batches by their last outcome."""
        asked = {"archive": archive, "ids": json.dumps(batches)}
        row = self._connection.execute(SQL["states_of_batches"], asked).fetchone()
        return made(model.Totals, row, invalid=0)

    # -- what commands show -----------------------------------------------------------------

    def archives(
        self, *, target: str | None = None, system_name: str | None = None
    ) -> tuple[model.ArchiveSums, ...]:
        """Every archive with the sums of its images."""
        asked = {"target": target, "system_name": system_name}
        return tuple(self._each(model.ArchiveSums, SQL["archives"], asked))

    def overview(
        self,
        *,
        target: str | None = None,
        system_name: str | None = None,
        most: int | None = None,
        failed: bool = False,
    ) -> model.Overview:
        """Everything at a glance, without counting a single image: of jobs at most so many,
        ``failed``: of those with failures."""
        asked = {"target": target, "system_name": system_name}
        archives = self.archives(**asked)
        counts = Counter[str](), Counter[str]()
        for row in self._connection.execute(SQL["job_counts"], {**asked, "failed": failed}):
            counts[0][row["target"]] += row["jobs"]
            counts[1][row["target"]] += int(row["open"])
        return model.Overview(
            tuple(self.jobs(**asked, most=most, failed=failed)),
            model.added(model.Totals, (each.totals for each in archives)),
            archives,
            self._first(SQL["last_change"]),
            in_all=counts[0].total(),
            under_way={place: jobs for place, jobs in counts[1].items() if jobs},
        )

    def jobs(
        self,
        ids: Sequence[str] | None = None,
        *,
        target: str | None = None,
        system_name: str | None = None,
        most: int | None = None,
        failed: bool = False,
    ) -> Iterator[model.JobRow]:
        """Jobs, unfinished first, then newest first, at most so many; with ``ids`` only these, else
        with ``failed`` those with failures."""
        asked: dict[str, Any] = {"target": target, "system_name": system_name}
        if ids is not None:
            return self._each(model.JobRow, SQL["jobs_of_ids"], {**asked, "ids": json.dumps(ids)})
        asked |= {"most": -1 if most is None else most, "failed": failed}
        return self._each(model.JobRow, SQL["jobs"], asked)

    def open_job_ids(
        self, *, target: str | None = None, system_name: str | None = None
    ) -> list[str]:
        """Those of the jobs under way, without a look at what they carry; oldest first."""
        asked = {"target": target, "system_name": system_name}
        return [row[0] for row in self._connection.execute(SQL["open_job_ids"], asked)]

    def last_ended(
        self, *, target: str | None = None, system_name: str | None = None
    ) -> model.EndedJob | None:
        """The job that ended last."""
        asked = {"target": target, "system_name": system_name}
        return next(self._each(model.EndedJob, SQL["last_ended"], asked), None)

    def job(self, job_id: str) -> model.JobRow | None:
        """One job, or None when the state file does not know it."""
        return next(self.jobs(ids=[job_id]), None)

    def job_ids(self) -> list[str]:
        """Those of all jobs."""
        rows = self._connection.execute("SELECT job_id FROM batch WHERE job_id IS NOT NULL")
        return [row[0] for row in rows]

    def job_status(self, job_id: str) -> JobStatus:
        """What the target last told of a job, from the stored results."""
        row = self.job(job_id)
        if row is None:
            return JobStatus(job_id, JobState.LOST)
        if row.state is not JobState.SUCCESS:
            started = datetime.fromtimestamp(row.submitted_at, UTC)
            return JobStatus(job_id, row.state, f"{started:%Y-%m-%d %H:%M:%S}")
        found = self._connection.execute(SQL["attempts_of_job"], (job_id,))
        return JobStatus(job_id, row.state, None, tuple(map(_result, found)))

    def results(
        self, which: model.Filter | None = None, *, failures_first: bool = False
    ) -> Iterator[model.ResultRow]:
        """Every image by its last outcome, in the order of its manifest; ``failures_first``: these,
        then all others."""
        which = which or model.Filter()
        mixed = failures_first and which.status is None and not which.waived
        found = self._of(which, "first_failed" if mixed else "rows")
        yield from made_each(model.ResultRow, found)

    def _of(self, which: model.Filter | None, query: str) -> sqlite3.Cursor:
        which = which or model.Filter()
        found: sqlite3.Cursor = self._connection.execute(_listing(query, which), asdict(which))
        return found

    def holds(self, which: model.Filter) -> bool:
        """Whether any image is meant."""
        return next(self.results(which), None) is not None

    def causes(self, which: model.Filter | None = None) -> tuple[model.CauseRow, ...]:
        """Failures grouped by cause, those of unknown causes by what the target said, without names
        and numbers; the most frequent first, each with two examples."""
        return tuple(map(_cause_row, self._of(which, "causes")))

    def causes_of(
        self, job_ids: Sequence[str] = (), *, batches: Sequence[int] = ()
    ) -> tuple[model.CauseRow, ...]:
        """Those of the images whose last outcome came from these jobs or batches."""
        asked = {"ids": json.dumps(job_ids), "batches": json.dumps(batches)}
        return tuple(map(_cause_row, self._connection.execute(SQL["causes_of_jobs"], asked)))

    def failing_hosts(self, archive: int, since: float) -> dict[str, int]:
        """Hosts from which many images have failed since then, for causes that pass and that say
        of the host that it does not work; and how many. Those do not count in whose batch others of
        the host arrived."""
        found: Counter[str] = Counter()
        rows = self._connection.execute(SQL["failing_hosts"], (archive, since)).fetchall()
        for row in rows:
            works = self._first(SQL["arrived_of_host"], row["batch"], row["host"])
            if blames_host(row["cause"], True) and not works:
                found[host_of(f"http://{row['host']}/")] += row["images"]
        return {host: n for host, n in found.most_common(_MOST_HOSTS) if n >= IN_A_ROW}

    def waivers(self, which: model.Filter) -> tuple[model.Waiver, ...]:
        """Why failures were accepted, the most frequent reason first."""
        return tuple(
            model.Waiver(row["reason"], row["images"], _examples(row["examples"]))
            for row in self._of(which, "waivers")
        )

    def dialects(self, which: model.Filter) -> list[str | None]:
        """The forms of the manifests that these failed images came from, each once; None: not
        known."""
        return [row[0] for row in self._of(_failures(which), "dialects")]

    def failed_rows(
        self, which: model.Filter | None = None
    ) -> Iterator[tuple[Mapping[str, Json], model.ResultRow]]:
        """Failed images with their rows as they stand in the manifest."""
        for row in self._of(_failures(which), "originals"):
            yield unpack_one(row["packed"]).original, made(model.ResultRow, row)

    def history(self, external_id: str) -> list[History]:
        """The image in every archive that has this external id; empty when none has."""
        found = []
        for row in self._connection.execute(SQL["images_of_id"], (external_id,)).fetchall():
            asked = {"id": external_id, "archive": row["archive"]}
            attempts = tuple(self._each(Attempt, SQL["attempts_of_image"], asked))
            steps, now = self.story(row["archive"], external_id)
            found.append(made(History, row, attempts=attempts, steps=steps, now=now))
        return found


_OUTCOMES = {status.value: status for status in Status}
_UNTOLD: Mapping[str, Any] = {
    **dict.fromkeys(("media_type", "key", "version", "size", "created_at")), "metadata": {},
}  # fmt: skip
"""What results do not say of an asset."""


def _failures(which: model.Filter | None) -> model.Filter:
    which = which or model.Filter()
    return which if which.waived else replace(which, status=Status.FAILED)


def _listing(query: str, which: model.Filter) -> str:
    row = "image.row" if which.job is None else "+image.row"
    return SQL[query].format(which=_conditions(which), row=row)


def _conditions(which: model.Filter) -> str:
    """Which images are meant, so that an index finds them in their order, the narrowest one."""
    narrow = which.job is not None or which.cause is not None
    names: list[str | bool | None] = [
        which.waived and "of_waived",
        not which.waived and which.status and ("of_status_too" if narrow else "of_status"),
        which.job is not None and "of_job",
        which.cause is not None and "of_cause",
        which.host is not None and "of_host",
        which.manifest is not None and "of_manifest",
    ]
    return " AND ".join(SQL[name] for name in ("of_archive", *names) if isinstance(name, str))


def _of_failed(archive: int, which: model.Failed) -> dict[str, Any]:
    lists = {"ids": which.ids and json.dumps(which.ids), "worth": json.dumps(which.worth)}
    return {**asdict(which), **lists, "archive": archive}


def _result(row: sqlite3.Row) -> Result:
    none = row["status"] == Status.FAILED or row["media_id"] is None
    asset = None if none else made(Asset, row, **_UNTOLD)
    return made(Result, row, asset=asset, system_name=None)


def _cause_row(row: sqlite3.Row) -> model.CauseRow:
    return cause_row(
        row["cause"],
        (row["first_reason"], row["last_reason"]),
        row["images"],
        bool(row["retryable"]),
        _examples(row["examples"]),
        (row["first_host"], row["last_host"]),
    )


def _examples(told: str) -> tuple[tuple[str, int], ...]:
    return tuple((id_, int(number)) for number, id_ in sorted(json.loads(told)))
