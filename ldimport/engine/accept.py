"""What is looked at before a batch is accepted, or a change of an entry: is it right?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport import wire
from ldimport.authorities import check_ca_file
from ldimport.errors import InvalidRequestError, KeyConflictError, QuotaError, UsageError
from ldimport.model import Image, ImportRequest, JobOptions, Json, Nulls
from ldimport.request_check import check_request

if TYPE_CHECKING:
    from ldimport.engine.records import MediaEntry
    from ldimport.schema.config import ProjectConfig

QUOTA_WINDOW = 24 * 3600.0
MOST_DETAILS = 100
"""Complaints about one request; more help nobody."""


def body_digest(request: ImportRequest) -> str:
    """What tells one request from another under the same key. Raises InvalidRequestError for
    values that JSON does not have (NaN)."""
    try:
        return hashlib.sha256(wire.request_body(request)).hexdigest()
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidRequestError({"": f"cannot be written as JSON: {error}"}) from error


def same_request(accepted: tuple[str, str], body: str) -> str:
    """The id of the job that was accepted under a key (with its body's digest). Raises
    KeyConflictError when that was another request."""
    job_id, before = accepted
    if before != body:
        text = "this Idempotency-Key was used before for another request"
        raise KeyConflictError(text, hint="use a new key for a new request")
    return job_id


def quota_reached(limit: int, used: int, trying: int, retry_after: float | None) -> QuotaError:
    """Images created or given new bytes in the last 24 hours and those open in accepted jobs
    (``used``) with the ``trying`` of a batch exceed ``limit``; in ``retry_after`` seconds enough
    is free again, None where that depends on open ones."""
    return QuotaError(
        f"quota reached: {used:,} of {limit:,} images in the last 24 hours, and this batch has "
        f"{trying:,} more",
        limit=limit,
        used=used,
        trying=trying,
        retry_after=retry_after,
        hint="run the same command again later"
        if trying <= limit
        else "send smaller batches, or raise the daily limit",
    )


def settled(
    request: ImportRequest, options: JobOptions, config: ProjectConfig, checked: bool = False
) -> ImportRequest:
    """The request checked against every rule of the API (those that need no project config unless
    ``checked``), with each mediaType filled in, and without metadata of null where that counts as
    absent. Raises InvalidRequestError with all findings, UsageError for nonsense in
    ``allow_hosts`` or ``user_agent``, ConfigError for a ``ca_file`` that cannot be used."""
    from ldimport.net.guard import parse_allow_host

    for text in options.allow_hosts:
        parse_allow_host(text)
    if options.ca_file is not None:
        check_ca_file(options.ca_file)
    agent = options.user_agent
    if agent is not None and not (agent.strip() and agent.isascii() and agent.isprintable()):
        raise UsageError("user_agent must be printable ASCII on one line")
    if not checked:
        check_request(request, relative_urls=bool(options.allow_files))
    clear = options.nulls is Nulls.CLEAR
    images = tuple(_settled(each, config.default_media_type, clear) for each in request.images)
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


def _settled(image: Image, default: str, clear: bool) -> Image:
    if image.media_type is None:
        image = Image(image.id, image.url, image.file_name, image.metadata, default)
    if clear and None in image.metadata.values():
        said = {name: value for name, value in image.metadata.items() if value is not None}
        image = replace(image, metadata=said)
    return image


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


BY_PATCH = "PATCH"
"""Where a value came from that was set over the API."""


def filled_after(entry: MediaEntry, metadata: Mapping[str, Json]) -> dict[str, str] | None:
    """Where the values of ``entry`` that were not sent with it come from once it holds
    ``metadata``."""
    if entry.filled is None:
        return None
    kept = {name: source for name, source in entry.filled.items() if name in metadata}
    changed = (name for name in metadata if metadata[name] != entry.metadata.get(name))
    return kept | dict.fromkeys(changed, BY_PATCH)


_NOT_HERE = (
    *("archive", "revokeAsset", "unrevokeAsset", "replaceAsset", "removeAsset"),
    *("addUsageLogEntry", "updateUsageLogEntry", "removeUsageLogEntry"),
)
"""Operations that Livingdocs documents, of things this engine does not have."""


def patched(
    config: ProjectConfig,
    entry: MediaEntry,
    operations: Sequence[Mapping[str, Json]],
    *,
    lenient: bool = False,
) -> dict[str, Json]:
    """The entry's metadata after all ``operations`` of a PATCH; a value of None removes the
    property; ``lenient`` as for imports. Raises InvalidRequestError, keyed by dotted path, when one
    cannot be carried out."""
    from ldimport.schema.check import metadata_reasons

    media_type = config.media_types.get(entry.media_type)
    metadata = dict(entry.metadata)
    for n, operation in enumerate(operations):
        path = f"patches.{n}"
        name = _property_name(operation, path)
        if media_type is None or name not in media_type.properties:
            raise InvalidRequestError(
                {f"{path}.propertyName": f'mediaType "{entry.media_type}" has no "{name[:60]}"'}
            )
        metadata[name] = operation.get("value")
        if metadata[name] is None:
            del metadata[name]
        image = Image(entry.external_id, "", entry.title, metadata, entry.media_type)
        if reasons := metadata_reasons(config, image, lenient=lenient):
            raise InvalidRequestError({f"{path}.value": "; ".join(reasons)})
    return metadata


def _property_name(operation: Mapping[str, Json], path: str) -> str:
    if not isinstance(operation, Mapping):
        raise InvalidRequestError({path: "Invalid type: expected object"})
    word, name = operation.get("operation"), operation.get("propertyName")
    if word in _NOT_HERE:
        text = f'"{word}" is known, but not carried out by this engine: it has setMetadataProperty'
        raise InvalidRequestError({f"{path}.operation": text})
    if word != "setMetadataProperty":
        raise InvalidRequestError({f"{path}.operation": f'No enum match for: "{str(word)[:60]}"'})
    for key in operation:
        if key not in ("operation", "propertyName", "value"):
            raise InvalidRequestError({f"{path}.{key[:60]}": "Additional properties not allowed"})
    if not isinstance(name, str):
        raise InvalidRequestError({f"{path}.propertyName": "Invalid type: expected string"})
    return name
