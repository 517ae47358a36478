"""Ids that were met before: exactly, or but for upper and lower case. 16 bytes an id."""

from dataclasses import dataclass
from struct import Struct

_BUCKETS = 1 << 16
_FILES = (1 << 12) - 1
_ENTRY = Struct("<qII")
_pack, _unpack = _ENTRY.pack, _ENTRY.unpack_from


@dataclass(frozen=True, slots=True)
class Met:
    """Where an id was met first; ``exactly``: the same text, not only but for case."""

    file: str
    line: int
    exactly: bool


class Seen:
    """Remembers ids by hashes, with the line and file of each.

    An entry is the folded id's hash (64 bits, 16 of them also choose the bucket), the line (32),
    20 bits of the exact id's hash and the number of the file (12). With five million ids, two
    that differ are taken for the same once in a million runs.
    """

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(_BUCKETS)]
        self._files: list[str] = []
        self._file: str | None = None
        self._number = 0

    def add(self, text: str, file: str, line: int) -> Met | None:
        """Remember an id; where it was met before, exactly if it was so at all."""
        if self.add_new(text, file, line):
            return None
        folded = hash(text.casefold())
        bucket = self._buckets[folded & 0xFFFF]
        met = self._find(bucket, folded, text)
        if met is None or not met.exactly:  # once is enough, or a million equal ids cost hours
            rest = (hash(text) & 0xFFFFF) << 12 | self._number
            bucket += _pack(folded, line & 0xFFFFFFFF, rest)
        return met

    def add_new(self, text: str, file: str, line: int) -> bool:
        """Remember an id unless it, or one like it but for case, may have been met before."""
        folded = hash(text.casefold())
        if file != self._file:
            self._next_file(file)
        entry = _pack(folded, line & 0xFFFFFFFF, (hash(text) & 0xFFFFF) << 12 | self._number)
        bucket = self._buckets[folded & 0xFFFF]
        if entry[:8] in bucket:
            return False
        bucket += entry
        return True

    def _next_file(self, file: str) -> None:
        """From the 4,095th file on, all count as that one."""
        self._files.append(file)
        self._file = file
        self._number = min(len(self._files) - 1, _FILES)

    def _find(self, bucket: bytearray, folded: int, text: str) -> Met | None:
        other: Met | None = None
        for start in range(0, len(bucket), _ENTRY.size):
            found, line, rest = _unpack(bucket, start)
            if found != folded:
                continue
            met = Met(self._files[rest & _FILES], line, rest >> 12 == hash(text) & 0xFFFFF)
            if met.exactly:
                return met
            other = other or met
        return other
