"""A worker: leases images, carries them out, records them in group commits.

``python -m ldimport.engine.worker FOLDER [--parent PID]`` works until it is told to stop by
SIGTERM or, with ``--parent``, by the end of that process; ``run_worker`` does the same in the
calling thread.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import TYPE_CHECKING

from ldimport import wire
from ldimport.engine import jobs
from ldimport.engine.blobs import BlobStore, BlobWriter
from ldimport.engine.catalogue import Catalogue
from ldimport.engine.job_terms import Terms, limits_from_json
from ldimport.engine.leases import Leases
from ldimport.engine.records import Outcome, Task
from ldimport.errors import LdimportError
from ldimport.model import Limits

if TYPE_CHECKING:
    from ldimport.engine.import_image import Workbench

HANDFUL = 32
"""Images leased at a time; the same synced transaction records what is done."""
LINGER = 0.5
"""Seconds that an outcome waits at most to be recorded, though no new images are leased."""
POLL = 0.05
"""Seconds between two looks for new work; a look costs no file access."""
MOST_BENCHES = 4


def never() -> bool:
    """Do not stop."""
    return False


def run_worker(
    folder: Path,
    stop: Callable[[], bool] = never,
    *,
    until_done: bool = False,
    crew: int = 1,
    now: Callable[[], float] = time.time,
) -> None:
    """Work on the engine in ``folder`` until ``stop`` says so, with ``until_done`` also until no
    image is open, whoever works on it. ``crew`` workers share the connections that a host may
    get. What was begun is recorded or free again at the end."""
    catalogue = Catalogue(folder)
    try:
        with Worker(catalogue, stop, now, crew) as worker:
            worker.run(until_done)
    finally:
        catalogue.close()


class Worker:
    """One worker's leased tasks, its workbenches, and the outcomes that wait to be recorded."""

    def __init__(
        self,
        catalogue: Catalogue,
        stop: Callable[[], bool],
        now: Callable[[], float],
        crew: int = 1,
    ) -> None:
        store = BlobStore(catalogue.folder)
        self._crew = crew
        self._catalogue = catalogue
        self._stop = stop
        self._now = now
        self._leases = Leases(catalogue, store)
        self._blobs = BlobWriter(store, self._leases.name)
        self._benches: dict[int, Workbench] = {}
        self._remote: deque[Task] = deque()
        self._local: deque[Task] = deque()
        self._done: list[Outcome] = []
        self._recorded_at = time.monotonic()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for bench in self._benches.values():
            bench.close()
        self._leases.leave()

    # -- the loop ---------------------------------------------------------------------------

    def run(self, until_done: bool) -> None:
        """Work, wait, look after the dead, until told to stop."""
        self._catalogue.tidy()
        self._blobs.open()
        while not self._stop():
            seen = self._catalogue.version()
            self._leases.patrol()
            if self._round():
                continue
            if until_done and not self._open_images():
                return
            self._wait(seen)

    def _wait(self, seen: int) -> None:
        """Until the catalogue changes, or a second has passed."""
        until = time.monotonic() + 1.0
        while not self._stop() and time.monotonic() < until:
            if self._catalogue.version() != seen:
                return
            time.sleep(POLL)

    def _round(self) -> bool:
        """Carry out images under one job's terms for as long as the oldest free ones have these.
        False when nothing is free."""
        terms = self._refill(None)
        if terms is None:
            return False
        bench = self._bench(terms)
        if bench is None:
            return True
        for outcome in bench.fetch(self._sources(bench, terms), self._pulse):
            self._finish(outcome)
            if self._local and not self._stop():
                self._finish(bench.local(self._local.popleft()))
        while not self._pulse() and self._local:  # a lost lease empties it
            self._finish(bench.local(self._local.popleft()))
        self._commit()
        return True

    def _sources(self, bench: Workbench, terms: int) -> Iterator[Task]:
        """Tasks to fetch, for as long as there are any; what needs no fetch is settled or set
        aside on the way."""
        while not self._pulse():
            if not self._remote and (len(self._local) >= HANDFUL or not self._refill(terms)):
                return
            task = self._remote.popleft()
            if outcome := bench.refused(task):
                self._finish(outcome)
            elif bench.is_local(task):
                self._local.append(task)
            else:
                yield task

    def _finish(self, outcome: Outcome) -> None:
        self._done.append(outcome)
        if len(self._done) >= 2 * HANDFUL or self._lingering():
            self._commit()

    def _lingering(self) -> bool:
        return bool(self._done) and time.monotonic() - self._recorded_at >= LINGER

    def _pulse(self) -> bool:
        """Called all the time while working: looks after leases, hears the call to stop. A hung
        worker does not come here, and so loses its leases."""
        if self._leases.ageing or self._lingering():
            self._commit()
        self._leases.patrol()
        return self._stop()

    # -- transactions -----------------------------------------------------------------------

    def _refill(self, terms: int | None) -> int | None:
        """Record what is done and lease more, in one commit. Returns the number of their terms,
        None when nothing is free or the oldest has other terms."""
        with self._catalogue.reading() as connection:
            if not jobs.any_free(connection):
                return None
        return self._commit(lambda connection: self._claim(connection, terms))

    def _claim(self, connection: Connection, terms: int | None) -> int | None:
        found, tasks = jobs.claim(connection, self._leases.worker, HANDFUL, terms)
        self._remote.extend(tasks)
        return found

    def _commit(self, then: Callable[[Connection], int | None] = lambda _: None) -> int | None:
        """One group commit: blobs first, then their rows; the leases renewed on the way."""
        self._blobs.settle()
        with self._catalogue.writing() as connection:
            if not self._leases.renew(connection):
                self._remote.clear()
                self._local.clear()
            gone = self._blobs.missing()
            again = [each for each in self._done if each.new and each.new.sha256 in gone]
            jobs.release(connection, [each.task for each in again])
            jobs.record(connection, self._done, self._now())
            answer = then(connection)
        self._done.clear()
        self._blobs.forget()
        self._recorded_at = time.monotonic()
        return answer

    def _open_images(self) -> int:
        with self._catalogue.reading() as connection:
            return jobs.open_images(connection)

    def _bench(self, terms: int) -> Workbench | None:
        """The workbench for these terms; None when they cannot be used any more, and the jobs
        under them have been ended as failed."""
        if terms not in self._benches:
            while len(self._benches) >= MOST_BENCHES:
                self._benches.pop(next(iter(self._benches))).close()
            try:
                self._benches[terms] = self._new_bench(terms)
            except LdimportError as error:
                reason = f"the job could not be carried out: {error.message}"
                with self._catalogue.writing() as connection:
                    jobs.fail_jobs(connection, terms, reason, self._now())
                self._remote.clear()
                return None
        bench = self._benches[terms]
        self._leases.last(bench.lease_seconds)
        return bench

    def _new_bench(self, number: int) -> Workbench:
        from ldimport.engine.import_image import Workbench
        from ldimport.schema import config

        with self._catalogue.reading() as connection:
            body, origin, options, limits = jobs.terms_of(connection, number)
        terms = Terms(
            config.from_json(json.loads(body), origin=origin),
            wire.options_from_json(options),
            _share(limits_from_json(limits), self._crew),
        )
        return Workbench(terms, self._blobs)


def _share(limits: Limits, crew: int) -> Limits:
    return replace(limits, per_host=max(1, limits.per_host // crew))


if __name__ == "__main__":
    from ldimport.engine.process import main

    main()
