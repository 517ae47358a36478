"""Where the values of a JSON document begin and end, without parsing them.

Why not a streaming parser: none says in which line an entry stands, yajl turns half surrogates
into question marks, and one bad entry ends them all. Finding the end of a value takes one regular
expression; each value is then parsed by itself, and errors stay in their entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from ldimport.errors import ManifestError
from ldimport.manifest.streams import CHUNK

LARGEST = 16 * CHUNK
"""No value may be larger: a request may have 480 kB."""
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
            if sign in (b"{", b"["):
                self.depth += 1
            elif sign in (b"}", b"]"):
                self.depth -= 1
                if not self.depth:
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
            if match.end() > self._at:
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
        first = self.peek()
        line, column = self.place()
        search = _Search()
        while True:
            end = self._end(first, search)
            if end is not None:
                break
            if len(self._data) - self._at > LARGEST:
                raise self.error("this entry is larger than 16 MB; no request may be", "too-large")
            if not self._more():
                raise self.error("the file ends in the middle of this entry", "cut-off")
        raw = self._data[self._at : end]
        self._advance(end)
        return Span(raw, line, column)

    def elements(self) -> Iterator[Span]:
        """The values of the array that comes next."""
        yield from self._items(b"[", b"]")

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; the caller takes each value in between."""
        for span in self._items(b"{", b"}"):
            try:
                key = orjson.loads(span.raw)
            except orjson.JSONDecodeError:
                key = None
            if not isinstance(key, str) or not self.take(b":"):
                raise self.error("a key in quotes and a colon must stand here", "bad-json")
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
                raise self.error(f"“,” or “{last}” must stand here", "bad-json")
            yield self.value()

    def place(self) -> tuple[int, int]:
        """Line and column (characters) reached."""
        return self._line, self._here()

    def error(self, message: str, code: str) -> ManifestError:
        """An error about the place reached."""
        where = f"{self._name}:{self._line}:{self._here()}"
        hint = "the rest of the file cannot be read; repair it there, or export it again"
        return ManifestError(f"{where}: {message}", hint=hint, code=code)

    def _end(self, first: bytes, search: _Search) -> int | None:
        """Where the value at hand ends, or None when it is not all there yet."""
        if first in (b"{", b"["):
            match = None if search.passed else _WHOLE.match(self._data, self._at)
            return match.end() if match else search.end(self._data, self._at)
        if first == b'"':
            match = _TEXT.match(self._data, self._at)
            return match.end() if match else None
        match = _SCALAR.match(self._data, self._at)
        if match is None:
            if first:
                raise self.error("a value must stand here", "bad-json")
            return None
        end = match.end()  # at the end of the data it may go on, unless the file ends with it
        return end if end < len(self._data) or not self._more() else None

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
