"""A worker: leases images, carries them out, records them in group commits.

``run_worker`` works in the calling thread; ``worker_process`` is the same as a process of its own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ldimport.causes import Cause
from ldimport.engine.blobs import Blobs, BlobWriter
from ldimport.engine.records import ImportOutcome, ImportTask
from ldimport.engine.store import Store, WorkerSession
from ldimport.errors import LdimportError

if TYPE_CHECKING:
    from ldimport.engine.import_image import ImageImporter

HANDFUL = 32
"""Images leased at a time; the same synced transaction records what is done."""
LINGER = 0.5
"""Seconds that an outcome waits at most to be recorded, though no new images are leased."""
IDLE = 1.0
"""Seconds after which a worker that waits looks for dead ones, though the store says nothing."""
POLL = 0.05
"""Seconds between two looks for new work; a look costs no file access."""
MOST_IMPORTERS = 4


def never() -> bool:
    """Do not stop."""
    return False


def run_worker(
    store: Store,
    blobs: Blobs,
    stop: Callable[[], bool] = never,
    *,
    until_done: bool = False,
    workers: int = 1,
    now: Callable[[], float] = time.time,
) -> None:
    """Work until ``stop`` says so, with ``until_done`` also until no image is open, whoever works
    on it. ``workers`` share the connections that a host may get. What was begun is recorded or
    free again at the end."""
    session = store.join(blobs)
    try:
        Worker(store, session, blobs, stop, workers, now).run(until_done)
    finally:
        session.leave()


@dataclass(slots=True)
class Worker:
    """One worker's leased tasks, its importers, and the outcomes that wait to be recorded. For
    the first fields see ``run_worker``; ``monotonic`` and ``sleep`` are its other clocks."""

    store: Store
    session: WorkerSession
    blobs: Blobs
    stop: Callable[[], bool]
    workers: int
    now: Callable[[], float]
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _writer: BlobWriter = field(init=False)
    _importers: dict[int, ImageImporter] = field(default_factory=dict)
    _remote: deque[ImportTask] = field(default_factory=deque)
    _local: deque[ImportTask] = field(default_factory=deque)
    _done: list[ImportOutcome] = field(default_factory=list)
    _recorded_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._writer = self.blobs.writer(self.session.name)

    # -- the loop ---------------------------------------------------------------------------

    def run(self, until_done: bool) -> None:
        """Work, wait, look after the dead, until told to stop."""
        try:
            while not self.stop():
                seen = self.store.version()
                self.session.patrol()
                if self._round():
                    continue
                if until_done and not self.store.jobs.open_images():
                    return
                self._wait(seen)
        finally:
            for importer in self._importers.values():
                importer.close()

    def _wait(self, seen: int) -> None:
        """Until the store changes, or a while has passed."""
        until = self.monotonic() + IDLE
        while not self.stop() and self.monotonic() < until:
            if self.store.version() != seen:
                return
            self.sleep(POLL)

    def _round(self) -> bool:
        """Carry out images under one job's terms for as long as the oldest free ones have these.
        False when nothing is free."""
        terms = self._refill(None)
        if terms is None:
            return False
        importer = self._importer(terms)
        if importer is None:
            return True
        for outcome in importer.fetch(self._to_fetch(importer, terms), self._pulse):
            self._finish(outcome)
            if self._local and not self.stop():
                self._finish(importer.local(self._local.popleft()))
        while not self._pulse() and self._local:  # a lost lease empties it
            self._finish(importer.local(self._local.popleft()))
        self._commit()
        return True

    def _to_fetch(self, importer: ImageImporter, terms: int) -> Iterator[ImportTask]:
        """Tasks to fetch, for as long as there are any; what needs no fetch is settled or set
        aside on the way."""
        while not self._pulse():
            if not self._remote and (len(self._local) >= HANDFUL or not self._refill(terms)):
                return
            task = self._remote.popleft()
            if outcome := importer.refused(task):
                self._finish(outcome)
            elif importer.is_local(task):
                self._local.append(task)
            else:
                yield task

    def _finish(self, outcome: ImportOutcome) -> None:
        self._done.append(outcome)
        if len(self._done) >= 2 * HANDFUL or self._lingering():
            self._commit()

    def _lingering(self) -> bool:
        return bool(self._done) and self.monotonic() - self._recorded_at >= LINGER

    def _pulse(self) -> bool:
        """Called all the time while working: looks after leases, hears the call to stop. A hung
        worker does not come here, and so loses its leases."""
        if self.session.ageing or self._lingering():
            self._commit()
        self.session.patrol()
        return self.stop()

    # -- transactions -----------------------------------------------------------------------

    def _refill(self, terms: int | None) -> int | None:
        """Record what is done and lease more, in one commit. Returns the number of their terms,
        None when nothing is free or the oldest has other terms."""
        if not self.store.jobs.any_free():
            return None
        return self._commit(HANDFUL, terms)

    def _commit(self, most: int = 0, terms: int | None = None) -> int | None:
        """One group commit: blobs first, then their rows; the leases renewed on the way."""
        self._writer.settle()
        claimed = self.session.work(
            self._done, self.now(), lost=self._writer.missing, most=most, terms=terms
        )
        if not claimed.kept:
            self._remote.clear()
            self._local.clear()
        self._remote.extend(claimed.tasks)
        self._done.clear()
        self._writer.forget()
        self._recorded_at = self.monotonic()
        return claimed.terms

    def _importer(self, terms: int) -> ImageImporter | None:
        """The importer for these terms; None when they cannot be used any more, and the jobs
        under them have been ended as failed."""
        if terms not in self._importers:
            while len(self._importers) >= MOST_IMPORTERS:
                self._importers.pop(next(iter(self._importers))).close()
            try:
                self._importers[terms] = self._new_importer(terms)
            except LdimportError as error:
                reason = f"the job could not be carried out: {error.message}"
                self.store.jobs.fail(terms, reason, Cause.JOB_NOT_POSSIBLE.code, self.now())
                self._remote.clear()
                return None
        importer = self._importers[terms]
        self.session.last(importer.lease_seconds)
        return importer

    def _new_importer(self, number: int) -> ImageImporter:
        from ldimport.engine.import_image import ImageImporter

        terms = self.store.jobs.terms(number)
        per_host = max(1, terms.limits.per_host // self.workers)
        terms = replace(terms, limits=replace(terms.limits, per_host=per_host))
        return ImageImporter(terms, self.blobs, self._writer)
