"""The server's description of itself, OpenAPI 3.1: built for the running server, so that it names
its own versions, media types and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from ldimport import __version__
from ldimport.model import MAX_CONTEXT_BYTES, ImageType, Json
from ldimport.server import shapes
from ldimport.server.answers import PHRASES
from ldimport.server.auth import Scope
from ldimport.server.shapes import ref, text
from ldimport.server.versions import VERSIONS
from ldimport.wire import Dialect

_ABOUT = (
    "The image import API of Livingdocs, served by a local engine. `v1` answers in the dialect of "
    "the original documentation, dated versions in the current one. Rules that no schema can say: "
    f"no `id` stands twice in one batch, `context` is at most {MAX_CONTEXT_BYTES} bytes of JSON, "
    "`GET mediaLibrary` wants either `ids` or both of `externalId` and `systemName`, and "
    "`preserveUpdatedAt` exists from 2026-03 on. The same paths are served below any prefix."
)
_VERSION: dict[str, Json] = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "enum": list(VERSIONS)},
}
_ID: dict[str, Json] = {"type": "string", "minLength": 1}


def document(
    prefix: str, media_types: Sequence[str], body_limit: int, dialect: Dialect | None
) -> dict[str, Json]:
    """The description; ``prefix`` is the path it was asked for below, ``dialect`` a forced one."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "ldimport", "version": __version__, "description": _ABOUT},
        "servers": [{"url": prefix or "/"}],
        "paths": {
            "/api/{version}/import/images": {"post": _start(body_limit)},
            "/api/{version}/import/images/status": {"get": _status()},
            "/api/{version}/projectConfig": {"get": _config()},
            "/api/{version}/mediaLibrary": {"get": _find()},
            "/api/{version}/mediaLibrary/{id}": {"get": _get(), "patch": _patch()},
            "/api/{version}/images/{slug}": {"get": _image()},
            "/health": {"get": _health()},
            "/openapi.json": {"get": _description()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": shapes.schemas(media_types, dialect),
        },
    }


# -- operations -----------------------------------------------------------------------------


def _start(body_limit: int) -> dict[str, Json]:
    key = _parameter("Idempotency-Key", "header", {"type": "string", "pattern": shapes.KEY})
    key["description"] = "The same key and body again give the same job; another body is a 409."
    responses = {
        "200": _json("The batch is durable.", ref("Accepted")),
        "429": _json("The daily limit does not admit the batch.", ref("UsageLimit")),
        **_refusals(400, 401, 403, 404, 408, 409, 410, 413, 415),
    }
    summary = f"Start an import. The body has at most {body_limit} bytes."
    return _operation("startImport", summary, Scope.WRITE, [key], responses, "ImportRequest")


def _status() -> dict[str, Json]:
    job = _parameter("id", "query", _ID, required=True)
    responses = {
        "200": _json("State of the job, with its results once it has ended.", ref("JobStatus")),
        **_refusals(400, 401, 403, 404, 410),
    }
    return _operation("importStatus", "State of an import.", Scope.WRITE, [job], responses)


def _config() -> dict[str, Json]:
    responses = {
        "200": _json("The project config in force.", ref("ProjectConfig")),
        **_refusals(401, 403, 404, 410),
    }
    return _operation("projectConfig", "The project config.", Scope.CONFIG_READ, [], responses)


def _find() -> dict[str, Json]:
    ids: Json = {"type": "string", "pattern": "^[A-Za-z0-9-]{1,32}(,[A-Za-z0-9-]{1,32})*$"}
    parameters = [
        _parameter("ids", "query", ids),
        _parameter("externalId", "query", _ID),
        _parameter("systemName", "query", _ID),
    ]
    responses = {
        "200": _json("Those that there are.", ref("MediaList")),
        **_refusals(400, 401, 403, 404, 410),
    }
    summary = "Entries by `ids`, or the one with this `externalId` and `systemName`."
    return _operation("findMedia", summary, Scope.READ, parameters, responses)


def _get() -> dict[str, Json]:
    responses = {
        "200": _json("The entry.", ref("MediaEntry")),
        **_refusals(401, 403, 404, 410),
    }
    entry = _parameter("id", "path", _ID, required=True)
    return _operation("getMedia", "One entry.", Scope.READ, [entry], responses)


def _patch() -> dict[str, Json]:
    responses = {
        "200": _json("The entry was changed.", ref("Patched")),
        **_refusals(400, 401, 403, 404, 408, 409, 410, 413, 415),
    }
    entry = _parameter("id", "path", _ID, required=True)
    summary = "Change metadata of one entry."
    return _operation("patchMedia", summary, Scope.WRITE, [entry], responses, "Patch")


def _image() -> dict[str, Json]:
    binary: dict[str, Json] = {"type": "string", "format": "binary"}
    content: dict[str, Json] = {kind.mime: {"schema": binary} for kind in ImageType}
    responses: dict[str, Json] = {
        "200": {"description": "The original.", "content": content},
        "206": {"description": "A part of it.", "content": content},
        "304": {"description": "It is the one that the client has."},
        **_refusals(400, 404, 410, 416),
    }
    parameters = [
        _parameter("slug", "path", _ID, required=True),
        _parameter("id", "query", _ID, required=True),
    ]
    return _operation("image", "A stored original.", None, parameters, responses)


def _health() -> dict[str, Json]:
    responses = {"200": _json("It works.", ref("Health")), **_refusals(503)}
    return _open("health", "Whether the server works.", responses)


def _description() -> dict[str, Json]:
    responses = {"200": _json("This document.", {"type": "object"})}
    return _open("openapi", "This document.", responses)


# -- their parts ----------------------------------------------------------------------------


def _operation(
    name: str,
    summary: str,
    scope: Scope | None,
    parameters: Sequence[Json],
    responses: Mapping[str, Json],
    body: str | None = None,
) -> dict[str, Json]:
    """An operation below ``/api/{version}``."""
    found = _open(name, summary, responses)
    found["parameters"] = [_VERSION, *parameters]
    if scope is not None:
        found["security"] = [{"token": []}]
        found["description"] = f"Needs a token with the scope `{scope}`."
    if body is not None:
        content: dict[str, Json] = {"application/json": {"schema": ref(body)}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _open(name: str, summary: str, responses: Mapping[str, Json]) -> dict[str, Json]:
    return {"operationId": name, "summary": summary, "responses": dict(responses)}


def _parameter(
    name: str, where: str, schema: Json, *, required: bool = False
) -> dict[str, Json]:  # fmt: skip
    return {"name": name, "in": where, "required": required, "schema": schema}


def _json(description: str, schema: Json) -> dict[str, Json]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refusals(*statuses: int) -> dict[str, Json]:
    return {str(status): _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, Json]:
    found = _json(PHRASES.get(status, HTTPStatus(status).phrase), ref("Refusal"))
    if status in (401, 403):
        found["headers"] = {"WWW-Authenticate": {"schema": text(), "required": True}}
    return found
