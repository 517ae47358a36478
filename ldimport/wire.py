"""The API's JSON <-> model, every dialect, both ways, once.

Three generations of the status answer exist (livingdocs.md 1.3): the seed's entries carry
``status`` and ``title``; since 2025-03 ``state`` and ``systemName``; since 2026-08 the value for
an import is ``imported``. Writing takes a ``Dialect``; reading understands all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from ldimport.errors import InvalidRequestError, QuotaError
from ldimport.model import (
    MAX_CONTEXT_BYTES,
    Asset,
    Counts,
    Image,
    ImportRequest,
    JobState,
    JobStatus,
    Json,
    Result,
    Status,
)

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


# -- the import request ---------------------------------------------------------------------


def image_to_json(image: Image) -> dict[str, Json]:
    """One entry of ``images``, keys in the seed's order."""
    body: dict[str, Json] = {
        "url": image.url,
        "id": image.id,
        "fileName": image.file_name,
        "metadata": dict(image.metadata),
    }
    if image.media_type is not None:
        body["mediaType"] = image.media_type
    return body


def request_to_json(request: ImportRequest) -> dict[str, Json]:
    """The body of ``POST import/images``."""
    body: dict[str, Json] = {"systemName": request.system_name}
    if request.webhook is not None:
        body["webhook"] = request.webhook
    if request.context is not None:
        body["context"] = dict(request.context)
    body["images"] = [image_to_json(image) for image in request.images]
    return body


def encode(body: Json | Mapping[str, Json]) -> bytes:
    """Compact JSON as UTF-8; its length is what the body limits count."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def request_from_json(body: object, *, relative_urls: bool = False) -> ImportRequest:
    """Read and check a request body against every rule of the API that needs no project config.

    ``relative_urls`` admits paths of local files (embedded engine only). Raises
    InvalidRequestError with all findings (at most 100) keyed by dotted path.
    """
    check = _RequestCheck(relative_urls)
    request = check.request(body)
    if check.details:
        raise InvalidRequestError(check.details)
    return request


class _RequestCheck:
    """Collects findings by dotted path while reading a request."""

    MOST = 100

    def __init__(self, relative_urls: bool) -> None:
        self.details: dict[str, str] = {}
        self.relative_urls = relative_urls

    def request(self, body: object) -> ImportRequest:
        if not isinstance(body, dict):
            self._wrong("", "Invalid type: expected object")
            return ImportRequest("", ())
        self._no_others(body, "", ("systemName", "images"), ("webhook", "context"))
        system_name = self._text(body, "systemName", "")
        images = self._images(body.get("images"), "images" in body)
        webhook = body.get("webhook")
        if webhook is not None and not (isinstance(webhook, str) and is_http_url(webhook)):
            self._wrong("webhook", "must be an http or https URL")
        context = body.get("context")
        if context is not None:
            self._context(context)
        if self.details:
            return ImportRequest("", ())
        return ImportRequest(system_name, images, webhook, context)

    def _context(self, context: object) -> None:
        if not isinstance(context, dict):
            self._wrong("context", "Invalid type: expected object")
            return
        try:
            size = len(encode(context))
        except (ValueError, UnicodeEncodeError, RecursionError):
            self._wrong("context", "cannot be written as JSON")
            return
        if size > MAX_CONTEXT_BYTES:
            self._wrong("context", f"is {size} bytes of JSON, the limit is {MAX_CONTEXT_BYTES}")

    def _images(self, images: object, present: bool) -> tuple[Image, ...]:
        if not isinstance(images, list):
            if present:
                self._wrong("images", "Invalid type: expected array")
            return ()
        if not images:
            self._wrong("images", "must have at least 1 item")
        found: list[Image] = []
        first: dict[str, int] = {}
        for n, item in enumerate(images):
            if len(self.details) >= self.MOST:
                break
            image = self._image(item, f"images.{n}")
            if image is None:
                continue
            if image.id in first:
                self._wrong(f"images.{n}.id", f"is the same as images.{first[image.id]}.id")
            first.setdefault(image.id, n)
            found.append(image)
        return tuple(found)

    def _image(self, item: object, path: str) -> Image | None:
        if not isinstance(item, dict):
            self._wrong(path, "Invalid type: expected object")
            return None
        before = len(self.details)
        dot = f"{path}."
        self._no_others(item, dot, ("id", "url", "fileName", "metadata"), ("mediaType",))
        identifier = self._text(item, "id", dot)
        url = self._text(item, "url", dot)
        if url and not is_http_url(url) and not (self.relative_urls and is_relative(url)):
            what = "data URLs are not allowed" if url[:5].lower() == "data:" else "not a valid URL"
            self._wrong(f"{dot}url", f"must be an http or https URL ({what})")
        file_name = self._text(item, "fileName", dot)
        metadata = item.get("metadata")
        if "metadata" in item and not isinstance(metadata, dict):
            self._wrong(f"{dot}metadata", "Invalid type: expected object")
        media_type = item.get("mediaType")
        if media_type is not None and not isinstance(media_type, str):
            self._wrong(f"{dot}mediaType", "Invalid type: expected string")
        if len(self.details) > before:
            return None
        return Image(identifier, url, file_name, metadata or {}, media_type)

    def _text(self, body: Mapping[str, object], key: str, dot: str) -> str:
        value = body.get(key)
        if key not in body:
            return ""  # reported as missing
        if not isinstance(value, str):
            self._wrong(f"{dot}{key}", "Invalid type: expected string")
            return ""
        if not value:
            self._wrong(f"{dot}{key}", "must not be empty")
        elif not _encodable(value):
            self._wrong(f"{dot}{key}", "must be valid Unicode")
        return value

    def _no_others(
        self, body: Mapping[str, object], dot: str, required: Sequence[str], optional: Sequence[str]
    ) -> None:
        for key in required:
            if key not in body:
                self._wrong(f"{dot}{key}", f"Missing required property: {key}")
        for key in body:
            if key not in required and key not in optional:
                shown = key[:60].encode("utf-8", "replace").decode()
                self._wrong(f"{dot}{shown}", "Additional properties not allowed")

    def _wrong(self, path: str, text: str) -> None:
        self.details.setdefault(path, text)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")


def is_http_url(text: str) -> bool:
    """Whether this is an absolute http(s) URL with a host, without blanks, control characters
    or backslashes (RFC 3986)."""
    if _NOT_IN_URL.search(text) or len(text) > 8_192 or not _encodable(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and _port_ok(parts.port)
    except ValueError:
        return False


def is_relative(text: str) -> bool:
    """Whether this is a relative path, as a manifest beside its images has it: no scheme, no
    leading slash or drive, no control characters or backslashes."""
    head = text.split("/", 1)[0]
    return bool(head) and ":" not in head and not _NOT_IN_PATH.search(text)


_NOT_IN_PATH = re.compile(r"[\x00-\x1f\x7f\\]")


def _port_ok(port: int | None) -> bool:
    return port is None or 0 < port < 65_536


# -- the status answer ----------------------------------------------------------------------


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


# -- errors, quota, webhook -----------------------------------------------------------------


def error_to_json(
    status: int, error: str, details: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """The API's error envelope; 5xx carry no details (livingdocs.md 1.6)."""
    body: dict[str, Json] = {"status": status, "error": error}
    if details is not None and status < 500:
        body["error_details"] = dict(details)
    return body


def quota_to_json(limit: int, used: int, trying: int) -> list[Json]:
    """The seed's 429 body: an array of one envelope, line breaks included."""
    message = (
        f"Your plan does not allow you to upload more than {limit} per day.\n"
        f"      You already uploaded {used} in the last 24 hours"
        f" and are trying to upload {trying} more.\n"
        "      Please try again later."
    )
    return [error_to_json(429, "Usage Limit Exceeded", {"message": message})]


_QUOTA = re.compile(r"more than (\d+) per day[\s\S]*already uploaded (\d+)[\s\S]*upload (\d+) more")


def error_details(body: object) -> dict[str, str]:
    """``error_details`` of an envelope, or of the first of an array of them, as texts; empty
    where there is none."""
    if isinstance(body, list) and body:
        body = body[0]
    details = body.get("error_details") if isinstance(body, dict) else None
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


def counts_to_json(counts: Counts) -> dict[str, Json]:
    """Counts with their total, as ``status`` and ``summary`` show them."""
    return {
        "total": counts.total,
        "success": counts.success,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "pending": counts.pending,
    }


def notification_to_json(
    job: JobStatus, counts: Counts, context: Mapping[str, Json] | None
) -> dict[str, Json]:
    """Body of the webhook request: id, state, overview and context (seed; ``source`` and
    ``overview.details.failed`` as observed in the wild, livingdocs.md 1.5)."""
    body: dict[str, Json] = {
        "source": "livingdocs-image-import",
        "id": job.id,
        "state": job.state.value,
        "overview": {
            "total": counts.total,
            "details": {
                "success": counts.success,
                "skipped": counts.skipped,
                "failed": counts.failed,
            },
        },
    }
    if context is not None:
        body["context"] = dict(context)
    return body
