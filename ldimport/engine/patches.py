"""PATCH of a media entry: the operations of the API that change metadata.

See docs/livingdocs-api.md, "Media library".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ldimport.engine.records import MediaEntry
from ldimport.errors import InvalidRequestError
from ldimport.model import Image, Json
from ldimport.schema.check import metadata_reasons
from ldimport.schema.config import ProjectConfig

_ALLOWED = {"operation", "propertyName", "value"}


def apply(
    config: ProjectConfig, entry: MediaEntry, operations: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    """The entry's metadata after all ``operations``; a value of None removes the property.
    Raises InvalidRequestError, keyed by dotted path, when one of them cannot be carried out."""
    media_type = config.media_types.get(entry.media_type)
    metadata = dict(entry.metadata)
    for n, operation in enumerate(operations):
        path = f"patches.{n}"
        name = _property_name(operation, path)
        if media_type is None or name not in media_type.properties:
            raise InvalidRequestError(
                {f"{path}.propertyName": f'mediaType "{entry.media_type}" has no "{name}"'}
            )
        value = operation.get("value")
        if value is None:
            metadata.pop(name, None)
        else:
            metadata[name] = value
        image = Image(entry.external_id, "", entry.title, metadata, entry.media_type)
        if reasons := metadata_reasons(config, image):
            raise InvalidRequestError({f"{path}.value": "; ".join(reasons)})
    return metadata


def _property_name(operation: Mapping[str, Json], path: str) -> str:
    if not isinstance(operation, Mapping):
        raise InvalidRequestError({path: "Invalid type: expected object"})
    word = operation.get("operation")
    if word != "setMetadataProperty":
        raise InvalidRequestError({f"{path}.operation": f'No enum match for: "{word}"'})
    for key in operation:
        if key not in _ALLOWED:
            raise InvalidRequestError({f"{path}.{key}": "Additional properties not allowed"})
    name = operation.get("propertyName")
    if not isinstance(name, str):
        raise InvalidRequestError({f"{path}.propertyName": "Invalid type: expected string"})
    return name
