"""Ids that were met before: exactly, or but for upper and lower case. 16 bytes an id."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

_BUCKETS = 1 << 16
_KEY, _ENTRY = 6, 16
_48, _32 = (1 << 48) - 1, (1 << 32) - 1
_REST = Struct(">IIH")
_pack, _unpack = _REST.pack, _REST.unpack_from


@dataclass(frozen=True, slots=True)
class Met:
    """Where an id was met first; ``exactly``: the same text, not only but for case."""

    file: str
    line: int
    exactly: bool


class Seen:
    """Remembers ids by hashes, with the line and file of each.

    An entry is 48 bits of the folded id's hash (16 more choose the bucket), 32 bits of the exact
    id's, 32 of its line and 16 of its file. With five million ids, two that differ are taken for
    the same once in a million runs.
    """

    def __init__(self) -> None:
        self._buckets: list[bytearray | None] = [None] * _BUCKETS
        self._files: list[str] = []
        self._file: str | None = None

    def add(self, text: str, file: str, line: int) -> Met | None:
        """Remember an id; where it was met before, exactly if it was so at all."""
        folded = hash(text.casefold())
        key = ((folded >> 16) & _48).to_bytes(_KEY)
        bucket = self._bucket(folded & 0xFFFF)
        met = self._find(bucket, key, text) if key in bucket else None
        bucket += key + self._entry(text, file, line)
        return met

    def add_new(self, text: str, file: str, line: int) -> bool:
        """Remember an id unless it, or one like it but for case, may have been met before."""
        folded = hash(text.casefold())
        key = ((folded >> 16) & _48).to_bytes(_KEY)
        bucket = self._bucket(folded & 0xFFFF)
        if key in bucket:
            return False
        bucket += key + self._entry(text, file, line)
        return True

    def _bucket(self, number: int) -> bytearray:
        bucket = self._buckets[number]
        if bucket is None:
            bucket = self._buckets[number] = bytearray()
        return bucket

    def _entry(self, text: str, file: str, line: int) -> bytes:
        if file != self._file:
            self._files.append(file)
            self._file = file
        at = len(self._files) - 1
        return _pack(hash(text) & _32, line & _32, min(at, 0xFFFF))

    def _find(self, bucket: bytearray, key: bytes, text: str) -> Met | None:
        other: Met | None = None
        for start in range(0, len(bucket), _ENTRY):
            if bucket[start : start + _KEY] != key:
                continue
            exact, line, file = _unpack(bucket, start + _KEY)
            met = Met(self._files[file], line, exact == hash(text) & _32)
            if met.exactly:
                return met
            other = other or met
        return other
