"""No file costs more than in proportion to its bytes, whatever is in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from types import FrameType

import pytest
from adversarial import INPUTS, cost, read
from media_files import chunk, jpeg_with, png, segment
from PIL.JpegImagePlugin import JpegImageFile

from ldimport.errors import Rejected
from ldimport.media import blocks, decoding, gif, jpeg
from ldimport.media import png as png_module
from ldimport.media.inspect import inspect
from ldimport.model import Limits

LIMITS = Limits()


def steps(work: Callable[[], object]) -> int:
    """Lines of our own code and of libraries in Python that ``work`` runs through."""
    count = 0

    def trace(_frame: FrameType, event: str, _arg: object) -> Callable[..., object]:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", INPUTS)
def test_twice_the_bytes_take_twice_the_steps(name: str) -> None:
    parser, make = INPUTS[name]
    once, twice = (make(size) for size in (6_000, 12_000))
    read(parser, once)  # what is imported or built on first use
    assert steps(lambda: read(parser, twice)) <= 2.3 * steps(lambda: read(parser, once)) + 300


@pytest.mark.parametrize("size", [16_000, 256_000])
@pytest.mark.parametrize("name", INPUTS)
def test_expressions_and_libraries_are_linear_too(name: str, size: int) -> None:
    """CPU time, since steps inside of C cannot be counted: sixteen times the bytes may take forty
    times as long (quadratic would be 256 times), or so little that it does not matter."""
    parser, make = INPUTS[name]
    small, large = make(size // 16), make(size)
    for _ in range(3):
        once, longer = cost(parser, small), cost(parser, large)
        if longer < max(0.25, 40 * once):
            return
    pytest.fail(f"{len(small):,} bytes take {once:.3f} s, {len(large):,} bytes {longer:.3f} s")


@pytest.mark.parametrize(
    "name", ["jpeg: many small EXIF segments", "jpeg: many small Photoshop segments"]
)
def test_metadata_over_many_segments_is_put_together_once(name: str) -> None:
    parser, make = INPUTS[name]
    assert cost(parser, make(4_000_000)) < max(0.5, 40 * cost(parser, make(250_000)))


def test_a_decoder_of_pixels_gets_exif_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow joins EXIF that is spread over segments, copying all of it for each."""
    given: list[int] = []

    class Counted(JpegImageFile):
        def __init__(self, stream: BytesIO) -> None:
            given.append(len(stream.getvalue()))
            super().__init__(stream)

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile", Counted)
    monkeypatch.setattr(decoding, "_is_plain", lambda _: False)  # else it is not asked at all
    one, other = segment(0xE1, b"Exif\0\0" + bytes(700)), segment(0xFE, b"x")
    read("decode", jpeg_with((one + other) * 1_000))
    assert given == [len(jpeg_with(one + other * 1_000))]


@pytest.mark.parametrize("name", ["png: many packed bombs", "png: many packed XMP bombs"])
def test_packed_texts_inflate_to_a_megabyte_all_together(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflated = 0

    class Counted(blocks.Inflated):
        def read(self, limit: int) -> bytes:
            nonlocal inflated
            inflated += limit
            return super().read(limit)

    monkeypatch.setattr(blocks, "Inflated", Counted)
    read("metadata", INPUTS[name][1](500_000))
    assert inflated < 1_100_000


@pytest.mark.parametrize(
    ("module", "limit", "name"),
    [
        (png_module, "MAX_CHUNKS", "png: empty chunks"),
        (png_module, "MAX_CHUNKS", "png: empty pixel chunks"),
        (jpeg, "MAX_SEGMENTS", "jpeg: markers without a body"),
        (jpeg, "MAX_SEGMENTS", "jpeg: comments without a length"),
        (jpeg, "MAX_SEGMENTS", "jpeg: empty comments"),
        (gif, "MAX_BLOCKS", "gif: empty extensions"),
    ],
)
def test_the_walk_in_the_worker_is_bounded(
    module: object, limit: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, limit, 1_000)
    data = INPUTS[name][1](50_000)
    with pytest.raises(Rejected) as caught:
        inspect(data, LIMITS)
    assert caught.value.code == "too-complex"


def test_an_orientation_far_inside_a_packet_is_not_looked_for() -> None:
    """The worker reads as much of it as is bounded; the rest is for the child."""

    def packet(blanks: int) -> bytes:
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * blanks + b'tiff:Orientation="3"'
        return png(before=chunk(b"iTXt", text))

    assert inspect(packet(10_000), LIMITS).orientation == 3
    assert inspect(packet(100_000), LIMITS).orientation == 1


def test_the_bound_is_far_from_real_files() -> None:
    texts = png(before=chunk(b"tEXt", b"Comment\0x") * 100_000)
    assert inspect(texts, LIMITS).width == 7
    assert inspect(jpeg_with(b"\xff\xfe\0\2" * 10_000), LIMITS).width == 16
