"""YAML: entries as a list, the seed's request body, or one document each.

Read as events, so that a document streams and every scalar is the text as it is written: an id
``0123``, ``12:30`` or ``no`` stays itself. Aliases and tags are refused, not followed.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import yaml

from ldimport.errors import ManifestError
from ldimport.manifest.encoding import undecodable
from ldimport.manifest.findings import Findings
from ldimport.manifest.header import HEADER_KEYS, HeaderReader
from ldimport.manifest.kinds import Header
from ldimport.manifest.lines import Lines
from ldimport.manifest.objects import ObjectBuilder, source_key
from ldimport.manifest.streams import Position, buffered, reporting
from ldimport.manifest.yamlnode import Events, Item, Node
from ldimport.model import Entry, Json, Place

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFile:
    """One YAML file. ``path`` is read, ``name`` shown. Raises ManifestError, with the place, when
    it is not YAML or has no entries."""

    textual = True

    def __init__(self, path: str, name: str, encoding: str, findings: Findings) -> None:
        self.path = path
        self.name = name
        self.header = Header()
        self.source = Lines(self._text)
        self._encoding = encoding
        self._recode = None if encoding in ("utf-8", "utf-8-sig") else encoding
        self._findings = findings
        self._build = ObjectBuilder(findings, name, textual=True)
        self._searched: tuple[Generator[Item], Item] | None = None
        self._read_header()
        if next(self.entries(1), None) is None:
            raise ManifestError(f"{name} has no entries", code="no-rows")

    def entries(
        self, first: int, position: Position | None = None, before: int = 0
    ) -> Iterator[Entry]:
        """Every mapping as an Entry; ``first`` is the number of the first one. Raises
        ManifestError where the YAML itself is broken."""
        header = HeaderReader(self.name, self._findings)
        with closing(self._items(header, position, before)) as items:
            for row, item in enumerate(items, first):
                place = replace(item.place, row=row)
                problems = [replace(p, place=replace(p.place, row=row)) for p in item.problems]
                if isinstance(item.value, dict):
                    yield self._build(item.value, place, problems, nfc_already=False)
                else:
                    yield self._build.not_an_object(item.value, place, problems)

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
        self.source.close()

    def _search(self, place: Place) -> dict[str, tuple[int, int]]:
        wanted = (place.line, place.column)
        if self._searched is None or _at(self._searched[1]) > wanted:
            self.close()
            items = self._items(HeaderReader(self.name, Findings(self._findings.columns)), None, 0)
            self._searched = (items, Item(None, Place()))
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
        with closing(self._events(None, 0)) as events:
            root = next((each for each in events if isinstance(each, yaml.NodeEvent)), None)
        if isinstance(root, yaml.MappingStartEvent):
            header = HeaderReader(self.name, self._findings)
            with closing(self._items(header, None, 0)) as items:
                for _ in items:
                    pass
            self.header = header.finish()

    def _items(
        self, header: HeaderReader, position: Position | None, before: int
    ) -> Generator[Item]:
        with closing(self._events(position, before)) as events:
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
        item = Item(None, self._place(event))
        item.value = Node(events, item, self.name).read(event)
        return item

    def _mapping(self, start: Any, events: Events, header: HeaderReader) -> Iterator[Item]:
        """A document that is a mapping: a request body, a header, or one entry."""
        item = Item(None, self._place(start))
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
                header.take(key, value, item.marks.get(key, (item.place.line, 0))[0])
            else:
                header.unknown(key)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.name, 0, mark.line + 1, mark.column + 1)

    def _events(self, position: Position | None, before: int) -> Generator[Any]:
        watch = reporting(position, before)
        with buffered(self.path, self.name, recode=self._recode, watch=watch) as stream:
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
            return undecodable(self.path, self.name, self._encoding)
        with buffered(self.path, self.name, recode=self._recode) as stream:
            passed = stream.read(error.position)
        line = passed.count(b"\n") + 1
        return ManifestError(
            f"{self.name}:{line}: a control character stands there, which YAML forbids",
            hint='write it as an escape in double quotes, such as "\\x07"',
            code="bad-yaml",
        )

    def _text(self) -> io.TextIOWrapper:
        stream = buffered(self.path, self.name, recode=self._recode)
        return io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="")


def _at(item: Item) -> tuple[int, int]:
    return item.place.line, item.place.column
