"""EXIF, as far as it is needed: orientation and the three texts an archive finds useful.

Bounded reading of one TIFF directory (TIFF 6.0, Exif 2.32): at most 200 entries, texts of at most
10,000 bytes, no pointers followed but the one to the Exif directory. Never raises.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Literal

XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|(?:\s[^>]{0,200})?>)([1-8])\b""")
_MAX_ENTRIES = 200
_MAX_TEXT = 10_000
_Order = Literal["little", "big"]
_ORIENTATION, _EXIF_DIRECTORY = 0x0112, 0x8769
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
TEXTS: Mapping[int, str] = {
    0x010E: "ImageDescription",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x9003: "DateTimeOriginal",
    0x9011: "OffsetTimeOriginal",
}
"""The tags that ``texts`` reads, IFD0 and Exif directory together."""


def orientation(tiff: bytes) -> int:
    """The orientation 1 to 8 of a TIFF block (without ``Exif\\0\\0``); 0 where it has none."""
    for tag, kind, _, value, order in _entries(tiff, _first(tiff)):
        if tag == _ORIENTATION and kind in (3, 4):
            number = int.from_bytes(value[: _SIZES[kind]], order)
            return number if 1 <= number <= 8 else 0
    return 0


def xmp_orientation(packet: bytes) -> int:
    """The same from an XMP packet, for files that have it nowhere else; 0 where it has none."""
    found = _XMP_ORIENTATION.search(packet)
    return int(found[1]) if found else 0


def texts(tiff: bytes) -> dict[str, str]:
    """The texts of ``TEXTS`` that the block holds, by name, without padding."""
    found: dict[str, str] = {}
    place: int | None = _first(tiff)
    for _ in range(2):
        following = None
        for tag, kind, count, value, order in _entries(tiff, place):
            if tag == _EXIF_DIRECTORY:
                following = int.from_bytes(value, order)
            elif tag in TEXTS and kind == 2:
                text = _text(tiff, count, value, order)
                if text:
                    found.setdefault(TEXTS[tag], text)
        place = following
    return found


def _first(tiff: bytes) -> int | None:
    """Offset of IFD0, or None where this is no TIFF block."""
    if tiff[:4] == b"II*\0":
        return int.from_bytes(tiff[4:8], "little")
    if tiff[:4] == b"MM\0*":
        return int.from_bytes(tiff[4:8], "big")
    return None


def _entries(tiff: bytes, place: int | None) -> Iterator[tuple[int, int, int, bytes, _Order]]:
    """Entries of the directory at ``place``: tag, type, count, the 4 value bytes, byte order."""
    if place is None or place + 2 > len(tiff):
        return
    little = tiff[:2] == b"II"
    order: _Order = "little" if little else "big"
    entry = struct.Struct("<HHI4s" if little else ">HHI4s")
    count = int.from_bytes(tiff[place : place + 2], order)
    for index in range(min(count, _MAX_ENTRIES)):
        start = place + 2 + 12 * index
        if start + 12 > len(tiff):
            return
        yield *entry.unpack_from(tiff, start), order


def _text(tiff: bytes, count: int, value: bytes, order: _Order) -> str:
    if count > 4:
        start = int.from_bytes(value, order)
        value = tiff[start : start + min(count, _MAX_TEXT)]
    raw = value[:count].split(b"\0", 1)[0]
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace").strip()
