"""What a run writes down: batches before they are sent, and the ends of their jobs."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import compress, groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from ldimport import wire
from ldimport.causes import Cause
from ldimport.database_rows import values_checked
from ldimport.errors import LdimportError, UsageError, did_you_mean
from ldimport.migration.batch import Envelope, Outgoing, Parcel, Sent
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
from ldimport.migration.store.packing import pack, pack_one, unpack
from ldimport.migration.store.schema import KIND, SQL
from ldimport.model import MAX_OPEN_JOBS, JobState, JobStatus, Result, Status
from ldimport.url import host_of

_MOST_EXAMPLES = 3


@values_checked(KIND)
class Recording(Ledger):
    """Every method is one transaction, and keeps the sums of an archive equal to its images."""

    def __init__(self, *opened: Any) -> None:
        super().__init__(*opened)
        self._sent: dict[int, tuple[Sent, ...]] = {}

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
        head = (archive, key, BatchState.INTENT.value, origin.manifest, origin.path)
        sent = tuple(each.sent for each in images)
        with self._writing() as connection:
            what = (origin.dialect, options, packed)
            row = (*head, *what, len(images), *parcel.rows, now)
            batch = connection.execute(SQL["insert_batch"], row).lastrowid
            assert batch is not None
            opened = (
                (archive, each.id, batch, each.fingerprint, each.row, each.file_name, each.url)
                for each in sent
            )
            before = _states(connection, archive, [each.id for each in sent])
            connection.executemany(SQL["open_image"], opened)
            _sums_change(connection, archive, before, _pending(len(sent)))
        self._remember(batch, sent)
        return OpenBatch(batch, archive, key, None, len(images))

    def _remember(self, batch: int, sent: tuple[Sent, ...]) -> None:
        """Until its job ends, where that is soon."""
        if len(self._sent) >= MAX_OPEN_JOBS:
            del self._sent[next(iter(self._sent))]
        self._sent[batch] = sent

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
        sent = self._sent.pop(batch.id, None) or self._sent_in(batch)
        results = {result.external_id: result for result in job.results}
        told = [whole or each.id in results for each in sent]
        arrived = dict(self._connection.execute(SQL["arrived"], (batch.id,)).fetchall())
        outcomes = [
            _outcome(batch, n, sent[n], results.get(sent[n].id), arrived.get(sent[n].id), now)
            for n in compress(range(len(sent)), told)
        ]
        settled = _settled(job.id, sent, outcomes, batch.images - len(outcomes))
        with self._ending(batch, BatchState(job.state), now, settled.totals) as connection:
            connection.executemany(_SETTLE, outcomes)
            connection.executemany(SQL["attempt"], map(_ATTEMPT, outcomes))
            connection.execute(SQL["no_more"], (batch.archive, batch.id))
            if settled.failures:
                connection.executemany(SQL["keep"], self._to_keep(batch, outcomes))
            connection.execute(SQL["unsent"], (batch.id, batch.id))
        return settled

    def _sent_in(self, batch: OpenBatch) -> tuple[Sent, ...]:
        return tuple(each.sent for each in self._unpacked(batch)[1])

    def _to_keep(
        self, batch: OpenBatch, outcomes: Iterable["_Outcome"]
    ) -> Iterator[tuple[object, ...]]:
        """Failed images are kept as they were sent."""
        _, images = self._unpacked(batch)
        for each in outcomes:
            if each.status == Status.FAILED:
                yield each.scope, each.external_id, batch.id, pack_one(images[each.n])

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
        self._sent.pop(batch.id, None)
        with self._writing() as connection:
            rows = connection.execute(SQL["in_batch"], (batch.id,)).fetchall()
            ids = [row[0] for row in rows]
            yield connection
            after = _states(connection, batch.archive, ids)
            _sums_change(connection, batch.archive, _pending(len(ids)), after)
            sums = (counts.success, counts.skipped, counts.failed)
            connection.execute(SQL["end"], (state.value, now, *sums, batch.id))


@contextmanager
def sums_follow(connection: sqlite3.Connection, archive: int, ids: Sequence[str]) -> Iterator[None]:
    """Inside, images of an archive change; after it, the archive's sums have followed."""
    before = _states(connection, archive, ids)
    yield
    _sums_change(connection, archive, before, _states(connection, archive, ids))


def _states(connection: sqlite3.Connection, archive: int, ids: Sequence[str]) -> Sequence[int]:
    """How many of these images are in which state."""
    found: Sequence[int] = connection.execute(SQL["states"], (archive, json.dumps(ids))).fetchone()
    return found


def _pending(images: int) -> Sequence[int]:
    """The same of images that are all under way."""
    return tuple(images if name == "pending" else 0 for name in _STATES)


def _sums_change(
    connection: sqlite3.Connection, archive: int, before: Sequence[int], after: Sequence[int]
) -> None:
    change = (new - old for new, old in zip(after, before, strict=True))
    connection.execute(SQL["add"], (*change, archive))


_STATES = ("success", "skipped", "failed", "pending", "unsubmitted", "not_taken_over", "waived")
"""In the order of ``sums``."""


class _Outcome(NamedTuple):
    """The new state of one image; the first ones are what an attempt has. Truth is a number: of a
    bool SQLite's module first looks what to do with it."""

    batch: int
    n: int
    external_id: str
    status: str
    reason: str | None
    cause: str | None
    retryable: int | None
    media_id: str | None
    original_url: str | None
    url: str | None
    width: int | None
    height: int | None
    mime_type: str | None
    image_service: str | None
    scope: int
    at: float
    sent: bytes
    parts: bytes
    arrived: bytes | None
    not_taken_over: int
    kept_content: int
    title: str
    file_name: str
    source_url: str


_ATTEMPT = itemgetter(slice(_Outcome._fields.index("retryable") + 1))
_ASSET = _Outcome._fields[len(_ATTEMPT(_Outcome._fields)) : _Outcome._fields.index("scope")]
_asset = attrgetter(*_ASSET)
_NO_ASSET = (None,) * len(_ASSET)
_SETTLE = re.sub(r":(\w+)", lambda found: f"?{_Outcome._fields.index(found[1]) + 1}", SQL["settle"])
"""Its values by number, which SQLite's module finds quicker than by name."""


def _outcome(
    batch: OpenBatch, n: int, each: Sent, result: Result | None, arrived: bytes | None, now: float
) -> _Outcome:
    """``skipped`` for content that differs from what arrived means that the target did not take
    the change over: it stays changed."""
    if result is None:
        none = Cause.NO_RESULT
        result = Result(each.id, Status.FAILED, reason=none.meaning, cause=none.code)
    failed = result.status is Status.FAILED
    not_taken = arrived not in (None, each.content) and result.leaves_open
    cause, again = cause_of(result) if failed else (result.cause, None)
    retryable = None if again is None else int(again)
    asset: Sequence[Any] = _NO_ASSET if result.asset is None else _asset(result.asset)
    return _Outcome._make((
        batch.id, n, each.id, result.status.value, result.reason, cause, retryable, *asset,
        batch.archive, now, each.fingerprint, each.parts,
        arrived if failed or not_taken else each.content,
        int(not_taken), int((failed or not_taken) and arrived is not None),
        result.title or each.file_name, each.file_name, each.url,
    ))  # fmt: skip


def _settled(
    job_id: str, sent: Sequence[Sent], outcomes: Sequence[_Outcome], unsent: int
) -> Settled:
    failures = tuple(
        Failure(
            each.external_id, sent[each.n].row, each.source_url,
            each.reason or meaning_of(str(each.cause), None), str(each.cause),
            bool(each.retryable), job_id,
        )
        for each in outcomes if each.status == Status.FAILED
    )  # fmt: skip
    words = Counter(each.status for each in outcomes)
    not_taken = sum(each.not_taken_over for each in outcomes)
    notes = Counter(each.cause for each in outcomes if each.cause and each.status == _SUCCESS)
    totals = Totals(**words, not_taken_over=not_taken, unsubmitted=unsent)
    return Settled(totals, failures, notes, tuple(_of_hosts(outcomes)))


_SUCCESS = Status.SUCCESS.value


def _of_hosts(outcomes: Iterable[_Outcome]) -> Iterator[HostOutcome]:
    """What they say of hosts; of those that arrived one after the other from one host once."""

    def said(each: _Outcome) -> tuple[str, bool, bool]:
        arrived = each.status != Status.FAILED
        blamed = not arrived and blames_host(each.cause, bool(each.retryable))
        return host_of(each.source_url), arrived, blamed

    for (host, arrived, blamed), several in groupby(map(said, outcomes)):
        yield from (HostOutcome(host, arrived, blamed) for _ in ([1] if arrived else several))
