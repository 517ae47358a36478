"""Rows of one media type, filled as the user wants it for that type alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ldimport.manifest.mapping import FieldMap
from ldimport.manifest.names import PREFIX, folded
from ldimport.manifest.objects import lookup, text_of
from ldimport.manifest.texts import compose, map_texts
from ldimport.model import Entry, Json

_ATTRIBUTES = {"id": "id", "url": "url", "fileName": "file_name"}
Filler = Callable[[Entry], Entry]


def filler(mapping: FieldMap) -> Filler:
    """A function of an entry that gives it what counts for its media type. What its own columns
    leave open has the value that counts for every row."""
    own = {folded(kind): (kind, each) for kind, each in mapping.by_type.items()}
    words = mapping.writings["mediaType"].values if "mediaType" in mapping.writings else {}

    def fill(entry: Entry) -> Entry:
        word = entry.media_type or ""
        kind = words.get(word.strip(), word) or mapping.known.default
        found = own.get(folded(kind))
        return entry if found is None or entry.problems else _filled(entry, found[1], mapping)

    return fill


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
    return replace(entry, **changed)


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
