"""JPEG structure: exact size, wholeness, and what is tolerated."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import jpeg, jpeg_with, segment, tiff

from ldimport.errors import Rejected
from ldimport.media import decoding
from ldimport.media.decoding import decode
from ldimport.media.inspect import inspect
from ldimport.media.jpeg import MAX_SCANS, MAX_SEGMENTS, walk
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


# -- the way that reads least gives the verdicts of the whole reader -------------------------------


def verdict(data: bytes, *, whole: bool) -> str:
    """What is said of a JPEG, by both ways together or by Pillow's reader of files alone."""
    try:
        found = walk(data)
        if whole:
            decoding._jpeg(data, found)
        else:
            decode(ImageType.JPG, memoryview(data), LIMITS)
    except Rejected as rejected:
        return f"{rejected.code}: {rejected.reason}"
    return "sound"


def resampled(data: bytes, *factors: int) -> bytes:
    """A JPEG whose header says other sampling factors."""
    changed = bytearray(data)
    for number, factor in enumerate(factors):
        changed[data.index(b"\xff\xc0") + 11 + 3 * number] = factor
    return bytes(changed)


FLAVOURS = [
    jpeg(37, 21, mode, **options)
    for mode in ("L", "RGB", "CMYK")
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}, {"optimize": True})
]  # fmt: skip
FLAVOURS += [jpeg(33, 17, subsampling=each) for each in range(3)]
FLAVOURS += [jpeg(33, 17, keep_rgb=True), jpeg(1, 1), jpeg_with(b"\0\0"), jpeg() + b"PK\3\4"]
FLAVOURS += [
    resampled(jpeg(subsampling=0), *factors)
    for factors in ((0x22, 0x11, 0x21), (0x31, 0x21, 0x11), (0x11, 0x22, 0x11), (0x11, 0, 0x11))
]


@pytest.mark.parametrize("number", range(len(FLAVOURS)))
def test_each_flavour_is_judged_as_by_the_whole_reader(number: int) -> None:
    data = FLAVOURS[number]
    assert verdict(data, whole=False) == verdict(data, whole=True)


@given(st.sampled_from(FLAVOURS), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_damage_is_found_and_told_as_by_the_whole_reader(whole: bytes, chance: Random) -> None:
    data = bytearray(whole)
    for _ in range(chance.choice((1, 2, 8))):
        data[chance.randrange(2, len(data))] = chance.choice((0, 0xFF, chance.randrange(256)))
    assert verdict(bytes(data), whole=False) == verdict(bytes(data), whole=True)


@pytest.mark.parametrize(
    "broken",
    [
        segment(0xE0, b"JFIF\0"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xED, b"Photoshop 3.0\0008BIM\4\4"),
        segment(0xEE, b"Adobe"),
    ],
)
def test_metadata_over_which_the_whole_reader_stumbles_refuses_no_picture(broken: bytes) -> None:
    data = jpeg_with(broken)
    assert verdict(data, whole=True).startswith("corrupt")
    assert verdict(data, whole=False) == "sound"


def test_usual_photos_are_decoded_without_the_whole_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_jpeg", None)
    for data in (jpeg(2_000, 1_500), jpeg(mode="CMYK"), jpeg(mode="L", progressive=True)):
        decode(ImageType.JPG, data, LIMITS)
