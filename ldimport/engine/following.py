"""Following jobs as they come and go, whichever process accepts them and carries them out."""

from __future__ import annotations

from collections.abc import Sequence

from ldimport.engine.records import JobChange
from ldimport.engine.store import Store

__all__ = ["Follower", "JobChange"]


class Follower:
    """What happens to the jobs of a store from now on. Jobs that are open already are not told as
    accepted, but their end is."""

    def __init__(self, store: Store) -> None:
        self._jobs = store.jobs
        self._seen, _ = self._jobs.changes(None)

    @property
    def open_jobs(self) -> int:
        """Jobs open when it looked last."""
        return len(self._seen.open)

    def look(self) -> Sequence[JobChange]:
        """What has changed since the last look; nearly free when nothing has. Call it from one
        thread."""
        self._seen, changes = self._jobs.changes(self._seen)
        return changes
