"""YAML: entries as a list, the API's request body, or one document each.

Read as events, so that a document streams and every scalar is the text as it is written: an id
``0123``, ``12:30`` or ``no`` stays itself. Aliases and tags are refused, not followed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import yaml

from ldimport.errors import ManifestError
from ldimport.manifest.detect import undecodable
from ldimport.manifest.header import HEADER_KEYS, HeaderReader
from ldimport.manifest.jsontext import MAX_DEPTH
from ldimport.manifest.kinds import Findings, RowProblems
from ldimport.manifest.objects import ObjectBuilder, source_key
from ldimport.manifest.streams import Part, Position
from ldimport.model import Entry, Json, Place

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = ("", "~", "null", "Null", "NULL")
_STARTS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
Events = Iterator[Any]
"""PyYAML's events; its stubs have no types for them."""


@dataclass(slots=True)
class Item:
    """One entry as read. ``marks``: path -> (line, column) of its value."""

    value: Json
    problems: RowProblems
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
        read = self._list if isinstance(event, yaml.SequenceStartEvent) else self._mapping
        return read(path, depth, typed)

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
        place = Place(self._name, self._item.problems.place.row, mark.line + 1, mark.column + 1)
        hint = "write the value itself" if code in ("yaml-alias", "yaml-tag") else ""
        self._item.problems.add(code, path, message, hint, place=place)


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


class YamlFile(Part):
    """One YAML file. Raises ManifestError, with the place, when it is not YAML."""

    newline = ""

    def __init__(self, path: str, name: str, encoding: str, findings: Findings) -> None:
        super().__init__(path, name, encoding, findings)
        self._build = ObjectBuilder(findings, name, textual=True)
        self._searched: tuple[Generator[Item], Item] | None = None
        self._begin()

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every mapping. Raises ManifestError where the YAML itself is broken."""
        header = HeaderReader(self.name, self._findings)
        with closing(self._items(header, position)) as items:
            for row, item in enumerate(items, first):
                problems = RowProblems(replace(item.problems.place, row=row))
                problems += [replace(p, place=replace(p.place, row=row)) for p in item.problems]
                yield self._build(item.value, problems)

    def locate(self, entry: Entry, field: str) -> Place:
        """Where the value of ``field`` begins; the entry's beginning if it has none. Asking in
        ascending order costs one pass in all."""
        place = entry.place
        path = source_key(self._findings.columns, field)
        line, column = self._search(place).get(path, (place.line, place.column))
        return Place(place.file, place.row, line, column)

    def close(self) -> None:
        """Close what ``locate`` keeps open."""
        if self._searched is not None:
            self._searched[0].close()
        self._searched = None
        super().close()

    def _search(self, place: Place) -> dict[str, tuple[int, int]]:
        wanted = (place.line, place.column)
        if self._searched is None or _at(self._searched[1]) > wanted:
            self.close()
            items = self._items(HeaderReader(self.name, Findings(self._findings.columns)))
            self._searched = (items, Item(None, RowProblems(Place())))
        items, item = self._searched
        while _at(item) < wanted:
            following = next(items, None)
            if following is None:
                return {}
            item = following
        self._searched = (items, item)
        return item.marks if _at(item) == wanted else {}

    def _read_header(self) -> None:
        """A list has no header; only a mapping is read to its end, since ``images`` may come
        first."""
        with closing(self._events()) as events:
            root = next((each for each in events if isinstance(each, yaml.NodeEvent)), None)
        if isinstance(root, yaml.MappingStartEvent):
            header = HeaderReader(self.name, self._findings)
            with closing(self._items(header)) as items:
                for _ in items:
                    pass
            self.header = header.finish()

    def _items(self, header: HeaderReader, position: Position | None = None) -> Generator[Item]:
        with closing(self._events(position)) as events:
            for event in events:
                if isinstance(event, yaml.SequenceStartEvent):
                    yield from self._sequence(events)
                elif isinstance(event, yaml.MappingStartEvent):
                    yield from self._mapping(event, events, header)
                elif isinstance(event, yaml.NodeEvent):
                    item = self._item(event, events)
                    if item.value is not None or item.problems:
                        yield item

    def _sequence(self, events: Events) -> Iterator[Item]:
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._item(event, events)

    def _item(self, event: Any, events: Events) -> Item:
        item = Item(None, RowProblems(self._place(event)))
        item.value = Node(events, item, self.name).read(event)
        return item

    def _mapping(self, start: Any, events: Events, header: HeaderReader) -> Iterator[Item]:
        """A document that is a mapping: a request body, a header, or one entry."""
        item = Item(None, RowProblems(self._place(start)))
        node = Node(events, item, self.name)
        found: dict[str, Json] = {}
        body = False
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key, value = node.key(event, found, ""), next(events)
            if key == "images" and isinstance(value, yaml.SequenceStartEvent):
                body = True
                yield from self._sequence(events)
            else:
                node.mark(key, value)
                found[key] = node.read(value, key, typed=key == "context")
        if body or (found and all(key in HEADER_KEYS for key in found)):
            self._take_header(found, item, header)
        else:
            item.value = found
            yield item

    def _take_header(self, found: dict[str, Json], item: Item, header: HeaderReader) -> None:
        if item.problems:
            first = item.problems[0]
            where = f"{self.name}:{first.place.line}"
            raise ManifestError(f"{where}: {first.message}", hint=first.hint, code=first.code)
        for key, value in found.items():
            if key in HEADER_KEYS:
                header.take(key, value, item.marks.get(key, (item.problems.place.line, 0))[0])
            else:
                header.unknown(key)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.name, 0, mark.line + 1, mark.column + 1)

    def _events(self, position: Position | None = None) -> Generator[Any]:
        with self._open(position) as stream:
            try:
                yield from yaml.parse(stream, Loader=_LOADER)
            except yaml.reader.ReaderError as error:
                raise self._unreadable(error) from error
            except yaml.MarkedYAMLError as error:
                raise self._broken(error) from error

    def _broken(self, error: yaml.MarkedYAMLError) -> ManifestError:
        mark = error.problem_mark or error.context_mark
        where = f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name
        words = ", ".join(str(part) for part in (error.context, error.problem) if part)
        return ManifestError(
            f"{where}: not YAML: {words}",
            hint="texts with “: ”, “#”, or a quote at the beginning need quotes around them",
            code="bad-yaml",
        )

    def _unreadable(self, error: yaml.reader.ReaderError) -> ManifestError:
        if "control" not in str(error.reason):
            return undecodable(self.path, self.name, self.encoding)
        with self._open() as stream:
            passed = stream.read(error.position)
        line = passed.count(b"\n") + 1
        return ManifestError(
            f"{self.name}:{line}: a control character stands there, which YAML forbids",
            hint='write it as an escape in double quotes, such as "\\x07"',
            code="bad-yaml",
        )


def _at(item: Item) -> tuple[int, int]:
    return item.problems.place.line, item.problems.place.column
