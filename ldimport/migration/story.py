"""What became of an image, step by step in the order of time, as frozen types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ldimport.migration.model import BatchState
from ldimport.migration.proof import Differences, Proof
from ldimport.model import Json, Status


class StepKind(StrEnum):
    """What happened."""

    RECORDED = "recorded"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    SUCCESS = "success"
    SKIPPED = "skipped"
    FAILED = "failed"
    JOB_FAILED = "job-failed"
    LOST = "lost"
    WAIVED = "waived"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class BatchOfImage:
    """A batch that an image was in, or (``certain`` False) may have been in, with the outcome of
    the image, if it had one there; ``refused``: the code and the words of the refusal."""

    state: BatchState
    job_id: str | None
    recorded_at: float
    submitted_at: float | None
    finished_at: float | None
    manifest: str
    first_row: int
    last_row: int
    images: int
    refused: str | None
    status: Status | None
    reason: str | None
    cause: str | None
    retryable: bool | None
    certain: bool
    not_taken_over: bool


@dataclass(frozen=True, slots=True)
class ImageNow:
    """How an image stands: where it is at the target, who accepted its failure and why, what was
    there when it was looked up; ``original``: its row, of a failed one."""

    waived_at: float | None
    waived_because: str | None
    tries: int
    url: str | None
    original_url: str | None
    width: int | None
    height: int | None
    mime_type: str | None
    title: str | None
    file_name: str | None
    verified_at: float | None
    outcome: Proof | None
    size: int | None
    differences: Differences = field(default_factory=dict)
    original: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step; ``at`` in Unix seconds, None: not known. ``certain`` False: of a batch that may
    have held the image."""

    at: float | None
    kind: StepKind
    job_id: str | None = None
    manifest: str | None = None
    rows: tuple[int, int] | None = None
    reason: str | None = None
    cause: str | None = None
    retryable: bool | None = None
    not_taken_over: bool = False
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One outcome of an image in one job; ``at`` is when the job ended."""

    at: float | None
    job_id: str
    status: Status
    reason: str | None


@dataclass(frozen=True, slots=True)
class History:
    """One image of one archive: where it comes from, its last outcome (``status`` None: in an
    open job, or not sent), all attempts and all steps, oldest first, and how it stands ``now``."""

    target: str
    label: str
    system_name: str
    manifest: str
    row: int
    source_url: str
    status: Status | None
    open: bool
    cause: str | None
    retryable: bool
    media_id: str | None
    attempts: tuple[Attempt, ...]
    steps: tuple[Step, ...]
    now: ImageNow
    waived_because: str | None = None


def steps(batches: Sequence[BatchOfImage], now: ImageNow) -> tuple[Step, ...]:
    """All that happened, oldest first."""
    found = [step for each in batches for step in _of_batch(each)]
    if now.waived_at is not None:
        found.append(Step(now.waived_at, StepKind.WAIVED, reason=now.waived_because))
    if now.verified_at is not None and now.outcome is not None:
        found.append(Step(now.verified_at, StepKind.VERIFIED, reason=now.outcome.value))
    last = 0.0
    ordered = []
    for n, step in enumerate(found):  # of a time that is not known: with what stands before it
        last = last if step.at is None else step.at
        ordered.append((last, n, step))
    return tuple(step for _, _, step in sorted(ordered, key=lambda each: each[:2]))


_ENDS = {
    BatchState.REFUSED: StepKind.REFUSED,
    BatchState.FAILED: StepKind.JOB_FAILED,
    BatchState.LOST: StepKind.LOST,
}


def _of_batch(batch: BatchOfImage) -> Iterator[Step]:
    of = (batch.job_id, batch.manifest, (batch.first_row, batch.last_row))
    yield Step(batch.recorded_at, StepKind.RECORDED, *of, certain=batch.certain)
    if batch.job_id is not None:
        yield Step(batch.submitted_at, StepKind.ACCEPTED, *of, certain=batch.certain)
    if batch.state in _ENDS:
        kind = _ENDS[batch.state]
        cause, _, reason = (batch.refused or "").partition(": ")
        yield Step(batch.finished_at, kind, *of, reason or None, cause or None, None, False,
                   batch.certain)  # fmt: skip
    elif batch.status is not None:
        yield Step(batch.finished_at, StepKind(batch.status.value), *of, batch.reason, batch.cause,
                   batch.retryable, batch.not_taken_over, batch.certain)  # fmt: skip
