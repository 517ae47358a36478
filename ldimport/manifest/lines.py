"""Physical lines by number, for carets and for scanning one record again."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

_LONGEST = 1 << 20
_KEPT = 256


class Lines:
    """Random access to lines, cheap when asked in ascending order: one pass serves them all.

    ``opened`` opens the text from its beginning; its ``newline`` decides what a line is.
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
            self._restart()
        self._skip(number - self._last - _KEPT)
        while self._last < number:
            if not self._advance():
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

    def _restart(self) -> None:
        self.close()
        self._text = self._open()

    def _skip(self, lines: int) -> None:
        """Pass over lines that nobody will ask for, without looking at them."""
        if lines > 0:
            deque(islice(self._text or (), lines), maxlen=0)
            self._kept.clear()
            self._last += lines

    def _advance(self) -> bool:
        assert self._text is not None
        line = self._text.readline(_LONGEST)
        if not line:
            return False
        whole = line
        while len(whole) == _LONGEST and not whole.endswith(("\n", "\r")):
            whole = self._text.readline(_LONGEST)  # the rest of a giant is read and dropped
        self._kept.append(line.rstrip("\r\n") if whole is line else None)
        self._last += 1
        return True
