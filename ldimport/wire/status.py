"""The answer of ``GET import/images/status``, in every dialect.

Three generations exist (docs/livingdocs-api.md, "Versions and dialects"): entries of the API's
first page carry ``status`` and ``title``; since 2025-03 ``state`` and ``systemName``; since 2026-08
the value for an import is ``imported``. Writing takes a ``Dialect``; reading understands them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any, TypeVar

from ldimport.model import Asset, Counts, JobState, JobStatus, Json, Result, Status

T = TypeVar("T")

LOST_TEXT = 'no import job found for id "{}"'


class Dialect(StrEnum):
    """Generation of the status answer."""

    SEED = "seed"
    V2025_03 = "2025-03"
    V2026_08 = "2026-08"

    @classmethod
    def of_version(cls, version: str) -> Dialect:
        """The dialect an API version speaks: ``v1`` the first, dated versions the current."""
        return cls.SEED if version == "v1" else cls.V2026_08


def asset_to_json(asset: Asset) -> dict[str, Json]:
    """The ``image`` object of a result."""
    body: dict[str, Json] = {
        "mediaId": asset.media_id,
        "originalUrl": asset.original_url,
        "url": asset.url,
        "width": asset.width,
        "height": asset.height,
        "mimeType": asset.mime_type,
    }
    if asset.image_service is not None:
        body["imageService"] = asset.image_service
    return body


def result_to_json(
    result: Result, dialect: Dialect = Dialect.SEED, system_name: str = ""
) -> dict[str, Json]:
    """One entry of a finished job's ``images``."""
    seed, word = dialect is Dialect.SEED, result.status.value
    if dialect is Dialect.V2026_08 and result.status is Status.SUCCESS:
        word = "imported"
    body: dict[str, Json] = {"status" if seed else "state": word}
    if result.reason is not None:
        body["reason"] = result.reason
    if result.cause is not None:  # beyond the API; its clients ignore keys they do not know
        body["cause"], body["retryable"] = result.cause, result.retryable
    body["externalId"] = result.external_id
    if seed:
        body["title"] = result.title
    else:
        body["systemName"] = result.system_name or system_name
    if result.asset is not None:
        body["image"] = asset_to_json(result.asset)
    return body


def status_to_json(job: JobStatus, dialect: Dialect = Dialect.SEED) -> dict[str, Json]:
    """The status answer in the API's exact shapes; ``lost`` as observed for documents."""
    lost = job.state is JobState.LOST
    body: dict[str, Json] = {
        "finished": job.finished and not lost,
        "state": job.state.value,
        "id": LOST_TEXT.format(job.id) if lost else job.id,
    }
    if job.state is JobState.STARTED:
        body["startedAt"] = job.started_at
    if job.state is JobState.SUCCESS:
        body["images"] = [result_to_json(result, dialect) for result in job.results]
    return body


_JOB_STATES = {state.value: state for state in JobState}
_STATUS_WORDS = {**{status.value: status for status in Status}, "imported": Status.SUCCESS}


def status_from_json(body: object, job_id: str) -> JobStatus:
    """Read a status answer of any dialect. An unknown state counts as running while
    ``finished`` is false, as failed when it is true. Raises ValueError when it is no status
    answer at all."""
    if not isinstance(body, dict) or not isinstance(body.get("state"), str):
        raise ValueError("not a status answer")
    state, finished = _JOB_STATES.get(body["state"], JobState.STARTED), body.get("finished")
    if state is JobState.STARTED and finished is True:
        state = JobState.FAILED
    elif state is not JobState.LOST and finished is False:
        state = JobState.STARTED
    images = body.get("images")
    results: tuple[Result, ...] = ()
    if state is JobState.SUCCESS and isinstance(images, list):
        results = tuple(result_from_json(item) for item in images)
    return JobStatus(job_id, state, optional(str, body.get("startedAt")), results)


def result_from_json(item: object) -> Result:
    """Read one entry of a finished job. Raises ValueError when it cannot be one."""
    if not isinstance(item, dict):
        raise ValueError("an entry of images is not an object")
    word, external_id = item.get("state", item.get("status")), item.get("externalId")
    if not isinstance(word, str) or word not in _STATUS_WORDS or not isinstance(external_id, str):
        raise ValueError("an entry of images has no known state or no externalId")
    image = item.get("image")
    return Result(
        external_id,
        _STATUS_WORDS[word],
        optional(str, item.get("title")),
        optional(str, item.get("reason")),
        asset_from_json(image) if isinstance(image, dict) else None,
        optional(str, item.get("systemName")),
        optional(str, item.get("cause")),
        optional(bool, item.get("retryable")),
    )


def asset_from_json(image: Mapping[str, Any]) -> Asset:
    """Read an ``image`` object; keys that are missing become empty or None."""
    return Asset(
        str(image.get("mediaId", "")),
        str(image.get("originalUrl", "")),
        str(image.get("url", "")),
        optional(int, image.get("width")),
        optional(int, image.get("height")),
        optional(str, image.get("mimeType")),
        optional(str, image.get("imageService")),
    )


def optional(kind: type[T], value: object) -> T | None:
    """``value`` if it is exactly of this kind (true is no number), else None."""
    return value if type(value) is kind else None


def counts_to_json(counts: Counts) -> dict[str, Json]:
    """Counts with their total, as ``status`` and ``summary`` show them."""
    return {"total": counts.total, **asdict(counts)}
