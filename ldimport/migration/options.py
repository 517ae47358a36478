"""How a run is asked to go: frozen options from the command to the use case."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ldimport.model import Integrity, JobOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """When a run stops by itself: ``deadline`` in seconds from its start, or from ``since`` by the
    monotonic clock; ``fail_on(failed, tried)`` images; ``wait`` False: after the last batch is
    accepted."""

    deadline: float | None = None
    since: float | None = None
    fail_on: Callable[[int, int], bool] | None = None
    wait: bool = True

    def ends(self, started: float) -> float:
        """When the deadline of a run that ``started`` then passes, by the monotonic clock."""
        if self.deadline is None:
            return math.inf
        return (started if self.since is None else self.since) + self.deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions(RunOptions):
    """``valid_only``: leave rows with errors out; ``limit``: at most so many images;
    ``batch_size``: at most so many in one POST; ``resend``: unchanged ones too; ``max_problems``:
    findings to keep."""

    valid_only: bool = False
    limit: int | None = None
    batch_size: int | None = None
    resend: bool = False
    max_problems: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOptions(RunOptions):
    """Which failed images: those of one ``job``, ``cause`` or ``system_name``, where given. The
    engine treats them as before, but for ``allow_hosts`` and ``integrity`` where given."""

    job: str | None = None
    cause: str | None = None
    system_name: str | None = None
    allow_hosts: tuple[str, ...] | None = None
    integrity: Integrity | None = None

    def over(self, recorded: JobOptions) -> JobOptions:
        """Recorded job options, but for what is given again."""
        return replace(
            recorded,
            allow_hosts=recorded.allow_hosts if self.allow_hosts is None else self.allow_hosts,
            integrity=recorded.integrity if self.integrity is None else self.integrity,
        )
