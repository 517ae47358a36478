"""One entry of a YAML manifest, put together from events.

Every scalar is the text as it is written; aliases and tags are problems, not followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml

from ldimport.manifest.findings import problem
from ldimport.manifest.jsontext import MAX_DEPTH
from ldimport.model import Json, Place, Problem

_NULLS = ("", "~", "null", "Null", "NULL")
_STARTS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
Events = Iterator[Any]
"""PyYAML's events; its stubs have no types for them."""


@dataclass(slots=True)
class Item:
    """One entry as read. ``marks``: path -> (line, column) of its value."""

    value: Json
    place: Place
    problems: list[Problem] = field(default_factory=list)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)


class Node:
    """Reads the nodes of one entry from ``events``; what is wrong goes to ``item``."""

    def __init__(self, events: Events, item: Item, name: str) -> None:
        self._events = events
        self._item = item
        self._name = name

    def read(self, event: Any, path: str = "", depth: int = 0, *, typed: bool = False) -> Json:
        """The value that begins with ``event``: texts, None for YAML's null, lists and mappings
        of these. ``typed``: plain scalars that are JSON literals become what they say."""
        if isinstance(event, yaml.AliasEvent):
            self._wrong("yaml-alias", event, path, f"the alias *{event.anchor} is not followed")
            return None
        if event.tag is not None:
            self._wrong("yaml-tag", event, path, f"the tag {event.tag} is not interpreted")
        if depth > MAX_DEPTH:
            self._skip(event)
            self._wrong("too-deep", event, path, f"nested deeper than {MAX_DEPTH} levels")
            return None
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, typed)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, depth, typed)
        return self._mapping(path, depth, typed)

    def key(self, event: Any, found: dict[str, Json], path: str) -> str:
        """The text of a mapping's key, checked for being one, and the first of its name."""
        if not isinstance(event, yaml.ScalarEvent):
            self._wrong("wrong-type", event, path, "a key must be a text")
            self._skip(event)
            return ""
        text = str(event.value)
        if text == "<<" and not event.style:
            self._wrong("yaml-alias", event, path, "merge keys (<<) are not followed")
        if text in found:
            self._wrong("duplicate-key", event, path or text, f"“{text}” stands twice")
        return text

    def mark(self, path: str, event: Any) -> None:
        """Remember where a value begins: behind its opening quote."""
        mark = event.start_mark
        quoted = isinstance(event, yaml.ScalarEvent) and event.style in ("'", '"')
        self._item.marks[path] = (mark.line + 1, mark.column + 1 + quoted)

    def _list(self, path: str, depth: int, typed: bool) -> Json:
        values: list[Json] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            values.append(self.read(event, path, depth + 1, typed=typed))
        return values

    def _mapping(self, path: str, depth: int, typed: bool) -> Json:
        values: dict[str, Json] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.key(event, values, path)
            inner = f"{path}.{key}" if path else key
            value = next(self._events)
            if depth < 2:
                self.mark(inner, value)
            values[key] = self.read(value, inner, depth + 1, typed=typed)
        return values

    def _skip(self, event: Any) -> None:
        """Leave out a whole node, however deep."""
        depth = int(isinstance(event, _STARTS))
        while depth:
            event = next(self._events)
            depth += isinstance(event, _STARTS) - isinstance(event, _ENDS)

    def _wrong(self, code: str, event: Any, path: str, message: str) -> None:
        mark = event.start_mark
        place = Place(self._name, self._item.place.row, mark.line + 1, mark.column + 1)
        hint = "write the value itself" if code in ("yaml-alias", "yaml-tag") else ""
        self._item.problems.append(problem(code, place, path, message, hint))


def _scalar(event: Any, typed: bool) -> Json:
    text = str(event.value)
    if event.style:
        return text
    if text in _NULLS:
        return None
    if typed:
        try:
            found: Json = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return found
    return text
