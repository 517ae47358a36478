"""The bytes decide; refusals have stable codes and reasons for people."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import gif, jpeg, png, svg

from ldimport.causes import known_cause
from ldimport.errors import Rejected
from ldimport.media.inspect import inspect
from ldimport.model import ImageType, Limits

LIMITS = Limits()


def refused(data: bytes, limits: Limits = LIMITS) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        inspect(data, limits)
    assert not caught.value.retryable
    return caught.value.code, caught.value.reason


def test_the_four_types_are_told_by_their_bytes() -> None:
    kinds = [inspect(data, LIMITS).type for data in (png(), jpeg(), gif(), svg())]
    assert kinds == [ImageType.PNG, ImageType.JPG, ImageType.GIF, ImageType.SVG]


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"", "not-an-image", "not an image: the file is empty"),
        (b"\0" * 50, "not-an-image", "not an image: the file holds only blanks"),
        (b"<!DOCTYPE html>\n<html>", "not-an-image", "not an image: the file begins like HTML"),
        (b"<!-- x --> <HTML>", "not-an-image", "not an image: the file begins like HTML"),
        (b'{"error": 404}', "not-an-image", "not an image: the file begins like JSON"),
        (b"Not found", "not-an-image", "not an image: the file is text"),
        (b"PK\3\4....", "not-an-image", "not an image: the file begins like a ZIP archive"),
        (b"\xde\xad\xbe\xef", "not-an-image", "not an image: the file begins with de ad be ef"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp-not-accepted", "WebP is not accepted: png, jpg, gif, svg"),
        (b"\0\0\0\x20ftypavif", "avif-not-accepted", "AVIF is not accepted: png, jpg, gif, svg"),
        (b"\0\0\0\x20ftypheic", "heic-not-accepted", "HEIC is not accepted: png, jpg, gif, svg"),
        (b"\0\0\0\x20ftypisom", "mp4-video-not-accepted",
         "MP4 video is not accepted: png, jpg, gif, svg"),
        (b"II*\0", "tiff-not-accepted", "TIFF is not accepted: png, jpg, gif, svg"),
        (b"BM....", "bmp-not-accepted", "BMP is not accepted: png, jpg, gif, svg"),
        (b"%PDF-1.7", "pdf-not-accepted", "PDF is not accepted: png, jpg, gif, svg"),
    ],
)  # fmt: skip
def test_refusals_say_what_the_file_is(data: bytes, code: str, reason: str) -> None:
    assert refused(data) == (code, reason)
    assert known_cause(code)


def test_names_with_brackets_become_causes_that_are_known() -> None:
    code, reason = refused(b"\x1f\x8b\b")
    assert code == "gzip-compressed-data-svgz-not-accepted"
    assert reason.startswith("gzip-compressed data (svgz?) is not accepted")
    assert known_cause(code)


def test_signatures_alone_are_truncated_images() -> None:
    for start in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a"):
        assert refused(start)[0] == "truncated"


def test_limits_are_inclusive() -> None:
    exact = png(60, 40)
    at = Limits(max_bytes=len(exact), max_pixels=2_400)
    assert inspect(exact, at).width == 60
    assert refused(png(61, 40), Limits(max_pixels=2_400)) == (
        "too-many-pixels", "61 x 40 is 2,440 pixels, the limit is 2,400")  # fmt: skip
    assert refused(exact, Limits(max_bytes=len(exact) - 1))[0] == "too-many-bytes"
    with pytest.raises(Rejected, match="the limit is 24,000,000"):
        inspect(png(6_001, 4_000, 1, 0), LIMITS)
    assert inspect(png(6_000, 4_000, 1, 0), LIMITS).height == 4_000


STARTS = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"<svg ",
    b"<?xml ",
    b"\xff\xfe<\0",
)


@given(st.binary(max_size=200), st.sampled_from(STARTS))
@settings(max_examples=400, deadline=None)
def test_no_bytes_bring_anything_but_an_answer(data: bytes, start: bytes) -> None:
    try:
        facts = inspect(start + data, LIMITS)
    except Rejected as rejected:
        assert rejected.code and rejected.reason and "\n" not in rejected.reason
    else:
        assert facts.width > 0 and facts.height > 0


def test_importing_it_loads_no_decoder() -> None:
    program = "import sys; from ldimport.media import fields, inspect, sandbox; " \
        "print([m for m in ('PIL', 'py_svg_hush') if m in sys.modules])"  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert answer.stdout.strip() == b"[]"
