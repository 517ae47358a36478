"""EXIF (TIFF 6.0, EXIF 2.32) without a decoder, in bounded steps: which way up an image is, which
structure needs, and its texts. Pillow gives the same for all 178 files with EXIF of the corpora, in
290 µs a file instead of 22 (170 ms instead of 0.1 for a directory of 65,535 entries)."""

import re
import struct
from collections.abc import Mapping
from typing import Literal

_IN_XMP = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|(?:\s[^>]{0,200})?>)([1-8])\b""")
_MAX_PACKET = 65_536
_MAX_ENTRIES = 200
_MAX_TEXT = 10_000
_INSIDE, _LEAD = bytes(range(0x80, 0xC0)), bytes(range(0xC0, 0x100))
"""Bytes that go on with a letter of UTF-8, and that begin one."""
_ORIENTATION, _EXIF_DIRECTORY = 0x0112, 0x8769
_ASCII, _SHORT, _LONG = 2, 3, 4
_TEXTS = {0x010E: "ImageDescription", 0x013B: "Artist", 0x8298: "Copyright",
          0x9003: "DateTimeOriginal", 0x9011: "OffsetTimeOriginal"}  # fmt: skip


def orientation(tiff: bytes) -> int:
    """The orientation 1 to 8 of a TIFF block (EXIF without ``Exif\\0\\0``); 0 where it has none."""
    kind, _, value = _tags(tiff, tiff[4:8]).get(_ORIENTATION, (0, 0, b""))
    number = int.from_bytes(value[: {_SHORT: 2, _LONG: 4}.get(kind, 0)], _order(tiff))
    return number if 1 <= number <= 8 else 0


def orientation_of_xmp(packet: bytes) -> int:
    """The same from an XMP packet, for files that have it nowhere else; 0 where it has none, or
    not near its beginning."""
    found = _IN_XMP.search(packet[:_MAX_PACKET])
    return int(found[1]) if found else 0


def texts(tiff: bytes) -> Mapping[str, bytes]:
    """The texts of a TIFF block that metadata fields are filled from, by the name of their tag."""
    tags = _tags(tiff, tiff[4:8])
    if _EXIF_DIRECTORY in tags:
        tags = _tags(tiff, tags[_EXIF_DIRECTORY][2]) | tags
    found = {}
    for tag in tags.keys() & _TEXTS:
        kind, size, value = tags[tag]
        place = int.from_bytes(value, _order(tiff))
        text = value[:size] if size <= 4 else tiff[place : place + min(size, _MAX_TEXT)]
        if size > _MAX_TEXT:  # not within a letter
            text = text.rstrip(_INSIDE).rstrip(_LEAD)
        if kind == _ASCII and (size <= 4 or place + size <= len(tiff)):
            found[_TEXTS[tag]] = text.partition(b"\0")[0]
    return found


def _order(tiff: bytes) -> Literal["little", "big"]:
    return "big" if tiff.startswith(b"MM") else "little"


def _tags(tiff: bytes, pointer: bytes) -> dict[int, tuple[int, int, bytes]]:
    """The directory that ``pointer`` leads to, as far as it is there: by tag, the first of each,
    type, number of values, and the four bytes that hold the value or say where it is."""
    if not tiff.startswith((b"II*\0", b"MM\0*")) or len(tiff) < 8:
        return {}
    order = _order(tiff)
    place = int.from_bytes(pointer, order)
    count = min(int.from_bytes(tiff[place : place + 2], order), _MAX_ENTRIES)
    entry = struct.Struct((">" if order == "big" else "<") + "HHI4s")
    listed = tiff[place + 2 : place + 2 + count * entry.size]
    whole = listed[: len(listed) // entry.size * entry.size]
    return {each[0]: each[1:] for each in reversed([*entry.iter_unpack(whole)])}
