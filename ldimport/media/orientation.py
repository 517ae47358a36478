"""Which way up an image is (TIFF 6.0, tag 274), read without a decoder: structure needs it."""

import re
import struct

XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_IN_XMP = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|(?:\s[^>]{0,200})?>)([1-8])\b""")
_MAX_ENTRIES = 200
_TAG, _SHORT, _LONG = 0x0112, 3, 4


def of_exif(tiff: bytes) -> int:
    """The orientation 1 to 8 of a TIFF block (EXIF without ``Exif\\0\\0``); 0 where it has none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 0
    (place,) = struct.unpack_from(order + "I", tiff, 4)
    entry = struct.Struct(order + "HHIHH")
    count = struct.unpack(order + "H", tiff[place : place + 2].ljust(2, b"\0"))[0]
    whole = min(count, _MAX_ENTRIES, max(0, len(tiff) - place - 2) // entry.size)
    for tag, kind, _, first, second in entry.iter_unpack(tiff[place + 2 :][: whole * entry.size]):
        if tag == _TAG and kind in (_SHORT, _LONG):
            number = second if kind == _LONG and order == ">" and not first else first
            return number if 1 <= number <= 8 else 0
    return 0


def of_xmp(packet: bytes) -> int:
    """The same from an XMP packet, for files that have it nowhere else; 0 where it has none."""
    found = _IN_XMP.search(packet)
    return int(found[1]) if found else 0
