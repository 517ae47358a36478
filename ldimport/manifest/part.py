"""One file of a manifest, whatever its format, and its physical lines by number."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from ldimport.errors import ManifestError
from ldimport.manifest.findings import Findings
from ldimport.manifest.kinds import Header
from ldimport.manifest.streams import Position, buffered
from ldimport.model import Entry, Place

_UTF8 = ("utf-8", "utf-8-sig")
_LONGEST = 1 << 20
_KEPT = 256


class Part(ABC):
    """``path`` is read, ``name`` shown; ``names`` are a table's columns, ``header`` is what stands
    beside the entries. ``newline`` decides what a line is, as in ``open``."""

    names: tuple[str, ...] = ()
    newline = "\n"

    def __init__(self, path: str, name: str, encoding: str, findings: Findings) -> None:
        self.path = path
        self.name = name
        self.encoding = encoding
        self.header = Header()
        self.lines = Lines(self._text)
        self._findings = findings

    @abstractmethod
    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every entry; ``first`` is the number of the first one. Raises ManifestError where the
        file cannot be read on."""

    @abstractmethod
    def locate(self, entry: Entry, field: str) -> Place:
        """Where the value of ``field`` begins, behind its quote; the entry's beginning if it has
        none."""

    def close(self) -> None:
        """Close what ``locate`` and ``lines`` keep open; asking again opens it again."""
        self.lines.close()

    def _read_header(self) -> None:  # noqa: B027  lines have none
        """Read what stands beside the entries."""

    def _begin(self) -> None:
        """Raises ManifestError when the header is wrong or there are no entries."""
        self._read_header()
        if next(self.entries(1), None) is None:
            raise ManifestError(f"{self.name} has no entries", code="no-rows")

    def _open(self, position: Position | None = None) -> io.BufferedReader:
        """The content as UTF-8."""
        recode = None if self.encoding in _UTF8 else self.encoding
        watch = None if position is None else lambda _chunk, at: position(at)
        return buffered(self.path, self.name, recode=recode, watch=watch)

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._open(), "utf-8-sig", "replace", newline=self.newline)


class Lines:
    """Random access to lines, cheap when asked in ascending order: one pass serves them all.

    ``opened`` opens the text from its beginning.
    """

    def __init__(self, opened: Callable[[], io.TextIOWrapper]) -> None:
        self._open = opened
        self._text: io.TextIOWrapper | None = None
        self._last = 0
        self._kept: deque[str | None] = deque(maxlen=_KEPT)

    def line(self, number: int) -> str | None:
        """Line ``number`` (from 1) without its break; None behind the end, or if it is longer
        than a million characters."""
        if number < 1:
            return None
        if self._text is None or number <= self._last - len(self._kept):
            self.close()
            self._text = self._open()
        self._skip(number - self._last - _KEPT)
        while self._last < number:
            if not self._advance(self._text):
                return None
        return self._kept[number - self._last - 1]

    def between(self, first: int, last: int) -> Iterator[str]:
        """Lines ``first`` to ``last``, as far as there are any."""
        for number in range(first, last + 1):
            line = self.line(number)
            if line is None:
                return
            yield line

    def close(self) -> None:
        """Close the file; asking for a line opens it again."""
        if self._text is not None:
            self._text.close()
        self._text = None
        self._kept.clear()
        self._last = 0

    def _skip(self, lines: int) -> None:
        """Pass over lines that nobody will ask for, without looking at them."""
        if lines > 0:
            deque(islice(self._text or (), lines), maxlen=0)
            self._kept.clear()
            self._last += lines

    def _advance(self, text: io.TextIOWrapper) -> bool:
        line = whole = text.readline(_LONGEST)
        if not line:
            return False
        while len(whole) == _LONGEST and not whole.endswith(("\n", "\r")):
            whole = text.readline(_LONGEST)  # the rest of a giant is read and dropped
        self._kept.append(line.rstrip("\r\n") if whole is line else None)
        self._last += 1
        return True
