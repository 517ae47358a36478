"""Refusals (error envelopes, the quota's 429; docs/livingdocs-api.md, "Refusals") and the webhook's
notification."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ldimport.errors import QuotaError
from ldimport.model import Counts, JobStatus, Json


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


_QUOTA = re.compile(r"more than (\d+) per day[\s\S]*already uploaded (\d+)[\s\S]*upload (\d+) more")


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
