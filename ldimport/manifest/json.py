"""JSON: an array of entries, the API's request body, single objects, or JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from ldimport.errors import ManifestError
from ldimport.manifest.fields import PREFIX, field_of
from ldimport.manifest.jsonscan import LARGEST, Scanner, Span
from ldimport.manifest.jsontext import parse_json, quick_json
from ldimport.manifest.kinds import Findings, RowProblems
from ldimport.manifest.normalise import surely_composed
from ldimport.manifest.objects import HEADER_KEYS, HeaderReader, ObjectBuilder
from ldimport.manifest.streams import CHUNK, Part, Position
from ldimport.model import Entry, Json, Place

_LOCATE_LINES = 5_000


class _JsonFile(Part):
    """What JSON documents and JSON Lines have in common."""

    def __init__(self, path: str, name: str, encoding: str, findings: Findings) -> None:
        super().__init__(path, name, encoding, findings)
        self._build = ObjectBuilder(findings, name, textual=False)
        self._begin()

    def locate(self, entry: Entry, field: str) -> Place:
        """Where the value of ``field`` begins; the entry's beginning if it has none."""
        place = entry.place
        column = max(place.column, 1)
        record = self._pieces_from(place.line, column)
        try:
            scanner = Scanner(record, self.name, place.line, column)
            found = _find(scanner, self._findings.columns.columns.get(field, field))
        except ManifestError:  # the object is broken from here on
            found = None
        return place if found is None else Place(place.file, place.row, *found)

    def _pieces_from(self, first: int, column: int) -> Iterator[bytes]:
        """Line after line: reading ahead would have to be undone for the next entry."""
        for number, line in enumerate(self.lines.between(first, first + _LOCATE_LINES)):
            text = line if number else line[column - 1 :]
            yield f"{text}\n".encode("utf-8", "replace")

    def _entry(self, raw: bytes, place: Place) -> Entry:
        """The entry in ``raw``, which may be anything."""
        composed = b"\\u" not in raw and surely_composed(raw)
        problems = RowProblems(place)
        found: Json = quick_json(raw)
        if found is None:
            found = parse_json(raw, problems, "")
            self._build.check_numbers(found, problems)
        return self._build(found, problems, nfc_already=composed)


class JsonLines(_JsonFile):
    """One entry a line; blank lines are skipped."""

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every line. Raises ManifestError for a line of more than 16 MB."""
        row = first
        with self._open(position) as stream:
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

    _body = False

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every element. Raises ManifestError where the document itself is broken."""
        with self._open(position) as stream:
            for row, span in enumerate(self._spans(self._scanner(stream)), first):
                yield self._entry(span.raw, Place(self.name, row, span.line, span.column))

    def _scanner(self, stream: BinaryIO) -> Scanner:
        return Scanner(iter(partial(stream.read, CHUNK), b""), self.name)

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

    def _read_header(self) -> None:
        with self._open() as stream:
            scanner = self._scanner(stream)
            if scanner.peek() == b"{":
                self._read_body(scanner)

    def _read_body(self, scanner: Scanner) -> None:
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
            problems = RowProblems(Place(self.name, 0, span.line, span.column))
            header.take(key, parse_json(span.raw, problems, key), span.line, problems)
        self.header = header.finish()


def _find(scanner: Scanner, path: str) -> tuple[int, int] | None:
    """Line and column of the value at ``path`` (``metadata.credit``) in the object that comes
    next; None when it has no such key."""
    head, dot, rest = path.partition(".")
    for key in scanner.members():
        first, place = scanner.peek(), scanner.place()
        if path in (key, field_of(key)):
            return place[0], place[1] + (first == b'"')
        if dot and head in (key, field_of(key)) and first == b"{":
            found = _find(scanner, rest)
            if found is not None or path.startswith(PREFIX):
                return found or place
        else:
            scanner.value()
    return None
