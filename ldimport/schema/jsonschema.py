"""From a project config to JSON Schema (draft 2020-12), as printed and as checked."""

from collections.abc import Iterator, Mapping
from copy import deepcopy

from ldimport.model import Json
from ldimport.schema.config import MediaType, ProjectConfig
from ldimport.schema.properties import PLUGINS, TABLES, Property, ValueShape, shapes

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Json]


def media_type_schema(config: ProjectConfig, media_type: MediaType) -> Schema:
    """The schema that the metadata of an image of this type must meet, complete in itself.

    A required ``title`` stands in ``required`` like any other; an import request meets it by
    ``fileName`` too.
    """
    found = media_type.properties
    schema: Schema = {
        "$schema": DIALECT,
        "title": f"Metadata of media type {media_type.handle}",
        "type": "object",
        "properties": {handle: value_schema(each) for handle, each in found.items()},
        "additionalProperties": False,
    }
    if config.origin:
        schema["$comment"] = f"from {config.origin}"
    if required := [handle for handle, each in found.items() if each.required]:
        schema["required"] = [*required]
    return with_definitions(schema)


def storage_schema(found: Property) -> Schema:
    """What the plugin can store at all, whatever its config says."""
    return {"$ref": f"#/$defs/{found.plugin}"} if found.plugin in PLUGINS else {}


def value_schema(found: Property) -> Schema:
    """What the plugin can store, and what its config demands beside."""
    return {**storage_schema(found), **_limits(found)}


def with_definitions(schema: Schema, definitions: Mapping[str, Json] | None = None) -> Schema:
    """The schema with the ``$defs`` that it refers to, directly or not; those of the plugins where
    no others are given."""
    definitions = shapes() if definitions is None else definitions
    needed: dict[str, Json] = {}
    open_names = list(_references(schema))
    while open_names:
        name = open_names.pop()
        if name not in needed:
            needed[name] = deepcopy(definitions[name])
            open_names += _references(needed[name])
    return {**schema, "$defs": dict(sorted(needed.items()))} if needed else schema


def _references(schema: Json) -> Iterator[str]:
    if isinstance(schema, dict) and isinstance(name := schema.get("$ref"), str):
        yield name.removeprefix("#/$defs/")
    if isinstance(schema, (dict, list)):
        for each in schema.values() if isinstance(schema, dict) else schema:
            yield from _references(each)


def _limits(found: Property) -> Schema:
    shape = found.shape.name.lower() if found.shape else ""
    limits = _given(found, TABLES["limits"].get(shape, {}))
    keyword = TABLES["not-empty"].get(shape)
    if found.required and keyword:
        least = limits.get(keyword)
        limits[keyword] = max(1, least if isinstance(least, int) else 0)
    if found.shape is ValueShape.TEXT and found.config.get("allowNewlines") is False:
        limits["not"] = {"pattern": "[\\r\\n]"}
    choices: Schema = {} if found.choices is None else {"enum": list(found.choices)}
    if found.plugin in ("li-enum", "li-system-enum"):
        limits |= choices
    items = {**_given(found, {"maxLength": "maxLength"}), **choices}
    if found.shape is ValueShape.TEXTS and items:
        limits["items"] = items
    if found.shape is ValueShape.OBJECT and (inner := _inner_limits(found)):
        limits["properties"] = inner
    return limits


def _inner_limits(found: Property) -> Schema:
    if found.plugin in ("li-document-references", "li-reference-list"):
        count = _given(found, {"min": "minItems", "max": "maxItems"})
        return {"references": count} if count else {}
    if found.crops is None:
        return {}
    return {"crops": {"items": {"properties": {"name": {"enum": list(found.crops)}}}}}


def _given(found: Property, names: Mapping[str, str]) -> Schema:
    limits = ((keyword, found.config.get(key)) for key, keyword in names.items())
    return {keyword: limit for keyword, limit in limits if limit is not None}
