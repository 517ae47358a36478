"""JPEG structure: exact size, wholeness, and what is tolerated."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import jpeg, jpeg_with, segment, tiff

from ldimport.errors import Rejected
from ldimport.media.decoding import decode
from ldimport.media.inspect import inspect
from ldimport.media.jpeg import MAX_SCANS, MAX_SEGMENTS
from ldimport.model import ImageType, Limits

LIMITS = Limits()


def code(data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        inspect(data, LIMITS)
    return caught.value.code


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_size_is_exact(mode: str, progressive: bool) -> None:
    facts = inspect(jpeg(37, 21, mode, progressive=progressive), LIMITS)
    assert (facts.type, facts.width, facts.height, facts.frames) == (ImageType.JPG, 37, 21, 1)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_cut_is_noticed(data: st.DataObject) -> None:
    whole = jpeg(40, 40, progressive=data.draw(st.booleans()))
    cut = data.draw(st.integers(3, len(whole) - 1))
    assert code(whole[:cut]) in ("truncated", "corrupt")


def test_a_zeroed_tail_is_noticed() -> None:
    whole = jpeg(40, 40)
    assert code(whole[:-200] + bytes(200)) == "truncated"


@given(st.binary(max_size=60), st.integers(0, 900))
@settings(max_examples=150, deadline=None)
def test_no_garbage_breaks_the_walk(garbage: bytes, place: int) -> None:
    whole = jpeg(24, 24)
    try:
        inspect(whole[:place] + garbage + whole[place + len(garbage) :], LIMITS)
    except Rejected as rejected:
        assert rejected.reason


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_reported_beside_the_stored_size(orientation: int, order: str) -> None:
    exif = segment(0xE1, b"Exif\0\0" + tiff({0x0112: orientation}, order))
    facts = inspect(jpeg_with(exif, jpeg(30, 10)), LIMITS)
    assert (facts.width, facts.height, facts.orientation) == (30, 10, orientation)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_impossible_orientation_counts_as_none(orientation: int) -> None:
    exif = segment(0xE1, b"Exif\0\0" + tiff({0x0112: orientation}))
    assert inspect(jpeg_with(exif), LIMITS).orientation == 1


def test_markers_inside_a_thumbnail_are_not_the_image() -> None:
    thumbnail = segment(0xE1, b"Exif\0\0" + bytes(8) + jpeg(5, 5))
    facts = inspect(jpeg_with(thumbnail, jpeg(64, 48)), LIMITS)
    assert (facts.width, facts.height) == (64, 48)


def test_bytes_behind_the_end_do_no_harm() -> None:
    assert inspect(jpeg() + b"PK\3\4 tail", LIMITS) == inspect(jpeg(), LIMITS)


@pytest.mark.parametrize("marker", [0xE1, 0xED, 0xFE])
@pytest.mark.parametrize("length", [b"\0\0", b"\0\1", b"\xff\xff"])
def test_an_impossible_length_in_metadata_is_passed_over(marker: int, length: bytes) -> None:
    facts = inspect(jpeg_with(bytes((0xFF, marker)) + length), LIMITS)
    assert (facts.width, facts.height) == (16, 16)


def test_fill_bytes_before_a_marker_are_legal() -> None:
    assert inspect(jpeg_with(b"\xff" * 50), LIMITS).width == 16


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new, 1)


def test_structure_that_no_decoder_takes_is_refused() -> None:
    whole = jpeg()
    header = whole[whole.index(b"\xff\xc0") :][:19]
    assert code(replaced(whole, header, b"")) == "corrupt"  # no frame header
    assert code(replaced(whole, header, header + header)) == "corrupt"  # two
    assert code(replaced(whole, header, header[:5] + bytes(4) + header[9:])) == "corrupt"  # 0 x 0
    assert code(replaced(whole, header, header[:3] + b"\x10" + header[4:])) == "corrupt"  # length
    assert code(whole[: whole.index(b"\xff\xda")] + b"\xff\xd9") == "corrupt"  # no scan
    assert code(jpeg_with(b"\xff\xd8", whole)) == "corrupt"  # a second image
    assert code(jpeg_with(segment(0x05, b""), whole)) == "corrupt"  # reserved marker


def test_kinds_that_browsers_cannot_show_are_named() -> None:
    whole = jpeg()
    twelve_bits = replaced(whole, b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c")
    assert code(twelve_bits) == "deep-jpeg-not-accepted"
    hierarchical = replaced(whole, b"\xff\xc0", b"\xff\xc5")
    assert code(hierarchical) == "hierarchical-jpeg-not-accepted"
    assert code(replaced(whole, b"\xff\xc0", b"\xff\xf7")) == "jpeg-ls-not-accepted"


def test_thousands_of_scans_are_a_bomb() -> None:
    whole = jpeg(progressive=True)
    scan = whole[whole.index(b"\xff\xda") : whole.rindex(b"\xff\xd9")]
    assert code(whole[:-2] + scan * MAX_SCANS + b"\xff\xd9") == "too-complex"


def test_thousands_of_comments_are_a_bomb() -> None:
    assert inspect(jpeg_with(segment(0xFE, b"") * (MAX_SEGMENTS - 20)), LIMITS).width == 16
    assert code(jpeg_with(segment(0xFE, b"") * MAX_SEGMENTS)) == "too-complex"


def test_a_run_of_marker_bytes_costs_no_more_than_its_length() -> None:
    assert code(b"\xff\xd8" + b"\xff" * 5_000_000) == "truncated"


@pytest.mark.parametrize("stray", [b"\0", b"\0\0\0", b"\r\n", b"abc"])
def test_stray_bytes_between_segments_are_taken_with_a_note(stray: bytes) -> None:
    """Behind the first marker too, where browsers look on and Pillow gives up."""
    whole = jpeg()
    behind = 4 + int.from_bytes(whole[4:6], "big")
    for data in (jpeg_with(stray), whole[:behind] + stray + whole[behind:]):
        facts = inspect(data, LIMITS)
        assert (facts.width, facts.height, facts.notes) == (16, 16, ("stray-bytes",))
        decode(ImageType.JPG, data, LIMITS)


def test_fill_bytes_are_no_stray_bytes() -> None:
    assert inspect(jpeg_with(b"\xff\xff\xff"), LIMITS).notes == ()


def test_what_only_begins_like_a_jpeg_is_a_damaged_one() -> None:
    assert code(b"\xff\xd8\0\xff\xe0" + bytes(200)) in ("corrupt", "truncated")
    assert code(b"\xff\xd8" + bytes(200)) == "not-an-image"
