"""The door to the use cases: one state file and one target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ldimport.migration.events import Event, Plan
from ldimport.migration.plan import survey
from ldimport.migration.retry import retry
from ldimport.migration.run import Pace
from ldimport.migration.source import Source
from ldimport.migration.state import StateFile
from ldimport.migration.submit import submit
from ldimport.migration.validate import Validation
from ldimport.migration.watch import watch
from ldimport.model import Integrity
from ldimport.targets.base import Target


class Migration:
    """Carries manifests to a target and keeps account in a state file.

    ``submit``, ``retry`` and ``watch`` yield events (``migration.events``), a Summary last.
    Throwing KeyboardInterrupt into such a generator ends it in order: it answers with the
    Summary of what was done.
    """

    def __init__(self, state: StateFile, target: Target) -> None:
        self.state = state
        self.target = target

    def plan(
        self,
        source: Source,
        *,
        resend: bool = False,
        max_problems: int = 1_000,
        tick: Callable[[int], None] | None = None,
    ) -> tuple[Plan, Validation]:
        """What ``submit`` would do, and the findings in the manifest. Nothing is sent."""
        found = survey(
            self.state, self.target, source, resend=resend, max_problems=max_problems, tick=tick
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
        return submit(
            self.state,
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
            self.state,
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
        """See ``migration.watch``."""
        return watch(self.state, self.target, job_ids, pace=Pace(deadline))
