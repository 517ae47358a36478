"""What a run writes down: batches before they are sent, and the ends of their jobs."""

import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from ldimport import wire
from ldimport.causes import Cause
from ldimport.database_rows import values_checked
from ldimport.errors import LdimportError, UsageError, did_you_mean
from ldimport.migration.batch import Envelope, Outgoing, Parcel, parts
from ldimport.migration.causes import cause_of, meaning_of
from ldimport.migration.hosts import blames_host
from ldimport.migration.model import (
    BatchState,
    Failed,
    Failure,
    HostOutcome,
    OpenBatch,
    Settled,
    Totals,
    WaiverChange,
)
from ldimport.migration.store.ledger import Ledger
from ldimport.migration.store.schema import KIND, SQL, damaged
from ldimport.model import Image, JobState, JobStatus, Result, Status
from ldimport.url import host_of
from ldimport.wire import image_body

_MOST_EXAMPLES = 3
_NO_ASSET = dict.fromkeys(
    ("media_id", "url", "original_url", "width", "height", "mime_type", "image_service")
)


@values_checked(KIND)
class Recording(Ledger):
    """Every method is one transaction, and keeps the sums of an archive equal to its images."""

    def archive(self, target: str, label: str, system_name: str) -> int | None:
        """Number of the archive; made when the file is writable, else None if unknown."""
        find = "SELECT id FROM scope WHERE target = ? AND system_name = ?"
        found: int | None = self._first(find, target, system_name)
        if found is None and self.writable:
            with self._writing() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO scope (target, label, system_name) VALUES (?, ?, ?)",
                    (target, label, system_name),
                )
                found = self._first(find, target, system_name)
        return found

    def record_intent(self, parcel: Parcel, key: str, now: float) -> OpenBatch:
        """Write a batch down before it is sent; its images are pending from here on."""
        images, archive, origin = parcel.images, parcel.archive, parcel.origin
        options, packed = wire.options_to_json(parcel.options), pack(parcel.envelope, images)
        head = (archive, key, BatchState.INTENT, origin.manifest, origin.path)
        with self._writing() as connection:
            what = (origin.dialect, options, packed)
            row = (*head, *what, len(images), *parcel.rows, now)
            batch = connection.execute(SQL["insert_batch"], row).lastrowid
            assert batch is not None
            opened = (
                (archive, each.image.id, batch, each.fingerprint, each.row, each.image.file_name,
                 each.image.url)
                for each in images
            )  # fmt: skip
            with sums_follow(connection, archive, [each.image.id for each in images]):
                connection.executemany(SQL["open_image"], opened)
        return OpenBatch(batch, archive, key, None, len(images))

    def accept(self, batch: OpenBatch, job_id: str, now: float) -> OpenBatch:
        """The target answered with a job id."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE batch SET state = ?, job_id = ?, submitted_at = ? WHERE id = ?",
                (BatchState.STARTED, job_id, now, batch.id),
            )
        return replace(batch, job_id=job_id, submitted_at=now)

    def refuse(self, batch: OpenBatch, now: float, why: LdimportError | None = None) -> None:
        """The target certainly did not accept the batch: its images are as they were before."""
        said = None if why is None else f"{why.code}: {why.message}"
        with self._ending(batch, BatchState.REFUSED, now) as connection:
            connection.execute("UPDATE batch SET refused = ? WHERE id = ?", (said, batch.id))
            connection.execute(
                "UPDATE image SET open_batch = NULL, pending = NULL WHERE open_batch = ?",
                (batch.id,),
            )

    def settle(self, batch: OpenBatch, job: JobStatus, now: float) -> Settled:
        """Store the end of a job with all its results at once; a target need not keep them. A job
        that failed as a whole or was lost leaves its images "not sent", but for those of which
        there are results all the same."""
        whole = job.state is JobState.SUCCESS
        if not (whole or job.results):
            with self._ending(batch, BatchState(job.state), now) as connection:
                connection.execute(SQL["unsent"], (batch.id, batch.id))
            return Settled(Totals(unsubmitted=batch.images))
        images, outcomes = self._outcomes(batch, job, now, whole=whole)
        settled = _settled(job.id, images, outcomes, batch.images - len(images))
        with self._ending(batch, BatchState(job.state), now, settled.totals) as connection:
            connection.executemany(SQL["settle"], outcomes)
            connection.executemany(SQL["attempt"], outcomes)
            _keep_failed(connection, images, outcomes)
            connection.execute(SQL["unsent"], (batch.id, batch.id))
        return settled

    def _outcomes(
        self, batch: OpenBatch, job: JobStatus, now: float, *, whole: bool
    ) -> tuple[Sequence[Outgoing], Sequence[dict[str, Any]]]:
        """The images of an ended job and what became of them: of all its images if it is ``whole``,
        else of those that have a result."""
        results = {result.external_id: result for result in job.results}
        query = "SELECT external_id, arrived FROM image WHERE open_batch = ?"
        arrived = {row[0]: row[1] for row in self._connection.execute(query, (batch.id,))}
        _, sent = self._unpacked(batch)
        told = [(n, each) for n, each in enumerate(sent) if whole or each.image.id in results]
        outcomes = [
            _outcome(batch, n, each, results.get(each.image.id), arrived.get(each.image.id), now)
            for n, each in told
        ]
        return [each for _, each in told], outcomes

    def waive(
        self,
        archive: int,
        which: Failed,
        chunks: Iterable[Sequence[str] | None],
        because: str | None,
        now: float,
    ) -> WaiverChange:
        """Accept the failures of images that are meant, in each of these ``chunks`` of ids (None:
        whatever their id), or take that back (``because`` None). An image whose row is edited
        loses its waiver by itself, in ``settle``. Raises UsageError for an unknown id."""
        asked = {**asdict(which), "archive": archive, "because": because, "now": now}
        changed = before = other = 0
        examples: list[str] = []
        with self._writing() as connection:
            for ids in chunks:
                asked["ids"] = None if ids is None else json.dumps(ids)
                odd = [] if ids is None else self._not_waivable(archive, ids, because is None)
                other += len(odd)
                examples += odd[: _MOST_EXAMPLES - len(examples)]
                if because is not None:
                    before += connection.execute(SQL["waive_anew"], asked).rowcount
                what = "waive" if because is not None else "unwaive"
                changed += connection.execute(SQL[what], asked).rowcount
            moved = changed if because is not None else -changed
            connection.execute(SQL["waived"], (moved, moved, archive))
        return WaiverChange(changed, before, other, tuple(examples))

    def _not_waivable(self, archive: int, ids: Sequence[str], undo: bool) -> list[str]:
        """Of these ids those whose images have not failed, or are not waived. Raises UsageError
        for one that the archive does not have."""
        rows = self._connection.execute(SQL["waivable"], (archive, json.dumps(ids))).fetchall()
        known = {row["external_id"]: row["waived" if undo else "failed"] for row in rows}
        for id_ in ids:
            if id_ not in known:
                raise self.unknown_id(id_, [archive])
        return [id_ for id_, fits in known.items() if not fits]

    def unknown_id(self, id_: str, archives: Iterable[int]) -> UsageError:
        """The error for an id that none of these archives has, with what was probably meant."""
        begin = id_[: max(1, len(id_) // 2)]
        near_by: list[str] = []
        for archive in archives:
            asked = (archive, begin, begin + chr(0x10FFFF))
            near_by += (row[0] for row in self._connection.execute(SQL["ids_near"], asked))
        hint = did_you_mean(id_, near_by, "ldimport results   lists all images")
        text = f"no image “{id_}” in the state file"
        return UsageError(text, hint=hint, code="unknown-id")

    def _unpacked(self, batch: OpenBatch) -> tuple[Envelope, tuple[Outgoing, ...]]:
        return unpack(self._first("SELECT packed FROM batch WHERE id = ?", batch.id))

    @contextmanager
    def _ending(
        self, batch: OpenBatch, state: BatchState, now: float, counts: Totals | None = None
    ) -> Iterator[sqlite3.Connection]:
        """A transaction that ends a batch; inside, its images change."""
        counts = counts or Totals()
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT external_id FROM image WHERE open_batch = ?", (batch.id,)
            )
            with sums_follow(connection, batch.archive, [row[0] for row in rows]):
                yield connection
            sums = (counts.success, counts.skipped, counts.failed)
            connection.execute(SQL["end"], (state, now, *sums, batch.id))


@contextmanager
def sums_follow(connection: sqlite3.Connection, archive: int, ids: Sequence[str]) -> Iterator[None]:
    """Inside, images of an archive change; after it, the archive's sums have followed."""
    asked = (archive, json.dumps(ids))
    before = connection.execute(SQL["states"], asked).fetchone()
    yield
    after = connection.execute(SQL["states"], asked).fetchone()
    change = [new - old for new, old in zip(after, before, strict=True)]
    connection.execute(SQL["add"], (*change, archive))


def _outcome(
    batch: OpenBatch,
    n: int,
    each: Outgoing,
    result: Result | None,
    arrived: bytes | None,
    now: float,
) -> dict[str, Any]:
    """The new state of one image. ``skipped`` for content that differs from what arrived means
    that the target did not take the change over: it stays changed."""
    if result is None:
        none = Cause.NO_RESULT
        result = Result(each.image.id, Status.FAILED, reason=none.meaning, cause=none.code)
    failed = result.status is Status.FAILED
    not_taken = result.leaves_open and arrived not in (None, each.content)
    cause, retryable = cause_of(result) if failed else (result.cause, None)
    return {
        **(_NO_ASSET if result.asset is None else asdict(result.asset)),
        "scope": batch.archive,
        "batch": batch.id,
        "n": n,
        "at": now,
        "external_id": each.image.id,
        "status": result.status,
        "sent": each.fingerprint,
        "parts": parts(each.image),
        "arrived": arrived if failed or not_taken else each.content,
        "not_taken_over": not_taken,
        "kept_content": (failed or not_taken) and arrived is not None,
        "reason": result.reason,
        "cause": cause,
        "retryable": retryable,
        "title": result.title or each.image.file_name,
        "file_name": each.image.file_name,
        "source_url": each.image.url,
    }


def _keep_failed(
    connection: sqlite3.Connection, images: Sequence[Outgoing], outcomes: Sequence[dict[str, Any]]
) -> None:
    """Failed images are kept as they were sent; the others no more."""
    for each, outcome in zip(images, outcomes, strict=True):
        key = (outcome["scope"], each.image.id, outcome["batch"])
        if outcome["status"] is Status.FAILED:
            connection.execute(SQL["keep"], (*key, pack_one(each)))
        else:
            connection.execute(SQL["no_more"], key)


def _settled(
    job_id: str, images: Sequence[Outgoing], outcomes: Sequence[dict[str, Any]], unsent: int
) -> Settled:
    failures = []
    for each, outcome in zip(images, outcomes, strict=True):
        if outcome["status"] is Status.FAILED:
            cause = outcome["cause"]
            reason = outcome["reason"] or meaning_of(cause, None)
            what = (each.image.id, each.row, each.image.url, reason, cause, outcome["retryable"])
            failures.append(Failure(*what, job_id))
    words = Counter(outcome["status"].value for outcome in outcomes)
    not_taken = sum(outcome["not_taken_over"] for outcome in outcomes)
    arrived = (each["cause"] for each in outcomes if each["status"] is Status.SUCCESS)
    notes = Counter(filter(None, arrived))
    totals = Totals(**words, not_taken_over=not_taken, unsubmitted=unsent)
    return Settled(totals, tuple(failures), notes, tuple(map(_of_host, outcomes)))


def _of_host(outcome: Mapping[str, Any]) -> HostOutcome:
    arrived = outcome["status"] is not Status.FAILED
    blamed = not arrived and blames_host(outcome["cause"], bool(outcome["retryable"]))
    return HostOutcome(host_of(outcome["source_url"]), arrived, blamed)


# -- batches and images are kept as compressed JSON, which schema 1 wrote too ------------------


def pack(envelope: Envelope, images: tuple[Outgoing, ...]) -> bytes:
    """Envelope and images, until their job has ended."""
    shared = {"systemName": envelope.system_name, "webhook": envelope.webhook}
    head = _json({**shared, "context": envelope.context})
    text = b'%b,"images":[%b]}' % (head[:-1], b",".join(map(_outgoing, images)))
    return zlib.compress(text, 3)


def unpack(packed: bytes) -> tuple[Envelope, tuple[Outgoing, ...]]:
    """What ``pack`` packed."""
    body = _parsed(packed)
    envelope = Envelope(body["systemName"], body["webhook"], body["context"])
    return envelope, tuple(map(_from_json, body["images"]))


def pack_one(outgoing: Outgoing) -> bytes:
    """One image, for keeping a failed one until it succeeds."""
    return zlib.compress(_outgoing(outgoing))


def unpack_one(packed: bytes) -> Outgoing:
    """What ``pack_one`` packed."""
    return _from_json(_parsed(packed))


def _outgoing(each: Outgoing) -> bytes:
    """The entry stands there as it was rendered; the original row keeps its order of columns."""
    place = {"row": each.row, "line": each.line, "original": each.original}
    digests = {"fingerprint": each.fingerprint.hex(), "content": each.content.hex()}
    own = _json({**place, **digests})
    return b'{"image":%b,%b' % (each.body, own[1:])


def _from_json(body: Mapping[str, Any]) -> Outgoing:
    entry = body["image"]
    image = Image(
        entry["id"], entry["url"], entry["fileName"], entry["metadata"], entry.get("mediaType")
    )
    fingerprint, content = bytes.fromhex(body["fingerprint"]), bytes.fromhex(body["content"])
    place, original = (body["row"], body["line"]), body["original"]
    return Outgoing(image, *place, image_body(image), fingerprint, content, original)


def _json(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, default=dict)
    return text.encode("utf-8", "surrogatepass")


def _parsed(packed: bytes) -> Any:
    try:
        return json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    except (zlib.error, TypeError, ValueError) as error:
        raise damaged(error) from error
