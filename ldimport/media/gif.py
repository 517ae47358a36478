"""GIF structure (GIF89a): blocks from the screen to the trailer; nothing is decompressed."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from ldimport.causes import Cause
from ldimport.errors import Rejected

SIGNATURES = (b"GIF87a", b"GIF89a")
_SCREEN = struct.Struct("<HHB")
_RECTANGLE = struct.Struct("<HHHHB")
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL = 0xF9
"""Label of the extension that announces a frame."""
MAX_BLOCKS = 200_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its own rectangle in pixels, how far that reaches on the screen, and where its
    compressed pixels lie (``start`` is the byte with the code size, ``end`` is behind the last
    block)."""

    width: int
    height: int
    right: int
    bottom: int
    interlaced: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Gif:
    """What the blocks say; the logical screen is the size, wherever frames reach. ``ended`` is
    False for one that lacks its end mark."""

    width: int
    height: int
    frames: tuple[Frame, ...]
    ended: bool


def walk(data: bytes, max_frames: int) -> Gif:
    """Walk all blocks to the trailer, or to the end of the file behind a whole frame, as browsers
    do. An unknown block behind a whole frame ends the walk. Raises Rejected ``truncated``,
    ``corrupt``, ``too-complex`` or ``too-many-frames``."""
    if len(data) < 13:
        raise _cut_off()
    width, height, flags = _SCREEN.unpack_from(data, 6)
    if not width or not height:
        raise Rejected(Cause.CORRUPT, f"the GIF says it is {width} x {height} pixels")
    frames: list[Frame] = []
    announced = False
    for kind, start, end in _blocks(data, 13 + _colours(flags)):
        if kind == _IMAGE:
            if len(frames) >= max_frames:
                raise Rejected(Cause.TOO_MANY_FRAMES, f"more than {max_frames:,} frames, the limit")
            frames.append(_frame(data, start, end))
            announced = False
        elif kind == _TRAILER:
            break
        elif kind == _EXTENSION:
            announced = announced or data[start] == _CONTROL
        elif not frames:
            raise Rejected(Cause.CORRUPT, f"damaged GIF: unknown block {kind:02X}")
        else:
            break
    else:
        if announced or not frames:
            raise _cut_off()
        return Gif(width, height, tuple(frames), ended=False)
    if not frames:
        raise Rejected(Cause.CORRUPT, "the GIF holds no picture")
    return Gif(width, height, tuple(frames), ended=True)


def _cut_off() -> Rejected:
    return Rejected(Cause.TRUNCATED, "the GIF ends before its end mark: the file is cut off")


def _colours(flags: int) -> int:
    """Bytes of the colour table that ``flags`` announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(data: bytes, position: int) -> Iterator[tuple[int, int, int]]:
    """Every block as (kind, start of its body, end). Raises Rejected ``truncated`` or
    ``too-complex``."""
    size = len(data)
    for _ in range(MAX_BLOCKS):
        if position >= size:
            return
        kind = data[position]
        start = position + 1
        if kind == _IMAGE:
            if start + 10 > size:
                raise _cut_off()
            sub_blocks = start + 10 + _colours(data[start + 8])
        elif kind == _EXTENSION:
            sub_blocks = start + 1
        else:
            yield kind, start, start
            return
        position = _skip(data, sub_blocks)
        yield kind, start, position
    raise Rejected(Cause.TOO_COMPLEX, f"the GIF has more than {MAX_BLOCKS:,} blocks")


def _skip(data: bytes, position: int) -> int:
    """The offset behind the sub-blocks that begin at ``position``."""
    try:
        while length := data[position]:
            position += length + 1
    except IndexError as error:
        raise _cut_off() from error
    return position + 1


def _frame(data: bytes, start: int, end: int) -> Frame:
    left, top, width, height, flags = _RECTANGLE.unpack_from(data, start)
    if not width or not height:
        raise Rejected(Cause.CORRUPT, f"damaged GIF: a frame of {width} x {height} pixels")
    first = start + 9 + _colours(flags)
    if not 1 <= data[first] <= 11:
        raise Rejected(Cause.CORRUPT, "damaged GIF: impossible code size")
    return Frame(width, height, left + width, top + height, bool(flags & 0x40), first, end)


def applications(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Application extensions as (the 11 bytes that name it, all that follows up to the end of
    the block, sub-block lengths included). Never raises."""
    with suppress(Rejected, IndexError):
        for kind, start, end in _blocks(data, 13 + _colours(data[10])):
            if kind == _EXTENSION and data[start : start + 2] == b"\xff\x0b":
                yield data[start + 2 : start + 13], data[start + 13 : end]
