"""Rows of one media type, filled as the user wants it for that type alone."""

from collections.abc import Mapping
from typing import Any

from ldimport.manifest.mapping import FieldMap
from ldimport.manifest.names import PREFIX, folded
from ldimport.manifest.objects import lookup, text_of
from ldimport.manifest.texts import compose, map_texts
from ldimport.model import Entry, Json

_ATTRIBUTES = {"id": "id", "url": "url", "fileName": "file_name"}


def of_type(entry: Entry, mapping: FieldMap) -> FieldMap | None:
    """What counts for the media type of an entry alone, if anything does."""
    words = mapping.writings["mediaType"].values if "mediaType" in mapping.writings else {}
    word = entry.media_type or ""
    word = words.get(word.strip(), word) or mapping.known.default
    if (found := mapping.by_type.get(word)) is not None:
        return found
    kind = mapping.known.kinds.get(folded(word), word)
    return next(
        (own for each, own in mapping.by_type.items() if folded(each) == folded(kind)), None
    )


def filled(entry: Entry, mapping: FieldMap) -> Entry:
    """The entry with what counts for its media type. What its own columns leave open has the value
    that counts for every row."""
    own = None if entry.problems else of_type(entry, mapping)
    return entry if own is None else _filled(entry, own, mapping)


def _filled(entry: Entry, own: FieldMap, common: FieldMap) -> Entry:
    values = {name: _value(entry.original, own, name, common) for name in own.common}
    attributes = {attribute: values[name] for name, attribute in _ATTRIBUTES.items()
                  if name in values}  # fmt: skip
    for each in ("id", "url"):
        if each in attributes:
            attributes[each] = text_of(attributes[each])
    if "file_name" in attributes:
        text = attributes["file_name"]
        attributes["file_name"] = None if text in (None, "") else compose(text_of(text))
    metadata = {handle: value for handle, value in entry.metadata.items()
                if PREFIX + handle not in values}  # fmt: skip
    for name, value in values.items():
        if name.startswith(PREFIX) and value not in (None, ""):
            metadata[name.removeprefix(PREFIX)] = map_texts(value, compose)
    changed: dict[str, Any] = {**attributes, "metadata": metadata}
    return entry._replace(**changed)


def _value(row: Mapping[str, Json], own: FieldMap, name: str, common: FieldMap) -> Json:
    """From the row's own columns, else the constant."""
    value: Json = None
    if name in own.templates:
        template = own.templates[name]
        found = {column: lookup(row, column)[1] for column in template.columns}
        value = template.fill({key: text_of(each) for key, each in found.items()
                               if each is not None})  # fmt: skip
    elif name in own.columns:
        value = lookup(row, own.columns[name])[1]
    if value in (None, ""):
        return own.constants.get(name, common.constants.get(name))
    return value
