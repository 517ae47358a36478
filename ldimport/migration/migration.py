"""The door to the use cases: one state file and one target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ldimport.errors import UsageError
from ldimport.migration.events import Event, Plan
from ldimport.migration.model import CauseRow, Filter, History, JobRow, Overview, ResultRow
from ldimport.migration.options import Clock, RetryOptions, RunOptions, SubmitOptions
from ldimport.migration.retry import retry
from ldimport.migration.store import StateStore
from ldimport.migration.track import refresh
from ldimport.migration.watch import watch
from ldimport.model import JobStatus, Json
from ldimport.targets.base import Target

if TYPE_CHECKING:
    from ldimport.migration.source import Source
    from ldimport.migration.validate import Validation


class Migration:
    """One archive's account (the state file) and, where something is to be sent or asked, the
    target it goes to. Everything that commands want to know or do is a method of this.

    ``submit``, ``retry`` and ``watch`` yield events (``migration.events``), a Summary last.
    Throwing KeyboardInterrupt into such a generator ends it in order: it answers with the
    Summary of what was done.
    """

    def __init__(
        self, store: StateStore, target: Target | None = None, clock: Clock | None = None
    ) -> None:
        self._store = store
        self._target = target
        self._clock = clock or Clock()

    @classmethod
    def open(
        cls, path: Path, *, write: bool, command: str = "", target: Target | None = None
    ) -> Migration:
        """Open the state file at ``path``; see ``StateStore.open`` for the errors."""
        return cls(StateStore.open(path, write=write, command=command), target)

    def at(self, target: Target) -> Migration:
        """The same state file, with a target."""
        return Migration(self._store, target, self._clock)

    @property
    def target(self) -> Target:
        """Where images go."""
        assert self._target is not None, "this command named no target"
        return self._target

    def close(self) -> None:
        """Close the state file; the target stays open."""
        self._store.close()

    def __enter__(self) -> Migration:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._store.__exit__(kind, error, at)

    # -- what is known ----------------------------------------------------------------------

    def overview(self, *, target: str | None = None, system_name: str | None = None) -> Overview:
        """Everything at a glance."""
        return self._store.overview(target=target, system_name=system_name)

    def jobs(self, ids: Sequence[str] | None = None) -> Iterator[JobRow]:
        """Jobs, unfinished first, then newest first; with ``ids`` only these."""
        return self._store.jobs(ids=ids)

    def job(self, job_id: str) -> JobRow:
        """One job. Raises UsageError, with what was probably meant, for an unknown id."""
        row = self._store.job(job_id)
        if row is None:
            meant = self._store.similar_jobs(job_id)
            hint = f"did you mean {meant[0]}?" if meant else "ldimport status   lists the jobs"
            raise UsageError(f"no job “{job_id}” in the state file", hint=hint, code="unknown-job")
        return row

    def job_status(self, job_id: str) -> JobStatus:
        """What the target last told of a job, from the stored results."""
        return self._store.job_status(job_id)

    def refresh(self, job_id: str) -> JobStatus | None:
        """Ask the target about one open job, and store its end when writable; None when the job
        is not open there."""
        return refresh(self._store, self.target, job_id, self._clock)

    def results(
        self, which: Filter | None = None, *, failures_first: bool = False
    ) -> Iterator[ResultRow]:
        """Every image by its last outcome, in the order of its manifest."""
        return self._store.results(which, failures_first=failures_first)

    def failed_rows(
        self, which: Filter | None = None
    ) -> Iterator[tuple[Mapping[str, Json], ResultRow]]:
        """Failed images with their rows as they stand in the manifest."""
        return self._store.failed_rows(which)

    def causes(self, which: Filter | None = None) -> tuple[CauseRow, ...]:
        """Failures grouped by cause, the most frequent first."""
        return self._store.causes(which)

    def history(self, external_id: str) -> list[History]:
        """An image in every archive that has this external id."""
        return self._store.history(external_id)

    def system_names(self) -> list[str]:
        """The systemNames that the state file has used for the target."""
        return self._store.system_names(self.target.identity)

    def has_open_jobs(self) -> bool:
        """Whether batches are under way at the target."""
        return bool(self._store.open_batches(self.target.identity))

    # -- what is done -----------------------------------------------------------------------

    def plan(
        self,
        source: Source,
        options: SubmitOptions | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> tuple[Plan, Validation]:
        """What ``submit`` would do, and the findings in the manifest. Nothing is sent."""
        from ldimport.migration.plan import survey

        found = survey(self._store, self.target, source, options or SubmitOptions(), tick)
        return found.plan, found.validation

    def submit(
        self,
        source: Source,
        options: SubmitOptions | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> Iterator[Event]:
        """See ``migration.submit``."""
        from ldimport.migration.submit import submit

        options = options or SubmitOptions()
        return submit(self._store, self.target, source, options, self._clock, tick)

    def retry(self, options: RetryOptions | None = None) -> Iterator[Event]:
        """See ``migration.retry``."""
        return retry(self._store, self.target, options or RetryOptions(), self._clock)

    def watch(
        self, job_ids: Sequence[str] = (), *, deadline: float | None = None
    ) -> Iterator[Event]:
        """See ``migration.watch``. Raises UsageError for an unknown job."""
        for job_id in job_ids:
            self.job(job_id)
        return watch(self._store, self.target, job_ids, RunOptions(deadline=deadline), self._clock)
