"""A worker: leases images, carries them out, records them in group commits.

``python -m ldimport.engine.worker FOLDER [--parent PID]`` is one as a process of its own. It works
until SIGTERM, or until the parent is gone (its end of our standard input is closed, or we have got
another parent). Ctrl-C is left to the parent. An error of the run is one line of JSON on standard
output, and its exit code.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.causes import Cause
from ldimport.engine.blobs import BlobFolder, Blobs, BlobWriter
from ldimport.engine.records import ImportOutcome, ImportTask
from ldimport.engine.store import Store, WorkerSession, open_store
from ldimport.errors import LdimportError, StateFileError, TemporaryError
from ldimport.system import end_after, end_with_parent, scarce, start_thread

if TYPE_CHECKING:
    from ldimport.engine.import_image import ImageImporter

HANDFUL = 128
"""Images leased at a time; the same synced transaction records what is done."""
LEAST = 8
"""The same where few are left."""
GLANCE = 0.02
"""Seconds between two looks at leases, timers and the call to stop while there is work."""
LINGER = 0.2
"""Seconds that an outcome waits at most to be recorded, though its group is not whole."""
BRIEF = 0.05
"""The same once there are no more images to be leased."""
IDLE = 1.0
"""Seconds after which a worker that waits looks for dead ones, though the store says nothing."""
POLL = 0.05
"""Seconds between two looks for new work; a look costs no file access."""
AROUND = 10.0
"""Seconds after which images that were given back are looked at again, at the earliest."""
MOST_IMPORTERS = 4
GRACE = 0.8
"""Seconds that a process takes at most to end in order once its parent is gone."""


def run_worker(
    store: Store,
    blobs: Blobs,
    stop: Callable[[], bool] = lambda: False,
    *,
    until_done: bool = False,
    workers: int = 1,
    now: Callable[[], float] = time.time,
    watch: Callable[[float], None] = lambda _: None,
    only: str | None = None,
) -> None:
    """Work until ``stop`` says so, with ``until_done`` also until no image is open, whoever works
    on it. ``workers`` share the connections that a host may get. ``watch`` is told again and again
    within how many seconds to hear of us next, 0 when there is no knowing. ``only``: images of this
    systemName. What was begun is
    recorded or free again at the end."""
    session = store.join(blobs)
    try:
        Worker(store, session, blobs, stop, workers, now, watch, only).run(until_done)
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
    watch: Callable[[float], None] = lambda _: None
    only: str | None = None
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _writer: BlobWriter = field(init=False)
    _importers: dict[int, ImageImporter] = field(default_factory=dict)
    _remote: deque[ImportTask] = field(default_factory=deque)
    _local: deque[ImportTask] = field(default_factory=deque)
    _done: list[ImportOutcome] = field(default_factory=list)
    _examined: Callable[[], Iterable[ImportOutcome]] = tuple
    _back: list[ImportTask] = field(default_factory=list)
    """To be given back: their hosts stall. Next come images behind them, in time again they."""
    _after: int = 0
    _around_at: float = float("-inf")
    _recorded_at: float = float("-inf")
    _linger: float = LINGER
    _lease: float = 0.0
    _glance_at: float = float("-inf")
    _told: bool = False
    _parts: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._writer = self.blobs.writer(self.session.name)
        self._parts = iter(self.blobs.parts())

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
        """Until the store changes, or a while has passed. There is time to look for blobs that
        nobody knows of, once over all."""
        until = self.monotonic() + IDLE
        while not self.stop() and self.monotonic() < until:
            if self.store.version() != seen:
                return
            if part := next(self._parts, None):
                self.store.orphans(self.blobs, part)
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
        self._examined = importer.examined
        for outcome in importer.fetch(self._to_fetch(importer, terms), self._pulse):
            if isinstance(outcome, ImportTask):
                self._back.append(outcome)
            else:
                self._finish(outcome)
            if self._local and not self.stop():
                self._finish(*importer.local(self._local.popleft()))
        while not self._pulse() and self._local:  # a lost lease empties it
            self._finish(*importer.local(self._local.popleft()))
        for outcome in importer.rest(self._pulse):
            self._finish(outcome)
        self._commit()
        return True

    def _to_fetch(self, importer: ImageImporter, terms: int) -> Iterator[ImportTask | None]:
        """Tasks to fetch, None while there are none; what needs no fetch is settled or set
        aside."""
        while not self._pulse():
            if not self._remote and (len(self._local) >= HANDFUL or not self._refill(terms)):
                if self._local:
                    self._finish(*importer.local(self._local.popleft()))
                yield None
                continue
            task = self._remote.popleft()
            if outcome := importer.refused(task):
                self._finish(outcome)
            elif importer.is_local(task):
                self._local.append(task)
            else:
                yield task

    def _finish(self, *outcomes: ImportOutcome) -> None:
        self._done.extend(outcomes)
        if len(self._done) >= 2 * HANDFUL or self._lingering():
            self._commit()

    def _lingering(self) -> bool:
        return bool(self._done) and self.monotonic() - self._recorded_at >= self._linger

    def _pulse(self) -> bool:
        """Called all the time while working, for which it is nearly free: looks after leases,
        hears the call to stop. A hung worker does not come here, and so loses its leases, and its
        life."""
        now = self.monotonic()
        if now >= self._glance_at:
            self._glance_at = now + GLANCE
            self._done.extend(self._examined())
            if self.session.ageing or self._lingering():
                self._commit()
            self.watch(self._lease)
            self.session.patrol()
            self._told = self.stop()
        return self._told

    def _refill(self, terms: int | None) -> int | None:
        """Record what is done and lease more, in one commit. Returns the number of their terms,
        None when nothing is free or the oldest has other terms."""
        if not self.store.jobs.any_free(self.only, self._after):
            if not self._after or self.monotonic() < self._around_at:
                return None
            self._after = 0
            self._around_at = self.monotonic() + AROUND
        return self._commit(self._share(), terms)

    def _share(self) -> int:
        """Fewer where few are left, so that each worker has some of them."""
        if self.workers == 1:
            return HANDFUL
        return max(LEAST, min(HANDFUL, self.store.jobs.open_images() // (2 * self.workers)))

    def _commit(self, most: int = 0, terms: int | None = None) -> int | None:
        """One group commit: blobs first, then their rows; the leases renewed on the way. Disks may
        be slow, so it has all the time it wants."""
        self.watch(0)
        self._writer.settle()
        self._after = max([self._after, *(task.item for task in self._back)])
        claimed = self.session.work(
            self._done, self.now(), lost=self._writer.missing, most=most, terms=terms,
            only=self.only, back=self._back, after=self._after,
        )  # fmt: skip
        if not claimed.kept:
            self._remote.clear()
            self._local.clear()
        self._remote.extend(claimed.tasks)
        self._done.clear()
        self._back.clear()
        self._writer.forget()
        self._recorded_at = self.monotonic()
        if most:
            self._linger = LINGER if claimed.tasks else BRIEF
        self.watch(self._lease)
        return claimed.terms

    def _importer(self, number: int) -> ImageImporter | None:
        """The importer for the terms of this number; None when they cannot be used any more, and
        the jobs under them have been ended as failed."""
        from ldimport.engine.import_image import ImageImporter

        if number not in self._importers:
            while len(self._importers) >= MOST_IMPORTERS:
                self._importers.pop(next(iter(self._importers))).close()
            try:
                terms = self.store.jobs.terms(number)
                per_host = max(1, terms.limits.per_host // self.workers)
                terms = replace(terms, limits=replace(terms.limits, per_host=per_host))
                self._importers[number] = ImageImporter(
                    terms, self.blobs, self._writer, self.session.hold
                )
            except (StateFileError, TemporaryError):  # no fault of the job's
                raise
            except LdimportError as error:
                reason = f"the job could not be carried out: {error.message}"
                self.store.jobs.fail(number, reason, Cause.JOB_NOT_POSSIBLE.code, self.now())
                self._remote.clear()
                return None
        self._lease = self._importers[number].lease_seconds
        self.session.last(self._lease)
        return self._importers[number]


# -- a process of its own -------------------------------------------------------------------


def main() -> None:
    """Run as ``__main__``."""
    parser = argparse.ArgumentParser(prog="ldimport.engine.worker", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, metavar="PID")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="as many work here")
    parser.add_argument("--only", metavar="NAME", help="images of this systemName")
    options = parser.parse_args()
    told = threading.Event()
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        if options.parent is not None:
            start_thread(_await_end_of_input, told)
            start_thread(_watch_parent, options.parent, told)
        with closing(open_store(options.folder)) as store:
            blobs = BlobFolder(options.folder)
            given = {"workers": options.workers, "only": options.only}
            run_worker(store, blobs, told.is_set, watch=_live_on, **given)
    except Exception as fault:
        error = fault if isinstance(fault, LdimportError) else scarce(fault)
        if error is None:
            raise
        said = {"message": error.message, "hint": error.hint, "code": error.code}
        with suppress(OSError):  # nobody listens
            os.write(1, json.dumps(said).encode())
        os._exit(error.exit_code)  # at an orderly end a broken disk would have the last word


def _live_on(seconds: float) -> None:
    """Die unless called again: a worker that hangs for longer than its lease has lost it anyhow,
    and one that computes so long meets something that was never meant to be."""
    end_after(*((1 + seconds / 10, 10 + seconds) if seconds else (0, 0)))


def _watch_parent(parent: int, told: threading.Event) -> None:
    """End with the parent."""
    while not told.wait(0.2):
        if os.getppid() != parent:
            told.set()
    time.sleep(GRACE)
    os._exit(0)  # a fetch or decoder may be slow to stop; everything recorded is safe


def _await_end_of_input(told: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    told.set()


if __name__ == "__main__":
    main()
