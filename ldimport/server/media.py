"""The media library over HTTP: looking entries up, changing them, and the stored originals
(docs/livingdocs-api.md, "Media library")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ldimport import wire
from ldimport.engine import Engine, MediaEntry
from ldimport.engine.access_tokens import TokenScope
from ldimport.errors import InvalidRequestError
from ldimport.model import Json
from ldimport.server import body
from ldimport.server.backend import Backend
from ldimport.server.images import original
from ldimport.server.responses import MISSING, Refusal, answer, no_such
from ldimport.server.versions import Version

_IDS = re.compile(r"[A-Za-z0-9-]{1,32}(?:,[A-Za-z0-9-]{1,32})*")


class Media:
    """Endpoints of the media library."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def routes(self) -> list[Route]:
        """Where they are found."""
        return [
            Route("/api/{version}/mediaLibrary", self.find),
            Route("/api/{version}/mediaLibrary/{id}", self.one, methods=["GET", "PATCH"]),
            Route("/api/{version}/images/{slug}", self.image),
        ]

    async def find(self, request: Request) -> Response:
        """Entries by media ids, or the one of an identity; those that are missing are left out."""
        engine, key = self._backend.engine, self._backend.version(request).list_key

        def look() -> bytes:
            found = _found(engine, request.query_params)
            return wire.encode({key: [_to_json(engine, entry) for entry in found]})

        return answer(await self._backend.read_for(request, TokenScope.READ, look))

    async def one(self, request: Request) -> Response:
        """One entry: shown, or changed."""
        return await (self._patch(request) if request.method == "PATCH" else self._get(request))

    async def _get(self, request: Request) -> Response:
        engine, media_id = self._backend.engine, request.path_params["id"]

        def look() -> bytes:
            entry = engine.media(media_id)
            if entry is None:
                raise no_such(f"MediaLibrary Entry does not exist (id: '{media_id}')")
            return wire.encode(_to_json(engine, entry))

        return answer(await self._backend.read_for(request, TokenScope.READ, look))

    async def _patch(self, request: Request) -> Response:
        engine, media_id = self._backend.engine, request.path_params["id"]
        raw = await self._backend.body_for(request, TokenScope.WRITE)

        def change() -> None:
            operations, version, keep = _patch(body.parse(raw), self._backend.version(request))
            engine.patch_media(media_id, operations, version, keep_updated_at=keep)

        await self._backend.write(change)
        return answer({"status": 200})

    async def image(self, request: Request) -> Response:
        """A stored original. No token: these are what the public sees. The ``id`` may be followed
        by ``?format=auto`` as in the API's page, or by ``&format=auto``."""
        engine, key = self._backend.engine, request.query_params.get("id", "")
        if not key:
            raise Refusal(400, {"id": MISSING.format("id")})
        found = await self._backend.read(lambda: engine.original(key))
        if found is None:
            raise Refusal(404, "No image found.")
        return await self._backend.read(lambda: original(found, request.method, request.headers))


# -- looking up -----------------------------------------------------------------------------


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


# -- changing -------------------------------------------------------------------------------


def _patch(parsed: Json, api: Version) -> tuple[Sequence[Mapping[str, Json]], int | None, bool]:
    """Operations, version and ``preserveUpdatedAt`` of a PATCH. Raises InvalidRequestError by
    dotted path; what is wrong inside an operation is the engine's to say."""
    if not isinstance(parsed, dict):
        raise InvalidRequestError({"": "Invalid type: expected object"})
    known = ("version", "patches", *(("preserveUpdatedAt",) if api.preserves_updated_at else ()))
    wrong = {key[:60]: "Additional properties not allowed" for key in parsed if key not in known}
    patches, keep = parsed.get("patches"), parsed.get("preserveUpdatedAt", False)
    if "patches" not in parsed:
        wrong["patches"] = MISSING.format("patches")
    elif not isinstance(patches, list):
        wrong["patches"] = "Invalid type: expected array"
    elif not patches:
        wrong["patches"] = "must have at least 1 item"
    else:
        wrong |= {f"patches.{n}": "Invalid type: expected object"
                  for n, each in enumerate(patches) if not isinstance(each, dict)}  # fmt: skip
    if not isinstance(keep, bool):
        wrong["preserveUpdatedAt"] = "Invalid type: expected boolean"
    version = _number(parsed.get("version"))
    if version is None and parsed.get("version") is not None:
        wrong["version"] = "Invalid type: expected number"
    if wrong:
        raise InvalidRequestError(wrong)
    assert isinstance(patches, list) and isinstance(keep, bool)
    return [each for each in patches if isinstance(each, dict)], version, keep


def _number(value: Json) -> int | None:
    """A version: documented as a number and shown as a text."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)
