"""YAML: entries as a list, the API's request body, or one document each.

Read as events, so that a document streams and every scalar is the text as it is written: an id
``0123``, ``12:30`` or ``no`` stays itself. Aliases and tags are refused, not followed.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import takewhile
from typing import Any

import orjson
import yaml

from ldimport.errors import ManifestError
from ldimport.faults import yaml_fault
from ldimport.manifest.kinds import Detected, Findings, RowProblems
from ldimport.manifest.objects import HEADER_KEYS, HeaderKey, ObjectBuilder, ObjectPart, read_header
from ldimport.manifest.streams import Position, SourceFile, undecodable
from ldimport.manifest.texts import MAX_DEPTH
from ldimport.model import Entry, Json, Place
from ldimport.mojibake import visible

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = ("", "~", "null", "Null", "NULL")
_STARTS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
Events = Iterator[Any]
"""PyYAML's events; its stubs have no types for them."""


class Item:
    """One entry, which begins with the event ``start``: reads its nodes from ``events``.
    ``problems`` is what is wrong, ``marks``: path -> (line, column) of its value."""

    def __init__(self, events: Events, start: Any, file: str) -> None:
        self._events = events
        self.value: Json = None
        self.problems = RowProblems(_place(file, start))
        self.at = (self.problems.place.line, self.problems.place.column)
        self.marks: dict[str, tuple[int, int]] = {}

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
        text = visible(str(event.value))
        if text == "<<" and not event.style:
            self._wrong("yaml-alias", event, path, "merge keys (<<) are not followed")
        if text in found:
            self._wrong("duplicate-key", event, path or text, f"“{text}” stands twice")
        return text

    def mark(self, path: str, event: Any) -> None:
        """Remember where a value begins: behind its opening quote."""
        mark = event.start_mark
        quoted = isinstance(event, yaml.ScalarEvent) and event.style in ("'", '"')
        self.marks[path] = (mark.line + 1, mark.column + 1 + quoted)

    def _list(self, path: str, depth: int, typed: bool) -> Json:
        events = _until(yaml.SequenceEndEvent, self._events)
        return [self.read(event, path, depth + 1, typed=typed) for event in events]

    def _mapping(self, path: str, depth: int, typed: bool) -> Json:
        values: dict[str, Json] = {}
        for event in _until(yaml.MappingEndEvent, self._events):
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
        place = _place(self.problems.place.file, event)
        hint = "write the value itself" if code in ("yaml-alias", "yaml-tag") else ""
        self.problems.add(code, path, message, hint, place=place)


def _until(end: type, events: Events) -> Events:
    """The events of one list or mapping; its end is taken too."""
    return takewhile(lambda event: not isinstance(event, end), events)


def _place(file: str, event: Any) -> Place:
    mark = event.start_mark
    return Place(file, 0, mark.line + 1, mark.column + 1)


def _scalar(event: Any, typed: bool) -> Json:
    text: Json = event.value
    if not event.style and text in _NULLS:
        return None
    with suppress(orjson.JSONDecodeError):
        text = orjson.loads(event.value) if typed and not event.style else text
    return text


class YamlFile(ObjectPart):
    """One YAML file. Raises ManifestError, with the place, when it is not YAML."""

    newline = ""

    def __init__(self, source: SourceFile, detected: Detected, findings: Findings) -> None:
        super().__init__(source, detected, findings)
        self._build = ObjectBuilder(findings, source.name, textual=True)
        self._items_left: Generator[Item] | None = None
        self._found: Item | None = None
        self._begin()

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every mapping. Raises ManifestError where the YAML itself is broken."""
        with closing(self._items(position)) as items:
            for row, item in enumerate(items, first):
                problems = RowProblems(item.problems.place._replace(row=row))
                problems += [replace(p, place=p.place._replace(row=row)) for p in item.problems]
                yield self._build(item.value, problems)

    def close(self) -> None:
        """Close what ``locate`` keeps open."""
        if self._items_left is not None:
            self._items_left.close()
        self._items_left = self._found = None
        super().close()

    def _start(self, place: Place, field: str) -> tuple[int, int] | None:
        """In ascending order one pass over the items will do."""
        wanted = (place.line, place.column)
        if self._items_left is None or (self._found and self._found.at > wanted):
            self.close()
            self._items_left = self._items()
        while self._found is None or self._found.at < wanted:
            if (following := next(self._items_left, None)) is None:
                return None
            self._found = following
        return self._found.marks.get(self._named(field)) if self._found.at == wanted else None

    def _begin(self) -> None:
        """A list has no header; a mapping is read to its end, since ``images`` may come first."""
        with closing(self._events()) as events:
            root = next((each for each in events if isinstance(each, yaml.NodeEvent)), None)
        if isinstance(root, yaml.MappingStartEvent):
            for _ in self._items():
                pass
        super()._begin()

    def _items(self, position: Position | None = None) -> Generator[Item]:
        """Every item; at their end the header is known."""
        header: list[HeaderKey] = []
        with closing(self._events(position)) as events:
            lists = 0
            for event in events:
                if isinstance(event, yaml.SequenceStartEvent):
                    lists += 1
                    if lists == 2:
                        self._joined(event)
                    yield from self._sequence(events)
                elif isinstance(event, yaml.MappingStartEvent):
                    yield from self._mapping(event, events, header)
                elif isinstance(event, yaml.NodeEvent):
                    item = self._item(event, events)
                    if item.value is not None or item.problems:
                        yield item
        self.header = read_header(self.name, self._findings, header)
        self.root = "images" if header else ""

    def _joined(self, event: Any) -> None:
        where = f"{self.name}:{event.start_mark.line + 1}"
        text = f"{where}: a second list begins here: two files joined? Both are read"
        self._findings.notice("joined-files", text)

    def _sequence(self, events: Events) -> Iterator[Item]:
        for event in _until(yaml.SequenceEndEvent, events):
            yield self._item(event, events)

    def _item(self, event: Any, events: Events) -> Item:
        item = Item(events, event, self.name)
        item.value = item.read(event)
        return item

    def _mapping(self, start: Any, events: Events, header: list[HeaderKey]) -> Iterator[Item]:
        """A document that is a mapping: a request body, a header, or one entry."""
        item = Item(events, start, self.name)
        found: dict[str, Json] = {}
        body = False
        for event in _until(yaml.MappingEndEvent, events):
            key, value = item.key(event, found, ""), next(events)
            if key == "images" and isinstance(value, yaml.SequenceStartEvent):
                body = True
                yield from self._sequence(events)
            else:
                item.mark(key, value)
                found[key] = item.read(value, key, typed=key == "context")
        if not body and not (found and found.keys() <= set(HEADER_KEYS)):
            item.value = found
            yield item
            return
        if item.problems:
            first = item.problems[0]
            where = f"{self.name}:{first.place.line}"
            raise ManifestError(f"{where}: {first.message}", hint=first.hint, code=first.code)
        header += [(key, each, item.marks[key][0], "") for key, each in found.items()]

    def _events(self, position: Position | None = None) -> Generator[Any]:
        with self._open(position) as stream:
            try:
                yield from yaml.parse(stream, Loader=_LOADER)
            except yaml.reader.ReaderError as error:
                raise self._unreadable(error) from error
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                where = f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name
                hint = "texts with “: ”, “#”, or a quote at the beginning need quotes around them"
                raise _bad(f"{where}: not YAML: {yaml_fault(error)}", hint) from error

    def _unreadable(self, error: yaml.reader.ReaderError) -> ManifestError:
        if "control" not in str(error.reason):
            return undecodable(self.path, self.name, self.encoding)
        with self._open() as stream:
            line = stream.read(error.position).count(b"\n") + 1
        message = f"{self.name}:{line}: a control character stands there, which YAML forbids"
        return _bad(message, 'write it as an escape in double quotes, such as "\\x07"')


def _bad(message: str, hint: str) -> ManifestError:
    return ManifestError(message, hint=hint, code="bad-yaml")
