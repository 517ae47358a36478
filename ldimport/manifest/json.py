"""JSON: an array of entries, the seed's request body, single objects, or JSON Lines."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from json import JSONDecodeError, JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import cast

from ldimport.errors import ManifestError
from ldimport.manifest.fields import PREFIX, field_of
from ldimport.manifest.findings import Findings
from ldimport.manifest.header import HEADER_KEYS, HeaderReader
from ldimport.manifest.jsonscan import LARGEST, Scanner, Span
from ldimport.manifest.jsontext import parse_json, quick_json
from ldimport.manifest.kinds import Header
from ldimport.manifest.lines import Lines
from ldimport.manifest.normalise import surely_composed
from ldimport.manifest.objects import ObjectBuilder, source_key
from ldimport.manifest.streams import Position, buffered, reporting
from ldimport.model import Entry, Place

_UTF8 = ("utf-8", "utf-8-sig")
_LOCATE_LINES = 5_000
_BRACKET_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"|[][{}]')


class _JsonFile:
    """What JSON documents and JSON Lines have in common: ``path`` is read, ``name`` shown."""

    textual = False

    def __init__(self, path: str, name: str, encoding: str, findings: Findings) -> None:
        self.path = path
        self.name = name
        self.header = Header()
        self._recode = None if encoding in _UTF8 else encoding
        self._findings = findings
        self._build = ObjectBuilder(findings, name, textual=False)
        self.source = Lines(self._text)

    def locate(self, entry: Entry, field: str) -> Place:
        """Where the value of ``field`` begins; the entry's beginning if it has none."""
        place = entry.place
        text = self._text_of(place)
        if not text:
            return place
        offset = _find(text, max(place.column, 1) - 1, source_key(self._findings.columns, field))
        offset += text[offset : offset + 1] == '"'
        before = text[:offset]
        line = before.count("\n")
        return Place(place.file, place.row, place.line + line, offset - before.rfind("\n"))

    def _text_of(self, place: Place) -> str:
        """The lines of the entry at ``place`` and no more, since reading ahead would have to be
        undone for the next one."""
        lines: list[str] = []
        depth, start = 0, max(place.column, 1) - 1
        for line in self.source.between(place.line, place.line + _LOCATE_LINES):
            lines.append(line)
            for sign in _BRACKET_OR_TEXT.finditer(line, start):
                depth += (sign[0] in "{[") - (sign[0] in "}]")
                if depth <= 0:
                    return "\n".join(lines)
            start = 0
        return "\n".join(lines)

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._open(None, 0), "utf-8-sig", "replace", newline="\n")

    def _open(self, position: Position | None, before: int) -> io.BufferedReader:
        watch = reporting(position, before)
        return buffered(self.path, self.name, recode=self._recode, watch=watch)

    def _entry(self, raw: bytes, place: Place) -> Entry:
        """The entry in ``raw``, which may be anything."""
        composed = b"\\u" not in raw and surely_composed(raw)
        found = quick_json(raw)
        if found is not None:
            return self._build(found, place, [], nfc_already=composed)
        parsed = parse_json(raw, place, "")
        problems = list(parsed.problems)
        if not isinstance(parsed.value, dict):
            return self._build.not_an_object(parsed.value, place, problems)
        problems += self._build.check_numbers(parsed.value, place)
        return self._build(parsed.value, place, problems, nfc_already=composed)


class JsonLines(_JsonFile):
    """One entry a line; blank lines are skipped."""

    def __init__(self, path: str, name: str, encoding: str, findings: Findings) -> None:
        super().__init__(path, name, encoding, findings)
        if next(self.entries(1), None) is None:
            raise ManifestError(f"{name} has no entries", code="no-rows")

    def entries(
        self, first: int, position: Position | None = None, before: int = 0
    ) -> Iterator[Entry]:
        """Every line as an Entry; ``first`` is the number of the first one. Raises ManifestError
        for a line of more than 16 MB."""
        row = first
        with self._open(position, before) as stream:
            for line, raw in enumerate(iter(partial(stream.readline, LARGEST), b""), 1):
                if len(raw) == LARGEST:
                    raise ManifestError(
                        f"{self.name}:{line}: the line is longer than 16 MB",
                        hint="in JSON Lines each entry has a line of its own",
                        code="too-large",
                    )
                content = raw[3:] if line == 1 and raw.startswith(b"\xef\xbb\xbf") else raw
                if content.isspace() or not content:
                    continue
                yield self._entry(content.rstrip(), Place(self.name, row, line, 1))
                row += 1


class JsonDocument(_JsonFile):
    """An array of entries, a request body with ``images``, or objects one after the other."""

    def __init__(self, path: str, name: str, encoding: str, findings: Findings) -> None:
        super().__init__(path, name, encoding, findings)
        self._body = False
        with closing(self._open(None, 0)) as stream:
            scanner = Scanner(stream, name)
            if scanner.peek() == b"{":
                self._read_header(scanner)
        if next(self.entries(1), None) is None:
            raise ManifestError(f"{name} has no entries", code="no-rows")

    def entries(
        self, first: int, position: Position | None = None, before: int = 0
    ) -> Iterator[Entry]:
        """Every element as an Entry; ``first`` is the number of the first one. Raises
        ManifestError where the document itself is broken."""
        with closing(self._open(position, before)) as stream:
            scanner = Scanner(stream, self.name)
            for row, span in enumerate(self._spans(scanner), first):
                yield self._entry(span.raw, Place(self.name, row, span.line, span.column))

    def _spans(self, scanner: Scanner) -> Iterator[Span]:
        if self._body:
            for key in scanner.members():
                if key == "images":
                    yield from scanner.elements()
                else:
                    scanner.value()
        elif scanner.peek() == b"[":
            yield from scanner.elements()
        else:
            while scanner.peek() == b"{":
                yield scanner.value()
        if scanner.peek():
            raise scanner.error("something follows the end of the list", "bad-json")

    def _read_header(self, scanner: Scanner) -> None:
        """Read what stands beside ``images``, wherever ``images`` stands."""
        found: list[tuple[str, Span]] = []
        for key in scanner.members():
            if key == "images":
                if scanner.peek() != b"[":
                    raise scanner.error("“images” must be a list", "bad-header")
                self._body = True
                for _ in scanner.elements():
                    pass
            else:
                span = scanner.value()
                found.append((key, span if key in HEADER_KEYS else Span(b"", span.line, 0)))
        if not self._body:
            return
        header = HeaderReader(self.name, self._findings)
        for key, span in found:
            if key in HEADER_KEYS:
                parsed = parse_json(span.raw, Place(self.name, 0, span.line, span.column), key)
                header.take(key, parsed.value, span.line, parsed.problems)
            else:
                header.unknown(key)
        self.header = header.finish()


def _find(text: str, start: int, path: str) -> int:
    """Offset of the value at ``path`` (``metadata.credit``) in the object at ``start``; the
    object itself when it has no such key."""
    for key, offset in _members(text, start):
        if key == path or (field_of(key) == path and key != path):
            return offset
        head, dot, rest = path.partition(".")
        if dot and (key == head or field_of(key) == head) and text[offset : offset + 1] == "{":
            inner = _find(text, offset, rest)
            if inner != offset or path.startswith(PREFIX):
                return inner
    return start


def _members(text: str, start: int) -> Iterator[tuple[str, int]]:
    """(key, offset of its value), as far as the object can be read."""
    decoder = JSONDecoder(strict=False)
    at = _skip(text, start + 1)
    try:
        while text[at] == '"':
            key, at = cast("tuple[str, int]", scanstring(text, at + 1, False))
            at = _skip(text, at)
            if text[at] != ":":
                return
            at = _skip(text, at + 1)
            yield key, at
            _, at = decoder.raw_decode(text, at)
            at = _skip(text, at)
            if text[at] != ",":
                return
            at = _skip(text, at + 1)
    except (IndexError, JSONDecodeError, RecursionError):
        return


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at
