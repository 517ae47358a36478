"""Hostile images made here, at both levels of integrity, each with the cause of its refusal."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest
from media_files import (
    chunk,
    gif,
    gif_frame,
    jpeg,
    jpeg_with,
    png,
    png_header,
    png_rows,
    segment,
    svg,
)
from svg_payload import payloads

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media.budget import Budget, Inflated
from ldimport.media.inspect import inspect
from ldimport.media.sandbox import Sandbox
from ldimport.model import ImageType, Limits

LIMITS = Limits()
BOMB = zlib.compress(bytes(50_000_000), 9)
ROW = png_rows(7, 1)


def header_alone(width: int, height: int) -> bytes:
    whole = png()
    return whole[:8] + png_header(width, height) + whole[33:]


REFUSED = {
    "png of zero pixels": (header_alone(0, 10), Cause.CORRUPT),
    "png of a negative size": (header_alone(1 << 31, 1), Cause.CORRUPT),
    "png of 4 gigapixels in 60 bytes": (header_alone(65_535, 65_535), Cause.TOO_MANY_PIXELS),
    "png with too few rows": (png(packed=zlib.compress(ROW * 4)), Cause.TRUNCATED),
    "png with a stream that is cut": (png(packed=zlib.compress(ROW * 5)[:-5]), Cause.TRUNCATED),
    "png with one row too many": (png(packed=zlib.compress(ROW * 6)), Cause.CORRUPT),
    "png that inflates for ever": (png(packed=BOMB), Cause.CORRUPT),
    "png with no zlib stream": (png(packed=b"nothing"), Cause.CORRUPT),
    "png with a wrong checksum": (png().replace(b"IHDR", b"IHDr", 1), Cause.CORRUPT),
    "png without its end": (png()[:-12], Cause.TRUNCATED),
    "jpeg without its end": (jpeg()[:-2], Cause.TRUNCATED),
    "jpeg that is a start and garbage": (b"\xff\xd8\xff" + b"\xab" * 500, Cause.TRUNCATED),
    "gif of a screen alone": (gif()[:13], Cause.TRUNCATED),
    "gif without a frame": (gif()[:19] + b";", Cause.CORRUPT),
    "gif with a frame of 4 gigapixels": (gif(1, 1, gif_frame(65_535, 65_535)),
                                         Cause.TOO_MANY_PIXELS),
    "gif with broken pixels": (gif(3, 2, gif_frame(9, 9)), Cause.CORRUPT),
    "page named as an image": (b"<!DOCTYPE html><script>x</script>", Cause.NOT_AN_IMAGE),
    "xml that is no svg": (b'<?xml version="1.0"?><html/>', Cause.NOT_AN_IMAGE),
    "svg that laughs": (
        b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + svg("<text>&b;</text>"),
        Cause.SVG_UNSAFE,
    ),
    "svg that asks for a file": (
        b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + svg("<text>&a;</text>"),
        Cause.SVG_UNSAFE,
    ),
    "svg that nests": (svg("<g>" * 300 + "</g>" * 300), Cause.TOO_COMPLEX),
}  # fmt: skip
HARMLESS = {
    "png with a bomb in its profile": png(before=chunk(b"iCCP", b"x\0\0" + BOMB)),
    "png with a bomb in its text": png(before=chunk(b"zTXt", b"Raw profile type xmp\0\0" + BOMB)),
    "png with a bomb in its packet": png(
        before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB)
    ),
    "png and an archive": png() + b"PK\3\4" + bytes(30),
    "jpeg with a page in a comment": jpeg_with(segment(0xFE, b"<script>alert(1)</script>")),
    "jpeg with a packet that is a bomb": jpeg_with(
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
    ),
    "jpeg with EXIF that claims gigabytes": jpeg_with(
        segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0\x0e\1\2\0\xff\xff\xff\xff\0\0\0\0")
    ),
    "svg that runs": svg("<script>alert(1)</script><g onload='alert(1)'/>"),
    "svg that loads": svg(
        "<image href='http://10.0.0.1/'/><style>@import 'http://10.0.0.1/'</style>"
    ),
    "svg that uses itself": svg("<g id='a'><use href='#a'/></g>"),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as one:
        yield one


def take(sandbox: Sandbox, data: bytes) -> bytes:
    """What would be stored, metadata read as well."""
    facts = inspect(data, LIMITS)
    assert sandbox.metadata(data, facts) == {}
    if facts.type is ImageType.SVG:
        return sandbox.sanitise(data)[0]
    sandbox.decode(data, facts)
    return data


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_hostile_is_refused_for_its_own_cause(sandbox: Sandbox, name: str) -> None:
    data, cause = REFUSED[name]
    with pytest.raises(Rejected) as caught:
        take(sandbox, data)
    assert caught.value.why.cause is cause


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_hostile_only_to_others_is_made_harmless(sandbox: Sandbox, name: str) -> None:
    data = HARMLESS[name]
    stored = take(sandbox, data)
    assert payloads(stored) == [] if name.startswith("svg") else stored == data


def test_no_more_comes_out_than_the_budget_has() -> None:
    stream = Inflated([BOMB[:100], BOMB[100:]], Budget(1_000, Cause.TOO_COMPLEX, "a bomb"))
    assert len(stream.read(600)) == 600
    with pytest.raises(Rejected, match="a bomb"):
        stream.read(600)
    budget = Budget(10, Cause.TOO_COMPLEX, "a bomb")
    budget.spend(10)
    with pytest.raises(Rejected):
        budget.spend(1)
    assert Inflated([zlib.compress(b"")], budget).read(5) == b""
