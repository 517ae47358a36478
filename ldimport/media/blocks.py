"""Where each format keeps its metadata: the raw XMP, IIM and EXIF blocks of an image."""

import re
import zlib
from dataclasses import dataclass, field
from functools import partial

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media import gif, jpeg, png
from ldimport.media.budget import Budget, Inflated
from ldimport.model import ImageType

_MAX_BYTES = 1_000_000
"""Of what the compressed blocks of one image may inflate to, all together."""
_MAGIC_TRAILER = 258
"""Bytes behind an XMP packet in a GIF that lead readers of sub-blocks to its end."""
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_SEGMENT = b"Exif\0\0"
_PHOTOSHOP_SEGMENT = b"Photoshop 3.0\0"
_RAW_PROFILE = re.compile(rb"Raw profile type (iptc|8bim|xmp|exif|APP1)\0")
_NO_HEX = re.compile(rb"[^0-9a-fA-F\s]")
_PER_TEXT = 1_000
"""Bytes that a compressed text counts for at least."""


@dataclass(slots=True)
class Blocks:
    """Raw metadata of one image; empty where it has none. ``iim`` are Photoshop resources or
    bare IIM, ``tiff`` is EXIF without ``Exif\\0\\0``."""

    xmp: bytes = b""
    iim: bytearray = field(default_factory=bytearray)
    tiff: bytearray = field(default_factory=bytearray)
    _budget: Budget = field(
        default_factory=partial(Budget, _MAX_BYTES, Cause.TOO_COMPLEX, "an enormous text")
    )

    def add_segment(self, marker: int, body: bytes) -> None:
        """An APPn segment of a JPEG. What is too long for one goes on in the next."""
        if marker == 0xED and body.startswith(_PHOTOSHOP_SEGMENT):
            self.iim += body[len(_PHOTOSHOP_SEGMENT) :]
        elif marker == 0xE1 and body.startswith(_XMP_SEGMENT):
            self.xmp = self.xmp or body[len(_XMP_SEGMENT) :]
        elif marker == 0xE1 and body.startswith(_EXIF_SEGMENT):
            self.tiff += body[len(_EXIF_SEGMENT) :]

    def add_chunk(self, name: bytes, body: bytes) -> None:
        """A chunk of a PNG."""
        if name == b"eXIf":
            self.tiff = bytearray(body.removeprefix(_EXIF_SEGMENT))
        elif name == b"iTXt" and body.startswith(png.XMP_KEYWORD):
            self.xmp = self._international(body[len(png.XMP_KEYWORD) :])
        elif name in (b"zTXt", b"tEXt") and (found := _RAW_PROFILE.match(body)):
            text = body[found.end() :]
            self._add_profile(found[1], self._inflated(text[1:]) if name == b"zTXt" else text)

    def _add_profile(self, kind: bytes, text: bytes) -> None:
        """What ImageMagick makes of profiles in a PNG: name, length and hex digits as text."""
        _, _, behind_name = text[:_MAX_BYTES].lstrip().partition(b"\n")
        digits = b"".join(_NO_HEX.split(behind_name, 1)[0].split()[1:])
        profile = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
        if kind in (b"iptc", b"8bim"):
            self.iim = self.iim or bytearray(profile)
        elif kind == b"xmp":
            self.xmp = self.xmp or profile
        else:
            self.add_segment(0xE1, profile)

    def _international(self, body: bytes) -> bytes:
        """The text of an iTXt chunk behind its keyword: two flags, language, translated keyword."""
        text = body[2:].split(b"\0", 2)[-1]
        return self._inflated(text) if body[:1] == b"\1" else text

    def _inflated(self, data: bytes) -> bytes:
        try:
            self._budget.spend(_PER_TEXT)
            return Inflated([data], self._budget).read(self._budget.left + 1)
        except (zlib.error, Rejected):
            return b""


def read_blocks(data: bytes, kind: ImageType) -> Blocks:
    """Collect the blocks of a jpg, png or gif; an svg has none. Never raises."""
    blocks = Blocks()
    if kind is ImageType.JPG:
        for marker, body in jpeg.metadata_segments(data):
            blocks.add_segment(marker, body)
    elif kind is ImageType.PNG:
        for name, body in png.chunks(data):
            blocks.add_chunk(name, body)
    elif kind is ImageType.GIF:
        for application, body in gif.applications(data):
            if application == b"XMP DataXMP":
                blocks.xmp = body[:-_MAGIC_TRAILER]
    return blocks
