"""PNG structure and pixel stream."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import CHANNELS, chunk, png, png_rows, tiff, xmp
from PIL import Image

from ldimport.errors import Rejected
from ldimport.media.decoding import decode
from ldimport.media.inspect import inspect
from ldimport.media.metadata import extract
from ldimport.media.png import XMP_KEYWORD, check_pixels, walk
from ldimport.model import ImageType, Limits

LIMITS = Limits()
LEGAL = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def code(data: bytes, limits: Limits = LIMITS) -> str:
    """Of the refusal, at full integrity."""
    with pytest.raises(Rejected) as caught:
        inspect(data, limits)
        check_pixels(data, walk(data))
    return caught.value.code


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([(c, d) for c in LEGAL for d in LEGAL[c]]),
)
@settings(max_examples=60, deadline=None)
def test_every_legal_form_has_its_exact_size(
    width: int, height: int, form: tuple[int, int]
) -> None:
    data = png(width, height, form[1], form[0])
    facts = inspect(data, LIMITS)
    assert (facts.type, facts.width, facts.height) == (ImageType.PNG, width, height)
    check_pixels(data, walk(data))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 8), (33, 17)])
def test_interlaced_pixels_are_counted_pass_by_pass(size: tuple[int, int]) -> None:
    pixels = zlib.compress(b"".join(_adam7_rows(*size)))
    data = png(*size).replace(
        chunk(b"IDAT", zlib.compress(png_rows(*size))), chunk(b"IDAT", pixels)
    )
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 1)
    data = data[:8] + chunk(b"IHDR", header) + data[33:]
    check_pixels(data, walk(data))
    with Image.open(BytesIO(data), formats=("PNG",)) as image:
        image.load()  # Pillow counts the same


def _adam7_rows(width: int, height: int) -> list[bytes]:
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2))  # fmt: skip
    rows = []
    for x, y, dx, dy in starts:
        columns = len(range(x, width, dx))
        rows += [b"\0" + bytes(3 * columns) for _ in range(y, height, dy) if columns]
    return rows


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_cut_and_every_flipped_bit_is_noticed(data: st.DataObject) -> None:
    whole = png(20, 20)
    place = data.draw(st.integers(8, len(whole) - 1))
    assert code(whole[:place]) in ("truncated", "corrupt")
    flipped = whole[:place] + bytes((whole[place] ^ 1 << data.draw(st.integers(0, 7)),))
    assert code(flipped + whole[place + 1 :]) in ("truncated", "corrupt")


def test_illegal_headers_are_refused() -> None:
    for colour in range(8):
        for depth in range(20):
            if depth not in LEGAL.get(colour, ()):
                body = struct.pack(">IIBBBBB", 4, 4, depth, colour, 0, 0, 0)
                assert code(png()[:8] + chunk(b"IHDR", body) + png()[33:]) == "corrupt"
    assert code(png(0, 5)) == "corrupt"
    assert code(png(5, 0)) == "corrupt"
    assert code(png()[:8] + png()[33:]) == "corrupt"  # no header


def test_order_of_chunks() -> None:
    body = zlib.compress(png_rows(7, 5))
    torn = chunk(b"IDAT", body[:9]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", body[9:])
    assert code(png().replace(chunk(b"IDAT", body), torn)) == "corrupt"
    split = chunk(b"IDAT", body[:9]) + chunk(b"IDAT", b"") + chunk(b"IDAT", body[9:])
    data = png().replace(chunk(b"IDAT", body), split)
    check_pixels(data, walk(data))
    assert code(png().replace(chunk(b"IDAT", body), b"")) == "corrupt"
    assert code(png(before=chunk(b"ABCD", b""))) == "corrupt"  # unknown and critical
    assert inspect(png(before=chunk(b"abCd", b"?")), LIMITS).width == 7  # unknown and optional
    assert code(png(colour=3).replace(chunk(b"PLTE", bytes(6)), b"")) == "corrupt"
    assert code(png(before=chunk(b"CgBI", b""))) == "corrupt"


def test_the_pixel_stream_must_fit_the_header() -> None:
    rows = png_rows(7, 5)
    assert code(png(packed=zlib.compress(rows[:-1]))) == "truncated"
    assert code(png(packed=zlib.compress(rows + b"x"))) == "corrupt"
    assert code(png(packed=zlib.compress(rows)[:-4])) == "truncated"
    assert code(png(packed=zlib.compress(rows)[:-1] + b"\xff")) == "corrupt"
    assert code(png(packed=b"nonsense")) == "corrupt"
    assert code(png(packed=b"")) == "truncated"
    assert code(png(packed=zlib.compress(b"\7" + rows[1:]))) == "corrupt"  # unknown filter
    data = png(packed=zlib.compress(rows) + b"tail")
    check_pixels(data, walk(data))  # behind the stream: harmless


def test_a_bomb_inflates_no_further_than_the_picture() -> None:
    assert code(png(packed=zlib.compress(bytes(50_000_000)))) == "corrupt"


@pytest.mark.parametrize("colour", sorted(CHANNELS))
def test_bombs_in_metadata_stay_packed(colour: int) -> None:
    bomb = zlib.compress(bytes(20_000_000))
    before = chunk(b"iCCP", b"p\0\0" + bomb) if colour != 3 else b""
    before += chunk(b"zTXt", b"t\0\0" + bomb) + chunk(b"tEXt", b"k\0v") * 1_000
    assert inspect(png(colour=colour, before=before), LIMITS).width == 7


def _control(frames: int) -> bytes:
    return chunk(b"acTL", struct.pack(">II", frames, 0))


def test_frames_of_an_apng() -> None:
    frame = chunk(b"fcTL", bytes(26))
    assert inspect(png(before=_control(2) + frame), LIMITS).frames == 2
    assert inspect(png(before=_control(2)), LIMITS).frames == 3  # a default image beside them
    assert inspect(png(before=_control(0)), LIMITS).frames == 1
    assert inspect(png(before=_control((1 << 32) - 1)), LIMITS).frames == 1
    assert code(png(before=_control(1801) + frame)) == "too-many-frames"


def _frame(
    number: int, packed: bytes, width: int = 2, height: int = 2, left: int = 0, top: int = 0
) -> bytes:
    """fcTL and fdAT with the sequence numbers ``number`` and the next one."""
    control = struct.pack(">IIIIIHHBB", number, width, height, left, top, 1, 10, 0, 0)
    return chunk(b"fcTL", control) + chunk(b"fdAT", struct.pack(">I", number + 1) + packed)


PIXELS = zlib.compress(png_rows(2, 2))


def animated(*frames: bytes) -> bytes:
    return png(before=_control(len(frames)), after=b"".join(frames))


def test_each_frame_of_an_apng_is_decoded() -> None:
    sound = animated(_frame(0, PIXELS), _frame(2, PIXELS))
    check_pixels(sound, walk(sound))
    for packed, why in (
        (PIXELS[:-4], "truncated"),
        (b"nonsense", "corrupt"),
        (zlib.compress(bytes(50_000_000)), "corrupt"),
        (zlib.compress(png_rows(2, 1)), "truncated"),
        (zlib.compress(b"\7" + png_rows(2, 2)[1:]), "corrupt"),
    ):
        assert code(animated(_frame(0, PIXELS), _frame(2, packed))) == why
    stream = BytesIO()
    images = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    images[0].save(stream, "PNG", save_all=True, append_images=images[1:])
    made = stream.getvalue()
    check_pixels(made, walk(made))
    assert [inspect(made, LIMITS).frames, len(walk(made).animation)] == [3, 2]


def test_frames_out_of_sequence_are_no_animation() -> None:
    """As decoders have it: the default image stands for itself."""
    for frames in (_frame(7, b"nonsense"), _frame(0, PIXELS) + _frame(1, b"nonsense")):
        data = animated(frames)
        check_pixels(data, walk(data))


def test_a_frame_far_outside_counts_against_the_pixel_limit() -> None:
    far = {"left": 2**31 - 9, "top": 2**31 - 9}
    for frame in (_frame(0, PIXELS, **far), _frame(0, PIXELS, 30_000, 30_000)):
        assert code(animated(frame)) == "too-many-pixels"
    assert code(png(24_000, 1, before=_control(1), after=_frame(0, PIXELS, 2, 24_000))) == (
        "too-many-pixels")  # fmt: skip


def test_more_frames_than_an_apng_says_count_too() -> None:
    frames = b"".join(_frame(2 * number, PIXELS) for number in range(3))
    assert code(png(before=_control(1), after=frames), Limits(max_frames=3)) == "too-many-frames"


def test_orientation_from_exif_or_else_xmp() -> None:
    exif = chunk(b"eXIf", tiff({0x0112: 6}))
    text = xmp("<tiff:Orientation xmlns:tiff='http://ns.adobe.com/tiff/1.0/'>3</tiff:Orientation>")
    packet = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text)
    assert inspect(png(before=exif), LIMITS).orientation == 6
    assert inspect(png(before=packet), LIMITS).orientation == 3
    assert inspect(png(before=exif + packet), LIMITS).orientation == 6
    assert inspect(png(), LIMITS).orientation == 1


def test_a_tail_does_no_harm() -> None:
    assert inspect(png() + b"PK", LIMITS) == inspect(png(), LIMITS)


def with_wrong_checksum(made: bytes) -> bytes:
    """The chunk with one bit of its checksum turned over."""
    return made[:-1] + bytes([made[-1] ^ 1])


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"tIME", b"eXIf", b"tRNS"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_wrong_checksum_costs_a_chunk_that_no_picture_needs(name: bytes, side: str) -> None:
    data = png(**{side: with_wrong_checksum(chunk(name, b"Comment\0x"))})
    facts = inspect(data, LIMITS)
    assert (facts.width, facts.height, facts.notes) == (7, 5, ("damaged-chunk",))
    decode(ImageType.PNG, data, LIMITS)


def test_what_a_damaged_chunk_says_is_not_believed_and_what_follows_is_read() -> None:
    turned = chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")
    assert inspect(png(before=turned), LIMITS).orientation == 6
    assert inspect(png(before=with_wrong_checksum(turned)), LIMITS).orientation == 1
    packet = XMP_KEYWORD + b"\0\0\0\0" + xmp('dc:source="X"')
    data = png(before=with_wrong_checksum(turned) + chunk(b"iTXt", packet))
    assert extract(data, ImageType.PNG) == extract(
        png(before=chunk(b"iTXt", packet)), ImageType.PNG
    )


@pytest.mark.parametrize("name", ["IHDR", "PLTE", "IDAT", "IEND", "abc\x01"])
def test_a_wrong_checksum_of_what_a_picture_needs_is_damage(name: str) -> None:
    data = png(colour=3, before=chunk(b"abc\x01", b"x"))
    body = data.index(name.encode())
    end = body + 4 + int.from_bytes(data[body - 4 : body], "big")
    assert code(data[:end] + bytes(4) + data[end + 4 :]) == "corrupt"
