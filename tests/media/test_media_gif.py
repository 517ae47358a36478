"""GIF structure, and frames decompressed one by one."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import gif, gif_frame, noise

from ldimport.errors import Rejected
from ldimport.media.decoding import decode
from ldimport.media.inspect import inspect
from ldimport.model import ImageType, Limits

LIMITS = Limits()


def animation(width: int, height: int, frames: int) -> bytes:
    images = [noise(width, height, n).convert("P") for n in range(frames)]
    stream = BytesIO()
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], optimize=False)
    return stream.getvalue()


def code(data: bytes) -> str:
    """Of the refusal, at full integrity."""
    with pytest.raises(Rejected) as caught:
        inspect(data, LIMITS)
        decode(ImageType.GIF, data, LIMITS)
    return caught.value.code


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_size_and_frames(frames: int) -> None:
    data = animation(33, 12, frames)
    facts = inspect(data, LIMITS)
    decode(ImageType.GIF, data, LIMITS)
    assert (facts.type, facts.width, facts.height, facts.frames) == (ImageType.GIF, 33, 12, frames)


def test_the_logical_screen_is_the_size_wherever_frames_reach() -> None:
    pixels = b"\x02\x04" + b"\x84\x8f\x09\x05" + b"\0"  # 3 x 3 pixels
    data = gif(2, 2, gif_frame(3, 3, pixels))
    assert (inspect(data, LIMITS).width, inspect(data, LIMITS).height) == (2, 2)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_cut_is_noticed(data: st.DataObject) -> None:
    whole = animation(20, 20, 2)
    cut = whole[: data.draw(st.integers(6, len(whole) - 1))]
    try:
        facts = inspect(cut, LIMITS)
        decode(ImageType.GIF, cut, LIMITS)
    except Rejected as rejected:
        assert rejected.code in ("truncated", "corrupt")
    else:  # behind a whole frame
        assert facts.notes == ("no-end-mark",)


def test_a_gif_that_lacks_its_end_mark_alone_is_taken_with_a_note() -> None:
    whole = gif(1, 1, gif_frame(1, 1), b"!\xfe\x01x\0")
    assert inspect(whole, LIMITS).notes == ()
    assert inspect(whole[:-1], LIMITS).notes == ("no-end-mark",)
    decode(ImageType.GIF, whole[:-1], LIMITS)


def test_a_gif_that_ends_where_a_frame_was_announced_is_cut_off() -> None:
    announced = b"!\xf9\4\0\0\0\0\0"
    assert code(gif(2, 2, gif_frame(2, 2), announced)[:-1]) == "truncated"
    assert code(gif(2, 2, gif_frame(2, 2))[:-2]) == "truncated"  # within the frame


def test_sizes_of_nothing_are_refused() -> None:
    assert code(gif(0, 2)) == "corrupt"
    assert code(gif(2, 0)) == "corrupt"
    assert code(gif(2, 2, gif_frame(0, 1))) == "corrupt"
    assert code(gif(2, 2, b"!\xfe\x01x\0")) == "corrupt"  # a comment, no frame
    assert code(b"GIF89a") == "truncated"


def test_a_frame_counts_against_the_pixel_limit() -> None:
    with pytest.raises(Rejected, match=r"65,535 x 65,535 is 4,294,836,225 pixels") as caught:
        inspect(gif(10, 10, gif_frame(65_535, 65_535)), LIMITS)
    assert caught.value.code == "too-many-pixels"


@pytest.mark.parametrize(
    ("screen", "place"),
    [((10, 10), (65_535, 65_535)), ((24_000, 1_000), (0, 1_000)), ((1_000, 24_000), (1_000, 0))],
)
def test_a_frame_counts_as_far_as_it_reaches(
    screen: tuple[int, int], place: tuple[int, int]
) -> None:
    frame = b"," + struct.pack("<HHHHB", *place, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    assert code(gif(*screen, gif_frame(), frame)) == "too-many-pixels"


def test_frames_are_limited() -> None:
    assert inspect(gif(3, 2, gif_frame() * 1_800), LIMITS).frames == 1_800
    assert code(gif(3, 2, gif_frame() * 1_801)) == "too-many-frames"


def test_an_unknown_block_behind_a_frame_ends_the_walk() -> None:
    assert inspect(gif(3, 2, gif_frame(), b"\x47abc"), LIMITS).frames == 1
    assert code(gif(3, 2, b"\x47abc", gif_frame())) == "corrupt"


def test_damaged_pixels_are_found_by_decoding() -> None:
    assert code(gif(3, 2, gif_frame(50, 50))) == "corrupt"  # one pixel where 2,500 should be
    assert code(gif(3, 2, gif_frame(1, 1, b"\x0d\x01\x00\x00"))) == "corrupt"  # code size 13


def test_a_tail_does_no_harm() -> None:
    assert inspect(gif() + b"zip", LIMITS) == inspect(gif(), LIMITS)
