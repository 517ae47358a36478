"""Where each format keeps its metadata: the raw XMP, IIM and EXIF blocks of an image."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from ldimport.media import exif, gif, jpeg, png
from ldimport.model import ImageType

_MAX_BYTES = 1_000_000
"""Of what one compressed block may inflate to."""
_MAGIC_TRAILER = 258
"""Bytes behind an XMP packet in a GIF that lead readers of sub-blocks to its end."""
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_SEGMENT = b"Exif\0\0"
_PHOTOSHOP_SEGMENT = b"Photoshop 3.0\0"
_RAW_PROFILE = re.compile(rb"Raw profile type (iptc|8bim|xmp|exif|APP1)\0")
_HEX_PROFILE = re.compile(rb"\s*[^\n]{1,80}\n\s*\d+\s+([0-9a-fA-F\s]*)")


@dataclass(slots=True)
class Blocks:
    """Raw metadata of one image; empty where it has none. ``iim`` are Photoshop resources or
    bare IIM, ``tiff`` is EXIF without ``Exif\\0\\0``."""

    xmp: bytes = b""
    iim: bytes = b""
    tiff: bytes = b""


def read_blocks(data: bytes, kind: ImageType) -> Blocks:
    """Collect the blocks of a jpg, png or gif; an svg has none. Never raises."""
    blocks = Blocks()
    if kind is ImageType.JPG:
        for marker, body in jpeg.metadata_segments(data):
            _jpeg_segment(blocks, marker, body)
    elif kind is ImageType.PNG:
        for name, body in png.chunks(data):
            _png_chunk(blocks, name, body)
    elif kind is ImageType.GIF:
        for application, body in gif.applications(data):
            if application == b"XMP DataXMP":
                blocks.xmp = body[:-_MAGIC_TRAILER]
    return blocks


def _jpeg_segment(blocks: Blocks, marker: int, body: bytes) -> None:
    if marker == 0xED and body.startswith(_PHOTOSHOP_SEGMENT):
        blocks.iim += body[len(_PHOTOSHOP_SEGMENT) :]
    elif marker == 0xE1:
        _app1(blocks, body)


def _app1(blocks: Blocks, body: bytes) -> None:
    if body.startswith(_XMP_SEGMENT):
        blocks.xmp = blocks.xmp or body[len(_XMP_SEGMENT) :]
    elif body.startswith(_EXIF_SEGMENT):
        blocks.tiff = blocks.tiff or body[len(_EXIF_SEGMENT) :]


def _png_chunk(blocks: Blocks, name: bytes, body: bytes) -> None:
    if name == b"eXIf":
        blocks.tiff = body.removeprefix(_EXIF_SEGMENT)
    elif name == b"iTXt" and body.startswith(exif.XMP_KEYWORD):
        blocks.xmp = _international(body[len(exif.XMP_KEYWORD) :])
    elif name in (b"zTXt", b"tEXt") and (found := _RAW_PROFILE.match(body)):
        text = body[found.end() :]
        _raw_profile(blocks, found[1], _inflated(text[1:]) if name == b"zTXt" else text)


def _raw_profile(blocks: Blocks, kind: bytes, text: bytes) -> None:
    """What ImageMagick makes of profiles in a PNG: name, length and hex digits as text."""
    found = _HEX_PROFILE.match(text[:_MAX_BYTES])
    digits = b"".join(found[1].split()) if found else b""
    profile = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    if kind in (b"iptc", b"8bim"):
        blocks.iim = blocks.iim or profile
    elif kind == b"xmp":
        blocks.xmp = blocks.xmp or profile
    else:
        _app1(blocks, profile)


def _international(body: bytes) -> bytes:
    """The text of an iTXt chunk behind its keyword: two flags, language, translated keyword."""
    text = body[2:].split(b"\0", 2)[-1]
    return _inflated(text) if body[:1] == b"\1" else text


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAX_BYTES)
    except zlib.error:
        return b""
