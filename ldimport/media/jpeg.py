"""JPEG structure (ITU-T T.81): markers from SOI to EOI, found by one regex; nothing is decoded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media import exif

MAX_SCANS = 500
"""Progressive files of the wild have about ten; thousands are a decompression bomb."""
MAX_SEGMENTS = 20_000
"""A file at the byte limit, made of the largest segments alone, has some 230."""

Buffer = bytes | memoryview

_START = re.compile(rb"\xff\xd8(?:\xff|[^\xff]{1,64}\xff[\xc0-\xcf\xd8-\xfe])")
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker that is neither a stuffed zero, a restart nor a fill byte: what ends a scan."""

_TEM, _SOI, _EOI, _SOS = 0x01, 0xD8, 0xD9, 0xDA
_BARE = frozenset({_TEM, _SOI, _EOI})
_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xCB})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_NOT_ACCEPTED = {0xF7: ("jpeg-ls", "JPEG-LS is not accepted: png, jpg, gif, svg")} | dict.fromkeys(
    (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF),
    ("hierarchical-jpeg", "hierarchical JPEG is not accepted"),
)
_OTHER = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})  # DHT, DAC, DQT, DNL, DRI
_TEXTS = frozenset({*range(0xE0, 0xF0), 0xFE})  # APPn, COM
_EXIF = b"Exif\0"


@dataclass(frozen=True, slots=True)
class Jpeg:
    """What the frame header says. ``lossless`` ones cannot be decoded at reduced scale; ``stray``
    says that bytes which belong to nothing stand between segments."""

    width: int
    height: int
    lossless: bool
    orientation: int
    stray: bool


def begins(data: bytes) -> bool:
    """Whether this begins like a JPEG; a few stray bytes may stand before the first segment."""
    return _START.match(data) is not None


def walk(data: bytes) -> Jpeg:
    """Walk all markers to EOI. Raises Rejected ``truncated``, ``corrupt``, ``…-not-accepted`` or
    ``too-complex``. At an impossible length in a comment or APPn segment the walk goes on at the
    next marker, as decoders do."""
    frame: tuple[int, int, bool] | None = None
    orientation = scans = segments = 0
    stray, behind = False, 2
    for marker, start, end in _segments(data):
        segments += 1
        begin = start - (2 if marker in _BARE else 4)
        stray = stray or (begin > behind and bool(data[behind:begin].strip(b"\xff")))
        behind = len(data) if marker == _SOS else max(start, end)
        if segments > MAX_SEGMENTS:
            raise Rejected(Cause.TOO_COMPLEX, f"the JPEG has more than {MAX_SEGMENTS:,} segments")
        if marker == _EOI:
            break
        if marker == _SOI:
            raise Rejected(Cause.CORRUPT, "damaged JPEG: a second image begins inside the first")
        if marker == _TEM:
            continue
        if not start <= end <= len(data):
            if marker not in _TEXTS:
                raise _no_end(marker, end < start)
        elif marker == 0xE1 and not orientation and data.startswith(_EXIF, start):
            orientation = exif.orientation(data[start + 6 : end])
        elif marker in _SOF:
            frame = _frame(data[start:end], marker, frame)
        elif marker == _SOS:
            scans = _count_scan(scans, frame)
        elif marker not in _OTHER and marker not in _TEXTS:
            raise _unknown(marker)
    else:
        raise Rejected(Cause.TRUNCATED, "the JPEG ends before its end marker: the file is cut off")
    if frame is None or not scans:
        raise Rejected(Cause.CORRUPT, "the JPEG holds no picture data")
    return Jpeg(*frame, orientation or 1, stray)


def _segments(data: Buffer) -> Iterator[tuple[int, int, int]]:
    """Every marker with start and end of its body; behind one whose end is impossible the search
    goes on at once. A marker without a body ends where it starts."""
    position, find = 2, _MARKER.search
    while found := find(data, position):
        position = start = end = found.end()
        marker = data[start - 1]
        if marker not in _BARE:
            start, end = start + 2, start + int.from_bytes(data[start : start + 2], "big")
            if start <= end <= len(data):
                position = end
        yield marker, start, end


def _no_end(marker: int, impossible: bool) -> Rejected:
    if impossible:
        return Rejected(Cause.CORRUPT, f"damaged JPEG: segment {marker:02X} has no valid length")
    return Rejected(Cause.TRUNCATED, f"the JPEG ends inside segment {marker:02X}: it is cut off")


def _frame(header: bytes, marker: int, earlier: object) -> tuple[int, int, bool]:
    """Width, height and losslessness of a frame header (T.81 B.2.2)."""
    if earlier is not None:
        raise Rejected(Cause.CORRUPT, "damaged JPEG: it has two frame headers")
    if len(header) < 6 or header[5] < 1 or len(header) != 6 + 3 * header[5]:
        raise Rejected(Cause.CORRUPT, "damaged JPEG: its frame header has the wrong length")
    height = int.from_bytes(header[1:3], "big")
    width = int.from_bytes(header[3:5], "big")
    if header[0] != 8:
        reason = f"JPEG with {header[0]} bits a colour is not accepted: browsers cannot show it"
        raise Rejected(Cause.FORMAT_NOT_ACCEPTED.with_(format="deep-jpeg"), reason)
    if not width or not height:
        raise Rejected(Cause.CORRUPT, f"the JPEG says it is {width} x {height} pixels")
    return width, height, marker in _LOSSLESS


def _count_scan(scans: int, frame: object) -> int:
    if frame is None:
        raise Rejected(Cause.CORRUPT, "damaged JPEG: picture data comes before the frame header")
    if scans >= MAX_SCANS:
        raise Rejected(Cause.TOO_COMPLEX, f"the JPEG has more than {MAX_SCANS} scans")
    return scans + 1


def _unknown(marker: int) -> Rejected:
    if marker in _NOT_ACCEPTED:
        name, reason = _NOT_ACCEPTED[marker]
        return Rejected(Cause.FORMAT_NOT_ACCEPTED.with_(format=name), reason)
    return Rejected(Cause.CORRUPT, f"damaged JPEG: unknown marker {marker:02X}")


def plain(data: Buffer) -> tuple[int, int, str] | None:
    """Width, height and a colour space to decode into: grey where that leaves nothing unread. None
    if decoders might not agree about the header: a segment that is not whole or not right behind
    the one before, a rare kind of frame, colours finer than the first of them."""
    behind, found = 2, None
    for marker, start, end in _segments(data):
        if marker in _BARE or not start <= end <= len(data) or start - 4 != behind:
            return None
        if marker == _SOS:
            return found
        behind = end
        if marker in _SOF:
            if found or marker in _LOSSLESS:
                return None
            found = _space(bytes(data[start:end]))
    return None


def _space(header: bytes) -> tuple[int, int, str] | None:
    """What ``plain`` says, from the frame header."""
    if len(header) < 6 or header[0] != 8 or len(header) != 6 + 3 * header[5]:
        return None
    height, width, colours = int.from_bytes(header[1:3]), int.from_bytes(header[3:5]), header[5]
    finest, *others = ((each >> 4, each & 15) for each in header[7::3])
    whole = all(h and v and not finest[0] % h and not finest[1] % v for h, v in others)
    space = {1: "L", 3: "L" if whole else None, 4: "CMYK"}.get(colours)
    return (width, height, space) if space and width and height else None


def for_decoder(data: bytes) -> bytes:
    """The same picture with the first of its EXIF segments alone, and no stray bytes before its
    first segment. Never raises."""
    kept, position, first = [], 0, True
    if (found := _MARKER.search(data, 2)) and found.start() > 2:
        kept, position = [data[:2]], found.start()
    for marker, start, end in _segments(data):
        if marker == 0xE1 and start <= end <= len(data) and data.startswith(_EXIF, start):
            if not first:
                kept.append(data[position : start - 4])
                position = end
            first = False
    return b"".join([*kept, data[position:]])


def metadata_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The APPn and COM segments before the first scan, as (marker, body); ends at the first thing
    that is not as it should be. Never raises."""
    for marker, start, end in _segments(data):
        if marker in (_SOS, _EOI):
            return
        if marker in _TEXTS and start <= end <= len(data):
            yield marker, data[start:end]
