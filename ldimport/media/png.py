"""PNG structure (W3C PNG third edition): every chunk with its CRC, and the pixel stream."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media import exif
from ldimport.media.budget import Budget, Inflated

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp\0"
MAX_CHUNKS = 200_000
"""A file at the byte limit has some 2,000 of the size that encoders use."""
_DAMAGED = b"    "
"""No chunk's type: of those that are skipped, since their checksum is wrong."""
_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"IDAT", b"IEND")
_HEADER = struct.Struct(">I4s")
_IHDR = struct.Struct(">IIBBBBB")
_FCTL = struct.Struct(">IIII6x")
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip
_PIECE = 1 << 18
"""Bytes inflated at a time: memory stays flat whatever the stream claims."""


@dataclass(frozen=True, slots=True)
class PngFrame:
    """A picture of an APNG beside the default one: size, how far it reaches in the image, and the
    (start, end) offsets of its pixels; none if what belongs to it is not in sequence."""

    width: int
    height: int
    right: int
    bottom: int
    pixels: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Png:
    """What the chunks say. ``pixels`` are the (start, end) offsets of the IDAT bodies; ``frames``
    counts every picture of an APNG, those that it only claims and the default image included;
    ``damaged`` says that a chunk which decoders can do without has a wrong checksum."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    frames: int
    orientation: int
    pixels: Sequence[tuple[int, int]]
    animation: Sequence[PngFrame]
    damaged: bool


def walk(data: bytes) -> Png:
    """Walk all chunks to IEND, checking each CRC and their order. A wrong CRC costs an ancillary
    chunk alone, as in libpng and browsers. Raises Rejected ``truncated``, ``corrupt``,
    ``too-complex`` or ``cgbi-png-not-accepted``."""
    header: tuple[int, int, int, int, bool] | None = None
    orientation = 0
    palette = pixels_ended = damaged = False
    pixels: list[tuple[int, int]] = []
    animation = _Animation()
    for kind, start, end in _chunks(data):
        if header is None:
            header = _image_header(kind, data[start:end])
        elif kind == b"IDAT":
            if pixels_ended:
                raise _damaged("its picture data is torn apart")
            pixels.append((start, end))
            continue
        elif kind == b"PLTE":
            palette = _palette(end - start, header[3], late=bool(pixels))
        elif kind == b"acTL" and end - start == 8 and not pixels:
            count = int.from_bytes(data[start : start + 4], "big")
            animation.declared = count if count < 1 << 31 else 0  # an absurd number is none
        elif animation.declared and kind in (b"fcTL", b"fdAT"):
            animation.add(kind, data, start, end, default=not pixels)
        elif kind == b"eXIf":
            orientation = exif.orientation(data[start:end])
        elif kind == b"iTXt" and not orientation and data.startswith(XMP_KEYWORD, start):
            orientation = exif.orientation_of_xmp(data[start:end])
        elif kind == b"IEND":
            break
        elif kind == _DAMAGED:
            damaged = True
        elif not kind[0] & 0x20:
            raise _damaged(f"misplaced or unknown chunk {_name(kind)}")
        pixels_ended = bool(pixels)
    else:
        raise Rejected(Cause.TRUNCATED, "the PNG ends before its end chunk: the file is cut off")
    if header is None or not pixels:
        raise Rejected(Cause.CORRUPT, "the PNG holds no picture data")
    if header[3] == 3 and not palette:
        raise _damaged("it uses a palette but has none")
    return Png(*header, animation.count(), orientation or 1, pixels, animation.frames, damaged)


@dataclass(slots=True)
class _Animation:
    """What an APNG adds to the default image. Decoders show that alone where the other frames
    are not in sequence."""

    declared: int = 0
    default_belongs: bool = False
    frames: list[PngFrame] = field(default_factory=list)
    _next: int = 0

    def count(self) -> int:
        """Of all pictures, the default image and frames that are only claimed included."""
        most = max(self.declared, len(self.frames) + self.default_belongs)
        return most + (not self.default_belongs) if self.declared else 1

    def add(self, kind: bytes, data: bytes, start: int, end: int, *, default: bool) -> None:
        """fcTL (a frame begins, or the default image is one) or fdAT (its pixels)."""
        inside = int.from_bytes(data[start : start + 4], "big") == self._next
        self._next = self._next + 1 if inside else -1
        if kind == b"fdAT" and self.frames:
            pixels = self.frames[-1].pixels
            if not inside:
                pixels.clear()
            else:
                pixels.append((start + 4, end))
        elif default:
            self.default_belongs = True
        elif end - start == 4 + _FCTL.size:
            width, height, left, top = _FCTL.unpack_from(data, start + 4)
            self.frames.append(PngFrame(width, height, left + width, top + height, []))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Every chunk as (type, start, end of its body), its CRC checked; an ancillary one whose CRC
    is wrong under the type ``_DAMAGED``."""
    view = memoryview(data)
    position, size = len(SIGNATURE), len(data)
    crc32, unpack = zlib.crc32, _HEADER.unpack_from
    for _ in range(MAX_CHUNKS):
        if position + 12 > size:
            return
        length, kind = unpack(data, position)
        start = position + 8
        end = start + length
        if end + 4 > size:
            reason = f"the PNG ends inside chunk {_name(kind)}: it is cut off"
            raise Rejected(Cause.TRUNCATED, reason)
        if crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            if not (kind.isalpha() and kind[0] & 0x20):
                raise _damaged(f"the checksum of {_name(kind)} is wrong")
            kind = _DAMAGED
        yield kind, start, end
        position = end + 4
    raise Rejected(Cause.TOO_COMPLEX, f"the PNG has more than {MAX_CHUNKS:,} chunks")


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Chunks as (type, body) for reading metadata; ends at the first damage. Never raises."""
    with suppress(Rejected):
        for kind, start, end in _chunks(data):
            yield kind, data[start:end]


def for_decoder(data: bytes, *, profile: bool = True) -> bytes:
    """The same picture with those chunks alone that pixels and colours need (its ``profile``
    included, if it may be): no texts, no chunks with a wrong checksum, at which decoders end, and
    nothing behind its end. Raises Rejected as ``walk`` does."""
    kept = [SIGNATURE]
    for kind, start, end in _chunks(data):
        if kind in _PICTURE and (profile or kind != b"iCCP"):
            kept.append(data[start - 8 : end + 4])
        if kind == b"IEND":
            break
    return b"".join(kept)


def _name(kind: bytes) -> str:
    return kind.decode("ascii") if kind.isalpha() else kind.hex()


def _image_header(kind: bytes, body: bytes) -> tuple[int, int, int, int, bool]:
    """Width, height, bit depth, colour type and interlacing of IHDR."""
    if kind == b"CgBI":
        why = Cause.FORMAT_NOT_ACCEPTED.with_(format="cgbi-png")
        raise Rejected(why, "PNG in Apple's own CgBI form is not accepted")
    if kind != b"IHDR" or len(body) != 13:
        raise _damaged("it does not begin with its header")
    width, height, depth, colour, compression, filtering, interlace = _IHDR.unpack(body)
    if not 0 < width < 1 << 31 or not 0 < height < 1 << 31:
        raise Rejected(Cause.CORRUPT, f"the PNG says it is {width} x {height} pixels")
    if depth not in _DEPTHS.get(colour, ()):
        raise _damaged(f"colour type {colour} with {depth} bits")
    if compression or filtering or interlace > 1:
        raise _damaged("unknown compression, filter or interlace method")
    return width, height, depth, colour, bool(interlace)


def _palette(size: int, colour: int, *, late: bool) -> bool:
    if late or (colour == 3 and (size % 3 or not 0 < size <= 768)):
        raise _damaged("its palette has the wrong size or place")
    return True


def check_pixels(data: bytes, png: Png) -> None:
    """Inflate each picture to exactly the expected number of bytes and look at the filter of every
    row, in flat memory. Bytes behind the end of a stream are harmless. Raises Rejected ``corrupt``
    or ``truncated``."""
    _check_picture(data, png)
    for frame in png.animation:
        if pixels := frame.pixels:
            picture = replace(png, width=frame.width, height=frame.height, pixels=pixels)
            _check_picture(data, picture)


def _check_picture(data: bytes, png: Png) -> None:
    passes = tuple(_passes(png))
    pieces = (
        data[place : min(place + _PIECE, end)]
        for start, end in png.pixels
        for place in range(start, end, _PIECE)
    )
    too_many = "damaged PNG: it has more pixels than its header says"
    budget = Budget(sum(row * rows for row, rows in passes), Cause.CORRUPT, too_many)
    stream = Inflated(pieces, budget)
    try:
        for row_bytes, rows in passes:
            _check_rows(stream, row_bytes, rows)
        stream.read(1)
    except zlib.error as error:
        raise _damaged("its picture data does not decompress") from error
    if not stream.ended:
        raise Rejected(Cause.TRUNCATED, "the PNG's picture data has no end: the file is damaged")


def _check_rows(stream: Inflated, row_bytes: int, rows: int) -> None:
    left, to_filter = row_bytes * rows, 0
    while left:
        raw = stream.read(min(left, _PIECE))
        if not raw:
            raise Rejected(Cause.TRUNCATED, "the PNG has fewer pixels than its header says")
        if max(raw[to_filter::row_bytes], default=0) > 4:
            raise _damaged("a row has an unknown filter")
        to_filter = (to_filter - len(raw)) % row_bytes
        left -= len(raw)


def _damaged(why: str) -> Rejected:
    return Rejected(Cause.CORRUPT, f"damaged PNG: {why}")


def _passes(png: Png) -> Iterator[tuple[int, int]]:
    """(bytes in a row with its filter byte, rows) of each interlace pass that has pixels."""
    bits = png.depth * _CHANNELS[png.colour]
    for x, y, dx, dy in _ADAM7 if png.interlaced else ((0, 0, 1, 1),):
        width = (png.width - x + dx - 1) // dx
        height = (png.height - y + dy - 1) // dy
        if width > 0 and height > 0:
            yield 1 + (width * bits + 7) // 8, height
