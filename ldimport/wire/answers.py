"""What the API answers: the status of a job in every dialect, refusals (docs/livingdocs-api.md,
"Refusals"), and what its webhooks tell.

Three generations exist (docs/livingdocs-api.md, "Versions and dialects"): entries of the API's
first page carry ``status`` and ``title``; since 2025-03 ``state`` and ``systemName``; since 2026-08
the value for an import is ``imported``. Writing takes a ``Dialect``; reading understands them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any, TypeVar

from ldimport.errors import QuotaError
from ldimport.model import Asset, Counts, JobState, JobStatus, Json, Result, Status

T = TypeVar("T")

_LOST = 'no import job found for id "{}"'
_JOB_STATES = {state.value: state for state in JobState}
_STATUS_WORDS = {**{status.value: status for status in Status}, "imported": Status.SUCCESS}
_QUOTA = re.compile(r"more than (\d+) per day[\s\S]*already uploaded (\d+)[\s\S]*upload (\d+) more")


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
        "id": _LOST.format(job.id) if lost else job.id,
    }
    if job.state is JobState.STARTED:
        body["startedAt"] = job.started_at
    if job.state is JobState.SUCCESS:
        body["images"] = [result_to_json(result, dialect) for result in job.results]
    return body


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


# -- refusals and webhooks ------------------------------------------------------------------


def error_to_json(
    status: int, error: str, details: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """The API's error envelope; 5xx carry no details."""
    body: dict[str, Json] = {"status": status, "error": error}
    if details is not None and status < 500:
        body["error_details"] = dict(details)
    return body


def quota_to_json(limit: int, used: int, trying: int) -> list[Json]:
    """The API's 429 body: an array of one envelope, line breaks included."""
    message = (
        f"Your plan does not allow you to upload more than {limit} per day.\n"
        f"      You already uploaded {used} in the last 24 hours"
        f" and are trying to upload {trying} more.\n"
        "      Please try again later."
    )
    return [error_to_json(429, "Usage Limit Exceeded", {"message": message})]


def envelope(body: object) -> Mapping[str, object]:
    """The error envelope, or the first of an array of them; empty where there is none."""
    first = body[0] if isinstance(body, list) and body else body
    return first if isinstance(first, dict) else {}


def error_details(body: object) -> dict[str, str]:
    """``error_details`` of ``envelope``, as texts; empty where there are none."""
    details = envelope(body).get("error_details")
    if not isinstance(details, dict):
        return {}
    return {str(key): text if isinstance(text, str) else json.dumps(text)
            for key, text in details.items()}  # fmt: skip


def quota_from_json(body: object, retry_after: float | None = None) -> QuotaError:
    """Read a 429 body, array or object; the three numbers are None where it does not say."""
    message = error_details(body).get("message", "")
    found = _QUOTA.search(message)
    limit, used, trying = (int(text) for text in found.groups()) if found else (None, None, None)
    text = (
        f"quota reached: {used:,} of {limit:,} images in the last 24 hours"
        if limit is not None and used is not None
        else "the target's quota is reached"
    )
    return QuotaError(text, limit=limit, used=used, trying=trying, retry_after=retry_after)


def notification_to_json(
    job: JobStatus, counts: Counts, context: Mapping[str, Json] | None
) -> dict[str, Json]:
    """Body of the webhook request: id, state, overview and context; ``source`` and
    ``overview.details.failed`` as observed (docs/livingdocs-api.md, "Webhooks")."""
    details: Json = {key: getattr(counts, key) for key in ("success", "skipped", "failed")}
    body: dict[str, Json] = {
        "source": "livingdocs-image-import",
        "id": job.id,
        "state": job.state.value,
        "overview": {"total": counts.total, "details": details},
    }
    if context is not None:
        body["context"] = dict(context)
    return body
