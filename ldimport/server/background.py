"""What goes on beside the requests of a server: workers, and watching jobs."""

from __future__ import annotations

import logging
import threading

from ldimport.engine import Engine
from ldimport.engine.following import Follower
from ldimport.errors import LdimportError
from ldimport.server.events import OnEvent, WorkersPaused

PAUSE = 30.0
"""Seconds until workers that could not go on (disk full) are started again."""
LOOK = 0.2
"""Seconds between two looks at the jobs, and at the workers."""

_log = logging.getLogger(__name__)


class Workers:
    """The engine's crew, as long as the server runs; ``size`` None is one worker per core, 0
    none. The API goes on when they cannot."""

    def __init__(
        self, engine: Engine, size: int | None, on_event: OnEvent, pause: float = PAUSE
    ) -> None:
        self._engine = engine
        self._size = size
        self._on_event = on_event
        self._pause = pause
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ldimport-workers", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        if self._size != 0:
            self._thread.start()

    def end(self) -> None:
        """Let them finish what they have in hand, at most some seconds; the rest stays open."""
        self._told.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._told.is_set():
            try:
                with self._engine.working(self._size):
                    while not self._told.wait(LOOK):
                        self._engine.check_workers()
            except LdimportError as error:
                self._on_event(WorkersPaused(error.message, self._pause))
                self._told.wait(self._pause)


class JobWatch:
    """Tells of jobs that are accepted and that end, whoever carries them out."""

    def __init__(self, engine: Engine, on_event: OnEvent) -> None:
        self._follower = Follower(engine.catalogue)
        self._on_event = on_event
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ldimport-jobs", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def end(self) -> int:
        """Tell what is left to tell; returns how many jobs are open."""
        self._told.set()
        self._thread.join()
        return self._follower.open_jobs

    def _run(self) -> None:
        while not self._told.wait(LOOK):
            self._look()
        self._look()

    def _look(self) -> None:
        try:
            changes = self._follower.look()
        except LdimportError as error:  # somebody holds the catalogue; the next look sees it all
            _log.warning("jobs are not watched for the moment: %s", error.message)
            return
        for change in changes:
            self._on_event(change)
