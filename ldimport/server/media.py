"""The media library over HTTP: looking entries up, and changing them (docs/livingdocs-api.md,
"Media library")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from ldimport.engine import Engine, MediaEntry
from ldimport.errors import InvalidRequestError
from ldimport.model import Json
from ldimport.server import body
from ldimport.server.endpoint import Call
from ldimport.server.responses import MISSING, no_such
from ldimport.server.versions import Version

_IDS = re.compile(r"[A-Za-z0-9-]{1,32}(?:,[A-Za-z0-9-]{1,32})*")
_NOT = "Invalid type: expected {}"


def find(call: Call) -> Json:
    """Entries by media ids, or the one of an identity; those that are missing are left out."""
    found = _found(call.engine, call.request.query_params)
    return {call.version.list_key: [_to_json(call.engine, entry) for entry in found]}


def one(call: Call) -> Json:
    """One entry."""
    media_id = call.request.path_params["id"]
    entry = call.engine.media(media_id)
    if entry is None:
        raise no_such(f"MediaLibrary Entry does not exist (id: '{media_id}')")
    return _to_json(call.engine, entry)


def patch(call: Call) -> Json:
    """Change an entry."""
    operations, version, keep = _patch(body.parse(call.body), call.version)
    media_id = call.request.path_params["id"]
    call.engine.patch_media(media_id, operations, version, keep_updated_at=keep)
    return {"status": 200}


def _found(engine: Engine, query: QueryParams) -> list[MediaEntry]:
    """What a query asks for. Raises InvalidRequestError when it is not a whole question."""
    by_identity = "ids" not in query
    wrong = {}
    for name in ("externalId", "systemName"):
        if by_identity and name not in query:
            wrong[name] = MISSING.format(name)
        elif query.get(name) == "":
            wrong[name] = "must not be empty"
    if not by_identity and not _IDS.fullmatch(query["ids"]):
        wrong["ids"] = "must be media ids with commas between"
    if wrong:
        raise InvalidRequestError(wrong)
    if by_identity:
        entries = [engine.find(query["systemName"], query["externalId"])]
    else:
        entries = [engine.media(each) for each in dict.fromkeys(query["ids"].split(","))]
    return [entry for entry in entries if entry is not None]


def _to_json(engine: Engine, entry: MediaEntry) -> dict[str, Json]:
    of = entry.asset
    return {
        "id": entry.id,
        "systemName": entry.system_name,
        "externalId": entry.external_id,
        "version": entry.version,
        "mediaType": entry.media_type,
        "asset": {
            "key": of.key,
            "url": engine.asset(entry).original_url,
            "mimeType": of.mime_type,
            "width": of.width,
            "height": of.height,
            "size": of.size,
            "filename": entry.title,
        },
        "metadata": dict(entry.metadata),
        "createdAt": _moment(entry.created_at),
        "updatedAt": _moment(entry.updated_at),
    }


def _moment(at: float) -> str:
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _patch(parsed: Json, api: Version) -> tuple[Sequence[Mapping[str, Json]], int | None, bool]:
    """Operations, version and ``preserveUpdatedAt`` of a PATCH. Raises InvalidRequestError by
    dotted path; what is wrong inside an operation is the engine's to say."""
    if not isinstance(parsed, dict):
        raise InvalidRequestError({"": _NOT.format("object")})
    known = ("version", "patches", *(("preserveUpdatedAt",) if api.preserves_updated_at else ()))
    wrong = {key[:60]: "Additional properties not allowed" for key in parsed if key not in known}
    patches, keep = parsed.get("patches"), parsed.get("preserveUpdatedAt", False)
    operations = patches if isinstance(patches, list) else []
    if "patches" not in parsed:
        wrong["patches"] = MISSING.format("patches")
    elif not isinstance(patches, list):
        wrong["patches"] = _NOT.format("array")
    elif not patches:
        wrong["patches"] = "must have at least 1 item"
    else:
        wrong |= {f"patches.{n}": _NOT.format("object")
                  for n, each in enumerate(operations) if not isinstance(each, dict)}  # fmt: skip
    if not isinstance(keep, bool):
        wrong["preserveUpdatedAt"] = _NOT.format("boolean")
    version = _number(parsed.get("version"))
    if version is None and parsed.get("version") is not None:
        wrong["version"] = _NOT.format("number")
    if wrong:
        raise InvalidRequestError(wrong)
    return [each for each in operations if isinstance(each, dict)], version, bool(keep)


def _number(value: Json) -> int | None:
    """A version: documented as a number and shown as a text."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)
