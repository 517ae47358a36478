"""A target made of memory, for tests of what stands before it: scripted answers, real protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ldimport.model import (
    Asset,
    Counts,
    ImportRequest,
    JobOptions,
    JobState,
    JobStatus,
    Json,
    Result,
    Status,
)
from ldimport.targets.base import BatchLimits


def arrived(external_id: str, status: Status = Status.SUCCESS) -> Result:
    """A result with an asset, as a target gives it."""
    asset = Asset(f"m-{external_id}", "http://o", "http://u", 10, 20, "image/png", "test")
    reason = "already exists" if status is Status.SKIPPED else None
    return Result(external_id, status, external_id, reason, asset)


def refused(external_id: str, reason: str = "origin answered 404") -> Result:
    """A failed result."""
    return Result(external_id, Status.FAILED, external_id, reason)


@dataclass
class StandIn:
    """Implements ``targets.base.Target``. ``answer`` decides each image; ``before`` may raise
    when a batch comes in; jobs end at the ``looks``-th status question."""

    answer: Callable[[str], Result] = arrived
    before: Callable[[ImportRequest], None] = lambda request: None
    identity: str = "test:1"
    label: str = "stand-in"
    local: bool = True
    requests_per_second: float = math.inf
    limits: BatchLimits = field(default_factory=BatchLimits)
    looks: int = 1
    end: JobState = JobState.SUCCESS
    requests: list[ImportRequest] = field(default_factory=list)
    options: list[JobOptions] = field(default_factory=list)
    by_key: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, ImportRequest] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        self.before(request)
        if key not in self.by_key:
            self.by_key[key] = f"job{len(self.jobs) + 1}"
            self.jobs[self.by_key[key]] = request
            self.requests.append(request)
            self.options.append(options)
        return self.by_key[key]

    def status(self, job_id: str) -> JobStatus:
        if job_id not in self.jobs:
            return JobStatus(job_id, JobState.LOST)
        self.asked[job_id] = self.asked.get(job_id, 0) + 1
        if self.asked[job_id] < self.looks:
            return JobStatus(job_id, JobState.STARTED, "2026-01-01 00:00:00")
        if self.end is not JobState.SUCCESS:
            return JobStatus(job_id, self.end)
        images = self.jobs[job_id].images
        return JobStatus(job_id, self.end, None, tuple(self.answer(each.id) for each in images))

    def progress(self, job_id: str) -> Counts | None:
        return None

    def find(self, system_name: str, external_id: str) -> Asset | None:
        return None

    def clock_ahead(self) -> float | None:
        return 0.0

    def original(self, asset: Asset) -> bytes | None:
        return None

    def patch(
        self, media_id: str, properties: Mapping[str, Json], version: int | None = None
    ) -> None:
        raise NotImplementedError

    def project_config(self) -> Json:
        return {}

    @contextmanager
    def work(self, system_name: str | None = None) -> Iterator[None]:
        yield

    def undelivered(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        pass

    def sent_ids(self) -> list[str]:
        """External ids of all images of all batches, in order."""
        return [image.id for request in self.requests for image in request.images]
