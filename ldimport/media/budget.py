"""Bombs: a few bytes that ask for gigabytes. One counter says how much may come out of them."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from ldimport.causes import Cause
from ldimport.errors import Rejected


@dataclass(slots=True)
class Budget:
    """At most ``left`` bytes or characters; who asks for more is refused with ``why`` and
    ``reason``, and from then on everybody."""

    left: int
    why: Cause
    reason: str

    def spend(self, size: int) -> None:
        """Take ``size`` out, before or as it is made. Raises Rejected."""
        if size > self.left:
            self.left = 0
            raise Rejected(self.why, self.reason)
        self.left -= size


class Inflated:
    """A zlib stream in ``pieces``, inflated within ``budget`` and in flat memory. Reading raises
    zlib.error for what is none."""

    def __init__(self, pieces: Iterable[bytes], budget: Budget) -> None:
        self._pieces = iter(pieces)
        self._budget = budget
        self._inflate = zlib.decompressobj()
        self._pending = b""

    @property
    def ended(self) -> bool:
        """Whether the stream came to its end, its checksum being right."""
        return self._inflate.eof

    def read(self, limit: int) -> bytes:
        """At most ``limit`` bytes; empty at the end of the stream or of its data."""
        while True:
            raw = self._inflate.decompress(self._pending, limit)
            self._pending = self._inflate.unconsumed_tail
            if raw or self._inflate.eof:
                self._budget.spend(len(raw))
                return raw
            following = next(self._pieces, None)
            if following is None:
                return b""
            self._pending = following
