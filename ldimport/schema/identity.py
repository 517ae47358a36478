"""Ids that were met before: exactly, or but for upper and lower case. 16 bytes an id."""

from collections import defaultdict
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

    An entry is a hash (64 bits, 16 of them also choose the bucket), the line (32), 20 bits of the
    exact id's hash and the number of the file (12). The first id of those that are alike but for
    case stands under its folded hash, the others under their own. With five million ids, two that
    differ are taken for the same once in a million runs.
    """

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(_BUCKETS)]
        self._others: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._files: list[str] = []
        self._file: str | None = None
        self._number = 0

    def add(self, text: str, file: str, line: int) -> Met | None:
        """Remember an id; where it was met before, exactly if it was so at all."""
        if self.add_new(text, file, line):
            return None
        folded, exact = hash(text.casefold()), hash(text)
        rest = (exact & 0xFFFFF) << 12 | self._number
        bucket = self._buckets[folded & 0xFFFF]
        if (first := _find(bucket, folded)) is None:
            bucket += _pack(folded, line & 0xFFFFFFFF, rest)
            return None
        other = None
        if first[1] >> 12 != exact & 0xFFFFF:
            bucket = self._others[exact & 0xFFFF]
            if (other := _find(bucket, exact)) is None:
                bucket += _pack(exact, line & 0xFFFFFFFF, rest)
                return Met(self._files[first[1] & _FILES], first[0], exactly=False)
        found = other or first
        return Met(self._files[found[1] & _FILES], found[0], exactly=True)

    def add_new(self, text: str, file: str, line: int) -> bool:
        """Remember an id unless it, or one like it but for case, may have been met before."""
        folded = hash(text.casefold())
        if file != self._file:  # from the 4,095th file on, all count as that one
            self._files.append(file)
            self._file, self._number = file, min(len(self._files) - 1, _FILES)
        entry = _pack(folded, line & 0xFFFFFFFF, (hash(text) & 0xFFFFF) << 12 | self._number)
        bucket = self._buckets[folded & 0xFFFF]
        if entry[:8] in bucket:
            return False
        bucket += entry
        return True


class Unique(Seen):
    """Of ids that are known to be unique none is remembered."""

    def __init__(self) -> None:
        """Nothing is needed."""

    def add(self, text: str, file: str, line: int) -> Met | None:
        """None: it is the first of its kind."""
        return None

    def add_new(self, text: str, file: str, line: int) -> bool:
        """It is."""
        return True


def _find(bucket: bytearray, wanted: int) -> tuple[int, int] | None:
    """Line and rest of the entry with this hash."""
    at = bucket.find(_pack(wanted, 0, 0)[:8])
    while at > 0 and at % _ENTRY.size:
        at = bucket.find(_pack(wanted, 0, 0)[:8], at + 1)
    return None if at < 0 else _unpack(bucket, at)[1:]
