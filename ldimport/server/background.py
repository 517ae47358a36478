"""What goes on beside the requests of a server, each in a thread: workers, and watching jobs."""

from __future__ import annotations

import logging
import threading

from ldimport.engine import Engine
from ldimport.errors import LdimportError
from ldimport.server.events import OnEvent, WorkersPaused

PAUSE = 30.0
"""Seconds until workers that could not go on (disk full) are started again."""
LOOK = 0.2
"""Seconds between two looks at the jobs, and at the workers."""

_log = logging.getLogger(__name__)


class _Background(threading.Thread):
    """Runs until it is told to end."""

    def __init__(self, name: str, on_event: OnEvent) -> None:
        super().__init__(name=name, daemon=True)
        self._on_event = on_event
        self._told = threading.Event()

    def end(self) -> None:
        """Tell it, and wait until it has ended."""
        self._told.set()
        if self.is_alive():
            self.join()


class Workers(_Background):
    """The engine's workers, as long as the server runs; ``size`` None is one per core. The API
    goes on when they cannot; at the end they finish what they have in hand, at most some seconds,
    and the rest stays open."""

    def __init__(
        self, engine: Engine, size: int | None, on_event: OnEvent, pause: float = PAUSE
    ) -> None:
        super().__init__("ldimport-workers", on_event)
        self._engine = engine
        self._size = size
        self._pause = pause

    def run(self) -> None:
        """Work, and begin again after a pause."""
        while not self._told.is_set():
            try:
                with self._engine.working(self._size):
                    while not self._told.wait(LOOK):
                        self._engine.check_workers()
            except LdimportError as error:
                self._on_event(WorkersPaused(error.message, self._pause))
                self._told.wait(self._pause)


class JobWatch(_Background):
    """Tells of jobs that are accepted and that end, whoever carries them out."""

    def __init__(self, engine: Engine, on_event: OnEvent) -> None:
        super().__init__("ldimport-jobs", on_event)
        self._follower = engine.follow()

    @property
    def open_jobs(self) -> int:
        """How many are open."""
        return self._follower.open_jobs

    def run(self) -> None:
        """Look again and again, and at the end once more."""
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
