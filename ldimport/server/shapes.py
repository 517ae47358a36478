"""JSON Schemas of requests and answers, for ``openapi``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ldimport.model import ImageType, Json
from ldimport.wire import Dialect

KEY = "^[!-~]{1,255}$"
URL = "^[hH][tT][tT][pP][sS]?://[A-Za-z0-9._-]+(:[1-9][0-9]{0,3})?([/?#][!-\\[\\]-~]*)?$"
"""URLs that are accepted for certain; host names in other letters are accepted too."""

_MOST = 2**53 - 1
_STATUS = {
    Dialect.SEED: ("status", ("success", "skipped", "failed")),
    Dialect.V2025_03: ("state", ("success", "skipped", "failed")),
    Dialect.V2026_08: ("state", ("imported", "skipped", "failed")),
}


def schemas(media_types: Sequence[str], dialect: Dialect | None) -> dict[str, Json]:
    """All components. Without a forced ``dialect`` results come in the seed's and the current
    one, by the version that was asked."""
    spoken = (Dialect.SEED, Dialect.V2026_08) if dialect is None else (dialect,)
    return {
        "ImportRequest": _import_request(),
        "ImportImage": _import_image(media_types),
        "Metadata": {"type": "object", "additionalProperties": ref("Value")},
        "Value": _value(),
        "Accepted": _object({"id": text()}),
        "JobStatus": {"anyOf": [_running(), _ended(), _lost(), *map(_done, spoken)]},
        "Image": _image(),
        "ProjectConfig": _open_object("mediaTypes"),
        "MediaEntry": _media_entry(),
        "MediaList": {"anyOf": [_object({key: _list(ref("MediaEntry"))}) for key in _LISTS]},
        "Patch": _patch(),
        "Patched": _object({"status": {"const": 200}}),
        "Refusal": _refusal(),
        "UsageLimit": {**_list(ref("Refusal")), "minItems": 1, "maxItems": 1},
        "Health": _object({"status": {"const": "ok"}, "version": text(), "busy": _BOOLEAN}),
    }


_LISTS = ("results", "mediaLibraryEntries")
_BOOLEAN: dict[str, Json] = {"type": "boolean"}
_COUNT: dict[str, Json] = {"type": "integer", "minimum": 0}
_MIME: dict[str, Json] = {"enum": [kind.mime for kind in ImageType]}


# -- requests -------------------------------------------------------------------------------


def _import_request() -> dict[str, Json]:
    return _object(
        {
            "systemName": text(1),
            "webhook": _or_null(_url()),
            "context": _or_null(ref("Metadata")),
            "images": {**_list(ref("ImportImage")), "minItems": 1},
        },
        ("systemName", "images"),
    )


def _import_image(media_types: Sequence[str]) -> dict[str, Json]:
    return _object(
        {
            "id": text(1),
            "url": _url(),
            "fileName": text(1),
            "metadata": ref("Metadata"),
            "mediaType": {"enum": [*media_types, None]},
        },
        ("id", "url", "fileName", "metadata"),
    )


def _value() -> dict[str, Json]:
    """Any JSON; numbers as all readers of JSON agree about them. Each keyword speaks of the one
    type it belongs to."""
    return {
        "type": ["string", "boolean", "null", "number", "array", "object"],
        "minimum": -_MOST,
        "maximum": _MOST,
        "items": ref("Value"),
        "additionalProperties": ref("Value"),
    }


def _patch() -> dict[str, Json]:
    operation = _object(
        {
            "operation": {"type": "string", "enum": ["setMetadataProperty"]},
            "propertyName": text(),
            "value": ref("Value"),
        },
        ("operation", "propertyName"),
    )
    version: dict[str, Json] = {
        "anyOf": [
            {"type": "integer", "minimum": -_MOST, "maximum": _MOST},
            {"type": "string", "pattern": "^[0-9]{1,15}$"},
            {"type": "null"},
        ]
    }
    patches: dict[str, Json] = {**_list(operation), "minItems": 1}
    properties = {"version": version, "preserveUpdatedAt": _BOOLEAN, "patches": patches}
    return _object(properties, ("patches",))


# -- answers --------------------------------------------------------------------------------


def _running() -> dict[str, Json]:
    started: dict[str, Json] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
    return _object({**_job(False, "started"), "startedAt": started})


def _ended() -> dict[str, Json]:
    return _object(_job(True, "failed"))


def _lost() -> dict[str, Json]:
    return _object(_job(False, "lost"))


def _done(dialect: Dialect) -> dict[str, Json]:
    return _object({**_job(True, "success"), "images": _list(_result(dialect))})


def _job(finished: bool, state: str) -> dict[str, Json]:
    return {"finished": {"const": finished}, "state": {"const": state}, "id": text()}


def _result(dialect: Dialect) -> dict[str, Json]:
    key, words = _STATUS[dialect]
    name = "title" if dialect is Dialect.SEED else "systemName"
    properties: dict[str, Json] = {
        key: {"enum": list(words)},
        "reason": text(),
        "externalId": text(),
        name: text(),
        "image": ref("Image"),
    }
    return _object(properties, (key, "externalId", name))


def _image() -> dict[str, Json]:
    return _object(
        {
            "mediaId": text(),
            "originalUrl": text(),
            "url": text(),
            "width": _COUNT,
            "height": _COUNT,
            "mimeType": _MIME,
            "imageService": text(),
        }
    )


def _media_entry() -> dict[str, Json]:
    asset = {"key": text(), "url": text(), "mimeType": _MIME, "filename": text()}
    sizes = {"width": _COUNT, "height": _COUNT, "size": _COUNT}
    return _object(
        {
            **{name: text() for name in ("id", "systemName", "externalId", "mediaType")},
            "version": _COUNT,
            "asset": _object({**asset, **sizes}),
            "metadata": {"type": "object"},
            "createdAt": {"type": "string", "format": "date-time"},
            "updatedAt": {"type": "string", "format": "date-time"},
        }
    )


def _refusal() -> dict[str, Json]:
    status: dict[str, Json] = {"type": "integer", "minimum": 400, "maximum": 599}
    details: dict[str, Json] = {"type": "object"}
    properties: dict[str, Json] = {"status": status, "error": text(), "error_details": details}
    return _object(properties, ("status", "error"))


# -- words ----------------------------------------------------------------------------------


def ref(name: str) -> dict[str, Json]:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(least: int = 0) -> dict[str, Json]:
    """A string of at least so many characters."""
    return {"type": "string", "minLength": least} if least else {"type": "string"}


def _url() -> dict[str, Json]:
    return {"type": "string", "format": "uri", "pattern": URL, "maxLength": 8_192}


def _or_null(schema: Json) -> dict[str, Json]:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(items: Json) -> dict[str, Json]:
    return {"type": "array", "items": items}


def _object(
    properties: Mapping[str, Json], required: Sequence[str] | None = None
) -> dict[str, Json]:
    """An object with these properties and no others; all are required unless said."""
    return {
        "type": "object",
        "required": list(properties if required is None else required),
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _open_object(*required: str) -> dict[str, Json]:
    return {"type": "object", "required": list(required)}
