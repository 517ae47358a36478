"""The answer of ``GET import/images/status``, in every dialect.

Three generations exist (livingdocs.md 1.3): the seed's entries carry ``status`` and ``title``;
since 2025-03 ``state`` and ``systemName``; since 2026-08 the value for an import is ``imported``.
Writing takes a ``Dialect``; reading understands all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ldimport.model import Asset, Counts, JobState, JobStatus, Json, Result, Status

LOST_TEXT = 'no import job found for id "{}"'


class Dialect(StrEnum):
    """Generation of the status answer."""

    SEED = "seed"
    V2025_03 = "2025-03"
    V2026_08 = "2026-08"

    @classmethod
    def of_version(cls, version: str) -> Dialect:
        """The dialect an API version speaks: ``v1`` the seed's, dated versions the current."""
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
    word: str = result.status.value
    body: dict[str, Json]
    if dialect is Dialect.SEED:
        body = {"status": word}
    else:
        imported = dialect is Dialect.V2026_08 and result.status is Status.SUCCESS
        body = {"state": "imported" if imported else word}
    if result.reason is not None:
        body["reason"] = result.reason
    if result.cause is not None:  # beyond the API; its clients ignore keys they do not know
        body["cause"], body["retryable"] = result.cause, result.retryable
    body["externalId"] = result.external_id
    if dialect is Dialect.SEED:
        body["title"] = result.title
    else:
        body["systemName"] = result.system_name or system_name
    if result.asset is not None:
        body["image"] = asset_to_json(result.asset)
    return body


def status_to_json(job: JobStatus, dialect: Dialect = Dialect.SEED) -> dict[str, Json]:
    """The status answer in the seed's exact shapes; ``lost`` as observed for documents."""
    body: dict[str, Json] = {
        "finished": job.finished and job.state is not JobState.LOST,
        "state": job.state.value,
        "id": LOST_TEXT.format(job.id) if job.state is JobState.LOST else job.id,
    }
    if job.state is JobState.STARTED:
        body["startedAt"] = job.started_at
    if job.state is JobState.SUCCESS:
        body["images"] = [result_to_json(result, dialect) for result in job.results]
    return body


_STATUS_WORDS = {
    "success": Status.SUCCESS,
    "imported": Status.SUCCESS,
    "skipped": Status.SKIPPED,
    "failed": Status.FAILED,
}


_JOB_STATES = {state.value: state for state in JobState}


def status_from_json(body: object, job_id: str) -> JobStatus:
    """Read a status answer of any dialect. An unknown state counts as running while
    ``finished`` is false, as failed when it is true (livingdocs.md 1.3). Raises ValueError when
    it is no status answer at all."""
    if not isinstance(body, dict) or not isinstance(body.get("state"), str):
        raise ValueError("not a status answer")
    state = body["state"]
    finished = body.get("finished") is True
    if state in _JOB_STATES:
        known = _JOB_STATES[state]
        if known is JobState.STARTED and finished:
            known = JobState.FAILED
        elif known in (JobState.SUCCESS, JobState.FAILED) and body.get("finished") is False:
            known = JobState.STARTED
    else:
        known = JobState.FAILED if finished else JobState.STARTED
    images = body.get("images")
    results: tuple[Result, ...] = ()
    if known is JobState.SUCCESS and isinstance(images, list):
        results = tuple(result_from_json(item) for item in images)
    started_at = body.get("startedAt")
    return JobStatus(job_id, known, started_at if isinstance(started_at, str) else None, results)


def result_from_json(item: object) -> Result:
    """Read one entry of a finished job. Raises ValueError when it cannot be one."""
    if not isinstance(item, dict):
        raise ValueError("an entry of images is not an object")
    word = item.get("state", item.get("status"))
    external_id = item.get("externalId")
    if not isinstance(word, str) or word not in _STATUS_WORDS or not isinstance(external_id, str):
        raise ValueError("an entry of images has no known state or no externalId")
    image = item.get("image")
    return Result(
        external_id,
        _STATUS_WORDS[word],
        _optional_text(item.get("title")),
        _optional_text(item.get("reason")),
        asset_from_json(image) if isinstance(image, dict) else None,
        _optional_text(item.get("systemName")),
        _optional_text(item.get("cause")),
        item.get("retryable") if isinstance(item.get("retryable"), bool) else None,
    )


def asset_from_json(image: Mapping[str, Any]) -> Asset:
    """Read an ``image`` object; keys that are missing become empty or None."""
    return Asset(
        str(image.get("mediaId", "")),
        str(image.get("originalUrl", "")),
        str(image.get("url", "")),
        _optional_int(image.get("width")),
        _optional_int(image.get("height")),
        _optional_text(image.get("mimeType")),
        _optional_text(image.get("imageService")),
    )


def _optional_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _optional_int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def counts_to_json(counts: Counts) -> dict[str, Json]:
    """Counts with their total, as ``status`` and ``summary`` show them."""
    return {
        "total": counts.total,
        "success": counts.success,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "pending": counts.pending,
    }
