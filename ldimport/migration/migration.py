"""The door to the use cases: one state file and one target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ldimport.errors import UsageError
from ldimport.migration import ledger, results
from ldimport.migration.events import CauseRow, Event, JobRow, Plan, ResultRow
from ldimport.migration.history import History, history
from ldimport.migration.results import Filter, Overview
from ldimport.migration.retry import retry
from ldimport.migration.run import Pace
from ldimport.migration.state import StateFile
from ldimport.migration.track import refresh
from ldimport.migration.watch import watch
from ldimport.model import Integrity, JobStatus, Json
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

    def __init__(self, state: StateFile, target: Target | None = None) -> None:
        self._state = state
        self._target = target

    @classmethod
    def open(
        cls, path: Path, *, write: bool, command: str = "", target: Target | None = None
    ) -> Migration:
        """Open the state file at ``path``; see ``StateFile.open`` for the errors."""
        return cls(StateFile.open(path, write=write, command=command), target)

    def at(self, target: Target) -> Migration:
        """The same state file, with a target."""
        return Migration(self._state, target)

    @property
    def target(self) -> Target:
        """Where images go."""
        assert self._target is not None, "this command named no target"
        return self._target

    def close(self) -> None:
        """Close the state file; the target stays open."""
        self._state.close()

    def __enter__(self) -> Migration:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._state.__exit__(kind, error, at)

    # -- what is known ----------------------------------------------------------------------

    def overview(self, *, target: str | None = None, system_name: str | None = None) -> Overview:
        """Everything at a glance."""
        return results.overview(self._state, target=target, system_name=system_name)

    def jobs(self, ids: Sequence[str] | None = None) -> Iterator[JobRow]:
        """Jobs, unfinished first, then newest first; with ``ids`` only these."""
        return results.jobs(self._state, ids=ids)

    def job(self, job_id: str) -> JobRow:
        """One job. Raises UsageError, with what was probably meant, for an unknown id."""
        row = results.job(self._state, job_id)
        if row is None:
            meant = results.similar_jobs(self._state, job_id)
            hint = f"did you mean {meant[0]}?" if meant else "ldimport status   lists the jobs"
            raise UsageError(f"no job “{job_id}” in the state file", hint=hint, code="unknown-job")
        return row

    def job_status(self, job_id: str) -> JobStatus:
        """What the target last told of a job, from the stored results."""
        return results.job_status(self._state, job_id)

    def refresh(self, job_id: str) -> JobStatus | None:
        """Ask the target about one open job, and store its end when writable; None when the job
        is not open there."""
        return refresh(self._state, self.target, job_id)

    def results(
        self, which: Filter | None = None, *, failures_first: bool = False
    ) -> Iterator[ResultRow]:
        """Every image by its last outcome, in the order of its manifest."""
        return results.rows(self._state, which, failures_first=failures_first)

    def failed_rows(
        self, which: Filter | None = None
    ) -> Iterator[tuple[Mapping[str, Json], ResultRow]]:
        """Failed images with their rows as they stand in the manifest."""
        return results.original_rows(self._state, which)

    def causes(self, which: Filter | None = None) -> tuple[CauseRow, ...]:
        """Failures grouped by cause, the most frequent first."""
        return results.causes(self._state, which)

    def history(self, external_id: str) -> list[History]:
        """An image in every archive that has this external id."""
        return history(self._state, external_id)

    def system_names(self) -> list[str]:
        """The systemNames that the state file has used for the target."""
        return ledger.system_names(self._state, self.target.identity)

    def has_open_jobs(self) -> bool:
        """Whether batches are under way at the target."""
        return bool(ledger.open_batches(self._state, self.target.identity))

    # -- what is done -----------------------------------------------------------------------

    def plan(
        self,
        source: Source,
        *,
        resend: bool = False,
        max_problems: int = 1_000,
        tick: Callable[[int], None] | None = None,
    ) -> tuple[Plan, Validation]:
        """What ``submit`` would do, and the findings in the manifest. Nothing is sent."""
        from ldimport.migration.plan import survey

        found = survey(
            self._state, self.target, source, resend=resend, max_problems=max_problems, tick=tick
        )
        return found.plan, found.validation

    def submit(
        self,
        source: Source,
        *,
        valid_only: bool = False,
        limit: int | None = None,
        batch_size: int | None = None,
        resend: bool = False,
        wait: bool = True,
        deadline: float | None = None,
        since: float | None = None,
        fail_on: Callable[[int, int], bool] | None = None,
        max_problems: int = 1_000,
        tick: Callable[[int], None] | None = None,
    ) -> Iterator[Event]:
        """See ``migration.submit``; ``deadline`` in seconds from now, or from ``since`` by the
        monotonic clock; ``fail_on(failed, tried)``."""
        from ldimport.migration.submit import submit

        return submit(
            self._state,
            self.target,
            source,
            valid_only=valid_only,
            limit=limit,
            batch_size=batch_size,
            resend=resend,
            pace=Pace(deadline, fail_on, wait, since),
            max_problems=max_problems,
            tick=tick,
        )

    def retry(
        self,
        *,
        job: str | None = None,
        cause: str | None = None,
        system_name: str | None = None,
        allow_hosts: tuple[str, ...] | None = None,
        integrity: Integrity | None = None,
        wait: bool = True,
        deadline: float | None = None,
        fail_on: Callable[[int, int], bool] | None = None,
    ) -> Iterator[Event]:
        """See ``migration.retry``."""
        return retry(
            self._state,
            self.target,
            job=job,
            cause=cause,
            system_name=system_name,
            allow_hosts=allow_hosts,
            integrity=integrity,
            pace=Pace(deadline, fail_on, wait),
        )

    def watch(
        self, job_ids: Sequence[str] = (), *, deadline: float | None = None
    ) -> Iterator[Event]:
        """See ``migration.watch``. Raises UsageError for an unknown job."""
        for job_id in job_ids:
            self.job(job_id)
        return watch(self._state, self.target, job_ids, pace=Pace(deadline))
