"""JSON: an array of entries, the API's request body, or single objects.

The end of a value is found by one regular expression, without parsing it; each value is then
parsed by itself, and errors stay in their entry. Why not a streaming parser: none says in which
line an entry stands, yajl turns half surrogates into question marks, and one bad entry ends them
all.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, NamedTuple

import orjson

from ldimport.errors import ManifestError
from ldimport.manifest.kinds import Detected, Findings, RowProblems
from ldimport.manifest.objects import HEADER_KEYS, HeaderKey, ObjectBuilder, ObjectPart, read_header
from ldimport.manifest.roots import Lists, below, chosen, collect, is_image, place_of
from ldimport.manifest.streams import CHUNK, Position, SourceFile
from ldimport.manifest.texts import parse_json, quick_json, surely_composed, what_stands
from ldimport.model import Entry, Json, Place

LARGEST = 16 * CHUNK
"""No value may be larger: a request may have 480 kB."""
_AHEAD = 128
_SHOWN = 64
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_OTHER = rb'[^"\[\]{}]*+'
_NESTED = rb"(?!)"
for _ in range(6):
    _NESTED = (
        rb"[\[{]" + _OTHER + rb"(?:(?:" + _STRING + rb"|" + _NESTED + rb")" + _OTHER + rb")*+[\]}]"
    )
_FOLLOWING = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+(" + _NESTED + rb")", re.DOTALL)
_WHOLE = re.compile(_NESTED, re.DOTALL)
_TEXT = re.compile(_STRING, re.DOTALL)
_SCALAR = re.compile(rb'[^\s,:"\[\]{}]++')
_BRACKETS = re.compile(_STRING + rb"|[\[\]{}]|\"", re.DOTALL)


_COMMENT = re.compile(rb"(?:^|[,{\[])\s*(?://|/\*|#)", re.MULTILINE)
_APART = "give the files one by one: ldimport validate one.json two.json"


class Span(NamedTuple):
    """The bytes of one value, and the line and column (characters) it begins at."""

    raw: bytes
    line: int
    column: int


@dataclass(slots=True)
class _Search:
    """The end of a value by counting brackets: for what is nested deeper than the expression
    goes, or is not all there. Goes on where it was when more has been read."""

    passed: int = 0
    depth: int = 0

    def end(self, data: bytes, start: int) -> int | None:
        """The end of the value at ``start``, None if it is not in ``data``."""
        for match in _BRACKETS.finditer(data, start + self.passed):
            sign = match[0]
            if sign == b'"':
                self.passed = match.start() - start
                return None  # a text that is not all there
            closing = sign in (b"}", b"]")
            self.depth += (sign in (b"{", b"[")) - closing
            if closing and not self.depth:
                return match.end()
        self.passed = len(data) - start
        return None


class Scanner:
    """Steps through a document value by value; keeps no more than one value in memory.
    ``pieces`` are its bytes, the first of which stands at ``line`` and ``column``."""

    def __init__(self, pieces: Iterator[bytes], name: str, line: int = 1, column: int = 1) -> None:
        self._pieces = pieces
        self._name = name
        self._data = next(pieces, b"")
        self._at = 0
        self._line = line
        self._known = 0  # where column was counted up to
        self._column = column
        if self._data.startswith(b"\xef\xbb\xbf"):
            self._at = self._known = 3

    def peek(self) -> bytes:
        """The next character that is not blank, as one byte; empty at the end."""
        while True:
            match = _SPACE.match(self._data, self._at)
            assert match is not None
            self._advance(match.end())
            if self._at < len(self._data) or not self._more():
                return self._data[self._at : self._at + 1]

    def take(self, wanted: bytes) -> bool:
        """Step over ``wanted`` (one character) if it comes next."""
        if self.peek() != wanted:
            return False
        self._advance(self._at + 1)
        return True

    def value(self) -> Span:
        """The next value, whatever it is. Raises ManifestError when the file ends in it, or
        nothing that could be a value comes."""
        if (first := self.peek()) in (b"/", b"#", b"'"):
            raise self.unexpected("a value must stand here")
        line, column = self.place()
        search = _Search()
        while (end := self._end(first, search)) is None:
            if len(self._data) - self._at > LARGEST:
                raise self.error("this entry is larger than 16 MB; no request may be", "too-large")
            if not self._more():
                text = "the file ends in the middle of this entry"
                if _COMMENT.search(self._data, self._at):
                    text += "; or a comment in it hides its end: JSON has none"
                raise self.error(text, "cut-off")
        raw = self._data[self._at : end]
        self._advance(end)
        return Span(raw, line, column)

    def holds_value(self) -> bool:
        """Whether the whole of the list or object that comes next is in memory."""
        self.peek()
        return _WHOLE.match(self._data, self._at) is not None

    def elements(self) -> Iterator[Span]:
        """The values of the array that comes next."""
        yield from self._items(b"[", b"]")

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; the caller takes each value in between."""
        for span in self._items(b"{", b"}"):
            key = None
            with suppress(orjson.JSONDecodeError):
                key = orjson.loads(span.raw)
            if not isinstance(key, str) or not self.take(b":"):
                raise self.unexpected("a key in quotes and a colon must stand here")
            yield key

    def _items(self, opening: bytes, closing: bytes) -> Iterator[Span]:
        self.take(opening)
        if self.take(closing):
            return
        yield self.value()
        while True:
            while match := _FOLLOWING.match(self._data, self._at):  # nearly always
                self._advance(match.start(1))
                span = Span(match[1], self._line, self._here())
                self._advance(match.end())
                yield span
            if self.take(closing):
                return
            if not self.take(b","):
                last = closing.decode()
                if not self.peek():
                    raise self.error(f"the file ends before its closing “{last}”", "cut-off")
                raise self.unexpected(f"“,” or “{last}” must stand here")
            if self.peek() == closing:
                message = f"a comma stands before the closing “{closing.decode()}”"
                raise self.error(message, "bad-json", "take the comma away")
            yield self.value()

    def place(self) -> tuple[int, int]:
        """Line and column (characters) reached."""
        return self._line, self._here()

    def error(self, message: str, code: str, hint: str = "") -> ManifestError:
        """An error about the place reached."""
        where = f"{self._name}:{self._line}:{self._here()}"
        hint = hint or "the rest of the file cannot be read; repair it there, or export it again"
        return ManifestError(f"{where}: {message}", hint=hint, code=code)

    def unexpected(self, otherwise: str) -> ManifestError:
        """The error about what comes next, which cannot be read: what it is, where that is plain,
        else the words given."""
        self.peek()
        found = what_stands(self._data[self._at - 1 :][:1], self._data[self._at :][:_SHOWN])
        message, hint = found or (otherwise, "")
        return self.error(message, "bad-json", hint)

    def behind(self, read: bytes) -> ManifestError:
        """The error about what follows the end of the document, which began with ``read``."""
        following = self.peek()
        if following in (b"[", b"{"):
            what = "list" if following == b"[" else "object"
            again = f"a second {what} begins here, behind the end of the first"
            return self.error(f"{again}: two files joined?", "joined-files", _APART)
        if not read and following == b'"':
            message = "the file is one text, which holds JSON: it was encoded twice"
            return self.error(message, "bad-json", "write what the text holds into the file")
        if following == b",":
            message = "a comma stands here, outside of any list"
            return self.error(message, "bad-json", "take it away, or put [ ] around all entries")
        text = self._data[self._at :][:_SHOWN].decode("utf-8", "replace").splitlines()[0]
        otherwise = f"this follows the end of the list: “{text[:40]}”; two files joined?"
        return self.unexpected(otherwise if read else "JSON begins with [ or {")

    def _end(self, first: bytes, search: _Search) -> int | None:
        """Where the value at hand ends, or None when it is not all there yet."""
        if first in (b"{", b"["):
            match = None if search.passed else _WHOLE.match(self._data, self._at)
            return match.end() if match else search.end(self._data, self._at)
        text = first == b'"'
        match = (_TEXT if text else _SCALAR).match(self._data, self._at)
        if match is None and first and not text:
            raise self.unexpected("a value must stand here")
        # at the end of the data a scalar may go on, unless the file ends with it
        if match and (text or match.end() < len(self._data) or not self._more()):
            return match.end()
        return None

    def _more(self) -> bool:
        """Read on; what was stepped over is dropped."""
        piece = next(self._pieces, b"")
        if piece:
            self._here()
            self._data = self._data[self._at :] + piece
            self._at = self._known = 0
        return bool(piece)

    def _advance(self, end: int) -> None:
        """Step to ``end``, counting lines on the way."""
        breaks = self._data.count(b"\n", self._at, end)
        if breaks:
            self._line += breaks
            self._known = self._data.rindex(b"\n", self._at, end) + 1
            self._column = 1
        self._at = end

    def _here(self) -> int:
        """The column reached, in characters; counted only when it is asked for."""
        passed = self._data[self._known : self._at]
        self._column += len(passed) if passed.isascii() else len(passed.decode("utf-8", "replace"))
        self._known = self._at
        return self._column


class JsonFile(ObjectPart):
    """What JSON documents and JSON Lines have in common; ``_most_lines`` of an entry behind its
    first one are searched for a value."""

    _most_lines = 5_000

    def __init__(self, source: SourceFile, detected: Detected, findings: Findings) -> None:
        super().__init__(source, detected, findings)
        self._build = ObjectBuilder(findings, source.name, textual=False)
        self._begin()

    def cells(self, fields: Collection[str]) -> Iterator[tuple[str, Counter[str]]]:
        """None."""
        return iter(())

    def _start(self, place: Place, field: str) -> tuple[int, int] | None:
        column = max(place.column, 1)
        record = self._pieces_from(place.line, column)
        with suppress(ManifestError):  # the object is broken from here on
            return place_of(Scanner(record, self.name, place.line, column), self._named(field))
        return None

    def _pieces_from(self, first: int, column: int) -> Iterator[bytes]:
        """Few lines at a time, since reading ahead would have to be undone for the next entry, and
        more as more have passed: the scanner looks at a long value again with each piece."""
        passed, piece, started = 0, b"", first
        for number, line in enumerate(self.lines.between(first, first + self._most_lines), first):
            text = line if number > first else line[column - 1 :]
            piece += f"{text}\n".encode("utf-8", "replace")
            if len(piece) >= passed or number - started >= _AHEAD:
                yield piece
                passed, piece, started = passed + len(piece), b"", number
        yield piece

    def _entry(self, raw: bytes, place: Place) -> Entry:
        """The entry in ``raw``, which may be anything."""
        composed = b"\\u" not in raw and b"\\r" not in raw and surely_composed(raw)
        problems = RowProblems(place)
        found: Json = quick_json(raw)
        if found is None:
            found = parse_json(raw, problems, "")
            self._build.check_numbers(found, problems)
        return self._build(found, problems, nfc_already=composed)


class JsonDocument(JsonFile):
    """An array of entries, a request body with ``images``, a list below other keys (``_root``), or
    objects one after the other."""

    _body = False
    _root: str | None = None

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every element. Raises ManifestError where the document itself is broken."""
        with self._open(position) as stream:
            for row, span in enumerate(self._spans(self._scanner(stream)), first):
                yield self._entry(span.raw, Place(self.name, row, span.line, span.column))

    def _scanner(self, stream: BinaryIO) -> Scanner:
        return Scanner(iter(partial(stream.read, CHUNK), b""), self.name)

    def _spans(self, scanner: Scanner) -> Iterator[Span]:
        first = scanner.peek() if scanner.peek() in (b"[", b"{") else b""
        if self._root is not None:
            yield from below(scanner, self._root)
        elif self._body:
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
            raise scanner.behind(first)

    def _begin(self) -> None:
        found: list[tuple[str, Span]] = []
        lists: Lists = {}
        mapping = self._findings.columns
        wanted = mapping.root
        with self._open() as stream:
            scanner = self._scanner(stream)
            if whole := scanner.peek() == b"{":
                found = list(self._beside_images(scanner, lists))
                whole = not scanner.peek()
        alone = whole and not self._body and not is_image((key for key, _ in found), mapping)
        if wanted or alone:
            self._root = chosen(lists, wanted, self.name)
        if self._root and not wanted:
            self._findings.notice("root", f"{self.name}: the images stand below “{self._root}”")
        keys = (self._header_key(key, span) for key, span in found if self._body)
        self.header = read_header(self.name, self._findings, () if self._root else keys)
        self.root = self._root or ("images" if self._body else "")
        super()._begin()

    def _header_key(self, key: str, span: Span) -> HeaderKey:
        problems = RowProblems(Place(self.name, 0, span.line, span.column))
        value = parse_json(span.raw, problems, key) if span.raw else None
        return key, value, span.line, problems[0].message if problems else ""

    def _beside_images(self, scanner: Scanner, lists: Lists) -> Iterator[tuple[str, Span]]:
        """What stands beside ``images``, wherever ``images`` stands; ``lists`` are noted."""
        for key in scanner.members():
            if key == "images" and self._findings.columns.root is None:
                if scanner.peek() != b"[":
                    raise scanner.error("“images” must be a list", "bad-header")
                self._body = True
                for _ in scanner.elements():
                    pass
            elif key in HEADER_KEYS:
                yield key, scanner.value()
            else:
                line, _ = scanner.place()
                collect(scanner, key, lists)
                yield key, Span(b"", line, 0)
