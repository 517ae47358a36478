"""The API's JSON <-> model, every dialect, both ways, once: import requests, the status of a job,
refusals (docs/livingdocs-api.md, "Refusals"), and what webhooks tell.

Three generations of the status exist (docs/livingdocs-api.md, "Versions and dialects"): entries of
the API's first page carry ``status`` and ``title``; since 2025-03 ``state`` and ``systemName``;
since 2026-08 the value for an import is ``imported``. Writing takes a ``Dialect``; reading
understands them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar

from ldimport.causes import is_code
from ldimport.errors import InvalidRequestError, QuotaError
from ldimport.model import (
    BATCH_KEY,
    UNKNOWN_AT_TARGET,
    Asset,
    Counts,
    ExifPrecedence,
    Image,
    ImageType,
    ImportRequest,
    Integrity,
    JobHint,
    JobOptions,
    JobState,
    JobStatus,
    Json,
    Nulls,
    Result,
    Status,
    canonical_json,
)

T = TypeVar("T")
LENIENT = "handling=lenient"
"""The preference (RFC 7240, 4.4) of a request that lets only the shape of metadata count; our own
server heeds it, Livingdocs has no such thing."""

_LOST = 'no import job found for id "{}"'
_JOB_STATES = {state.value: state for state in JobState}
_STATUS_WORDS = {**{status.value: status for status in Status}, "imported": Status.SUCCESS}
_QUOTA = re.compile(r"more than (\d+) per day[\s\S]*already uploaded (\d+)[\s\S]*upload (\d+) more")
_ASSET_KEYS = ("mediaId", "originalUrl", "url", "width", "height", "mimeType", "imageService")
_asset_values = attrgetter(*(field.name for field in fields(Asset) if field.compare))
_OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    "allow_hosts": tuple,
    "allow_files": tuple,
    "integrity": Integrity,
    "lenient": bool,
    "exif_precedence": ExifPrecedence,
    "nulls": Nulls,
    "formats": lambda names: tuple(map(ImageType, names)),
    "user_agent": lambda text: text,
    "ca_file": lambda text: text,
}


# -- requests -------------------------------------------------------------------------------


def encode(body: Json | Mapping[str, Json]) -> bytes:
    """Compact JSON as UTF-8; its length is what the body limits count."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def characters(value: Json) -> int:
    """Length of a text, of any other value as JSON: what ``MAX_VALUE`` bounds. Raises ValueError
    or RecursionError for a value without an end."""
    return len(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    )


def image_body(image: Image) -> bytes:
    """One entry of ``images`` as canonical JSON: what is sent, measured and kept."""
    metadata = dict(image.metadata)
    return entry_body(image.id, image.file_name, image.media_type, metadata, image.url)


def entry_body(id_: str, name: str, kind: str | None, metadata: dict[str, Json], url: str) -> bytes:
    """``image_body`` of the image that would be made of this."""
    return canonical_json(_entry(id_, name, kind, metadata, url), metadata.values())


def _entry(
    id_: str, name: str, kind: str | None, metadata: dict[str, Json], url: str
) -> dict[str, Json]:
    body: dict[str, Json] = {"fileName": name, "id": id_, "metadata": metadata, "url": url}
    if kind is not None:
        body["mediaType"] = kind
    return body


def rendered(image: Image, url: str | None = None) -> tuple[bytes, bytes]:
    """``image_body``, and ``said`` of it; ``url`` takes the place of the image's own in that."""
    name, kind, metadata = image.file_name, image.media_type, dict(image.metadata)
    told = said(name, kind, metadata, image.url if url is None else url)
    return entry_body(image.id, name, kind, metadata, image.url), told


def said(name: str, kind: str | None, metadata: dict[str, Json], url: str) -> bytes:
    """All that an entry says but its id: equal texts ask for the same."""
    body = {"fileName": name, "mediaType": kind, "metadata": metadata, "url": url}
    return canonical_json(body, metadata.values())


def request_body(request: ImportRequest) -> bytes:
    """The whole body of ``POST import/images`` as canonical JSON; ``request.bodies`` are joined
    where they are there, so that no entry is rendered twice."""
    bodies = b",".join(request.bodies)
    if len(request.bodies) != len(request.images):
        metadata = [dict(image.metadata) for image in request.images]
        entries = [
            _entry(each.id, each.file_name, each.media_type, said, each.url)
            for each, said in zip(request.images, metadata, strict=True)
        ]
        held = [value for said in metadata for value in said.values()]
        bodies = canonical_json(entries, held)[1:-1]
    frame: dict[str, Json] = {"systemName": request.system_name, "images": []}
    if request.webhook is not None:
        frame["webhook"] = request.webhook
    if request.context is not None:
        frame["context"] = dict(request.context)
    head, _, tail = canonical_json(frame).rpartition(b'"images":[],"systemName":')
    return b'%b"images":[%b],"systemName":%b' % (head, bodies, tail)


def options_to_json(options: JobOptions) -> str:
    """How the engine shall treat a job, as JSON text for the state file and the catalogue; equal
    options give equal texts."""
    return json.dumps(asdict(options), sort_keys=True)


def options_from_json(text: str) -> JobOptions:
    """What ``options_to_json`` wrote, now or before; what it did not know has its default."""
    body = json.loads(text)
    old = {"allow_hosts": body.get("allowHosts", ()), "allow_files": body.get("allowFiles", ())}
    found = {**old, **body}
    return JobOptions(**{n: read(found[n]) for n, read in _OPTIONS.items() if n in found})


# -- the status of a job -------------------------------------------------------------------


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
    body = dict(zip(_ASSET_KEYS, _asset_values(asset), strict=True))
    if asset.image_service is None:
        del body["imageService"]
    if asset.key is not None:
        body["key"] = asset.key
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
    ``finished`` is false; when it is true it ran if there are results, else it failed. Entries
    that name no image are left out. Raises ValueError when it is no status answer at all."""
    if not isinstance(body, dict) or not isinstance(body.get("state"), str):
        raise ValueError("not a status answer")
    state, finished = _JOB_STATES.get(body["state"], JobState.STARTED), body.get("finished")
    images = body.get("images")
    told = images if isinstance(images, list) else []
    if state is JobState.STARTED and finished in (True, "true"):  # 1 is true, too
        state = JobState.SUCCESS if told else JobState.FAILED
    elif state is not JobState.LOST and finished in (False, "false"):
        state = JobState.STARTED
    results: tuple[Result, ...] = ()
    if state is JobState.SUCCESS:
        results = tuple(result for result in map(result_from_json, told) if result is not None)
    return JobStatus(job_id, state, optional(str, body.get("startedAt")), results)


def result_from_json(item: object) -> Result | None:
    """Read one entry of a finished job; None for one that names no image. A word that we do not
    know is kept as the reason of a failure (``Result.unknown``); a cause that is no code says
    nothing."""
    external_id = item.get("externalId") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(external_id, str):
        return None
    word, image = item.get("state"), item.get("image")
    word = item.get("status") if word is None else word
    reason, cause = item.get("reason"), optional(str, item.get("cause"))
    cause = cause if is_code(cause) else None
    status = _STATUS_WORDS.get(word) if isinstance(word, str) else None
    if status is None:
        reason, cause = f"unknown at the target: “{_said(word)}”", UNKNOWN_AT_TARGET
    return Result(
        external_id,
        status or Status.FAILED,
        optional(str, item.get("title")),
        None if reason is None else _said(reason),
        asset_from_json(image) if isinstance(image, dict) else None,
        optional(str, item.get("systemName")),
        cause,
        optional(bool, item.get("retryable")),
    )


def _said(value: object) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def asset_from_json(image: Mapping[str, Any]) -> Asset:
    """Read an ``image`` object; keys that are missing become empty or None."""
    media_id, original, url, width, height, mime_type, service = map(image.get, _ASSET_KEYS)
    return Asset(
        _said(media_id or ""),
        _said(original or ""),
        _said(url or ""),
        _pixels(width),
        _pixels(height),
        optional(str, mime_type),
        optional(str, service),
    )


def _pixels(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 31 else None


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
    found = _QUOTA.search(message[:1_000])
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


_MOST_SAID = 200
"""Characters of an id, a state or a key in a notification."""
_WORDS = {"success": ("success", "imported"), "skipped": ("skipped",), "failed": ("failed",)}


def notification_from_json(body: Json) -> JobHint | None:
    """What a notification says, in any plausible shape (no example is documented); None where it
    is about something else: documents, or an event of a project. Raises InvalidRequestError."""
    if not isinstance(body, dict):
        raise InvalidRequestError({"": "a notification is a JSON object"})
    job = _text_of(body, "id", "jobId")
    if body.get("source", "livingdocs-image-import") != "livingdocs-image-import" or (
        not job and "event" in body
    ):
        return None
    state = _text_of(body, "state", "status")
    if missing := [name for name, text in (("id", job), ("state", state)) if not text]:
        raise InvalidRequestError(dict.fromkeys(missing, "must be a text of 1 to 200 characters"))
    context = body.get("context")
    key = _text_of(context, BATCH_KEY) if isinstance(context, dict) else ""
    return JobHint(job, state, _overview(body.get("overview")), key or None)


def _text_of(body: Mapping[str, Json], *names: str) -> str:
    found = next((body[name] for name in names if name in body), "")
    return found if isinstance(found, str) and len(found) <= _MOST_SAID else ""


def _overview(overview: Json) -> Counts | None:
    """Its counters, below ``details`` or beside them; only what is a number counts."""
    if not isinstance(overview, dict):
        return None
    details = overview.get("details")
    found = details if isinstance(details, dict) else overview
    counts = {}
    for name, words in _WORDS.items():
        told = next((found[word] for word in words if word in found), None)
        if isinstance(told, int) and not isinstance(told, bool) and told >= 0:
            counts[name] = told
    return Counts(**counts) if counts else None
