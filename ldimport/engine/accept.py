"""What is looked at before a batch is accepted: was it accepted before, and is it right?"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport import wire
from ldimport.engine import jobs
from ldimport.errors import InvalidRequestError, KeyConflictError
from ldimport.model import Image, ImportRequest, JobOptions, Json, digest

if TYPE_CHECKING:
    from ldimport.schema.config import ProjectConfig

MOST_DETAILS = 100
"""Complaints about one request; more help nobody."""


def body_digest(request: ImportRequest) -> str:
    """What tells one request from another under the same key. Raises InvalidRequestError for
    values that JSON does not have (NaN)."""
    try:
        return digest(wire.request_to_json(request))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidRequestError({"": f"cannot be written as JSON: {error}"}) from error


def earlier(connection: sqlite3.Connection, key: str | None, body: str) -> str | None:
    """The job accepted under this key. Raises KeyConflictError when it was another request."""
    found = None if key is None else jobs.of_key(connection, key)
    if found is None:
        return None
    job_id, accepted = found
    if accepted != body:
        raise KeyConflictError(
            "this Idempotency-Key was used before for another request",
            hint="use a new key for a new request",
        )
    return job_id


def settled(
    request: ImportRequest, options: JobOptions, config: ProjectConfig, checked: bool = False
) -> ImportRequest:
    """The request checked against every rule of the API (those that need no project config unless
    ``checked``), with each mediaType filled in. Raises InvalidRequestError with all findings,
    UsageError for nonsense in ``allow_hosts``."""
    from ldimport.net.guard import parse_allow_host

    for text in options.allow_hosts:
        parse_allow_host(text)
    if not checked:
        relative = bool(options.allow_files)
        request = wire.request_from_json(wire.request_to_json(request), relative_urls=relative)
    default = config.default_media_type
    images = tuple(
        image
        if image.media_type is not None
        else Image(image.id, image.url, image.file_name, image.metadata, default)
        for image in request.images
    )
    known = config.media_types
    unknown = {
        f"images.{n}.mediaType": f'unknown mediaType "{image.media_type}", '
        f"the project has: {', '.join(known)}"
        for n, image in enumerate(images)
        if image.media_type not in known
    }
    if unknown:
        raise InvalidRequestError(dict(islice(unknown.items(), MOST_DETAILS)))
    return replace(request, images=images)


def project_config(given: Path | Json | ProjectConfig | None) -> ProjectConfig:
    """The project config that was given as a file, its JSON or itself; None is the documented
    default. Raises ConfigError when it is broken."""
    from ldimport.schema import config

    if given is None:
        return config.default()
    if isinstance(given, config.ProjectConfig):
        return given
    if isinstance(given, str | Path):
        return config.load(Path(given))
    return config.from_json(given)
