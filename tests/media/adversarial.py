"""Files made to be slow to read: for every parser shapes that cost more than their bytes where an
expression backtracks, a list is searched again and again, or a promise of a header is believed.

``INPUTS`` maps a name to the parser it is aimed at and a maker: bytes wanted -> data.
"""

# ruff: noqa: E501  a table reads best in lines

from __future__ import annotations

import gc
import signal
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress

from media_files import chunk, gif, gif_frame, jpeg, jpeg_with, photoshop, png, segment, tiff, xmp

from ldimport import retry_after, url
from ldimport.errors import Rejected
from ldimport.media.cleaning import clean, clean_css
from ldimport.media.decoding import decode
from ldimport.media.inspect import inspect
from ldimport.media.metadata import extract
from ldimport.model import ImageType, Limits

LIMITS = Limits()
_XMP = b"XML:com.adobe.xmp\0"
_PROFILE = b"Raw profile type iptc\0"
_RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
_SVG = 'xmlns="http://www.w3.org/2000/svg"'

Make = Callable[[int], bytes]


def read(parser: str, data: bytes) -> None:
    """Let one parser read ``data``; that it refuses it is as good as any answer."""
    with suppress(Rejected, RecursionError):
        if parser == "inspect":
            inspect(data, LIMITS)
        elif parser == "metadata":
            extract(data, _kind(data))
        elif parser == "decode":
            decode(_kind(data), data, LIMITS)
        elif parser == "svg":
            clean(data, LIMITS.max_bytes)
        elif parser == "header":
            retry_after.seconds(data.decode("latin-1"), 0, 30)
            url.parse(url.join(url.parse("http://a.example/b"), data))
        else:
            clean_css(data.decode())


class _TooLongError(BaseException):
    """Not to be caught on the way."""


def cost(parser: str, data: bytes, limit: float = 20) -> float:
    """CPU seconds of one reading; infinite where it was given up after ``limit``."""

    def give_up(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGVTALRM, give_up)
    gc.disable()  # it would look at all that this process holds, again and again
    began = time.thread_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    try:
        read(parser, data)
    except _TooLongError:
        return float("inf")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        gc.enable()
    return time.thread_time() - began


def _kind(data: bytes) -> ImageType:
    return {b"\x89": ImageType.PNG, b"\xff": ImageType.JPG, b"G": ImageType.GIF}[data[:1]]


def filled(piece: bytes, size: int) -> bytes:
    return piece * max(1, size // len(piece))


# -- PNG -----------------------------------------------------------------------------------------


def _chunks(kind: bytes, body: bytes) -> Make:
    return lambda size: png(before=filled(chunk(kind, body), size))


def _one_chunk(kind: bytes, head: bytes, piece: bytes, tail: bytes = b"") -> Make:
    return lambda size: png(before=chunk(kind, head + filled(piece, size) + tail))


def _packed(kind: bytes, head: bytes, inflated: int) -> Make:
    return _chunks(kind, head + zlib.compress(bytes(inflated)))


def _packed_profile(piece: bytes) -> Make:
    """A few hundred bytes that hold ``size``."""

    def make(size: int) -> bytes:
        packed = zlib.compress(filled(piece, size))
        return png(before=chunk(b"zTXt", _PROFILE + b"\0" + packed))

    return make


def _stored_pixels(size: int, level: int = 0) -> bytes:
    rows = max(1, size // 8_193)
    return png(1_024, rows, 16, 6, packed=zlib.compress((b"\0" + bytes(8_192)) * rows, level))


def _torn_pixels(size: int) -> bytes:
    """Pixels in chunks of one byte."""
    packed = zlib.compress((b"\0" + bytes(3)) * (size // 13), 0)[: size // 13]
    torn = b"".join(chunk(b"IDAT", packed[place : place + 1]) for place in range(len(packed)))
    return png(1, size // 13, packed=b"").replace(chunk(b"IDAT", b""), torn)


def _frames(size: int) -> bytes:
    """An APNG of tiny frames."""
    control = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0)
    frame = chunk(b"fcTL", control) + chunk(b"fdAT", bytes(4) + zlib.compress(bytes(4)))
    count = min(1_700, size // len(frame))
    return png(before=chunk(b"acTL", struct.pack(">II", count, 0)), after=frame * count)


def _crowded_tiff(entries: int, bytes_each: int, total: int) -> bytes:
    """A directory of texts which all claim the same many bytes."""
    directory = b"".join(
        struct.pack("<HHII", number, 2, bytes_each, 0) for number in range(entries)
    )
    head = b"II*\0" + struct.pack("<IH", 8, entries) + directory + bytes(4)
    return head + b"x" * max(0, total - len(head))


def _tiff(size: int) -> bytes:
    return _crowded_tiff(min(65_535, size // 24), size // 2, size)


# -- JPEG, GIF -----------------------------------------------------------------------------------


def _between(piece: bytes) -> Make:
    """``piece`` again and again behind the start of a JPEG."""
    return lambda size: jpeg_with(filled(piece, size))


def _in_scan(piece: bytes) -> Make:
    whole = jpeg()
    return lambda size: whole[:-2] + filled(piece, size) + whole[-2:]


def _segments(marker: int, head: bytes, body: bytes, each: int = 60_000) -> Make:
    """``body`` spread over as many segments as it needs."""

    def make(size: int) -> bytes:
        text = filled(body, size)
        pieces = (text[place : place + each] for place in range(0, len(text), each))
        return jpeg_with(b"".join(segment(marker, head + piece) for piece in pieces))

    return make


def _exif_segments(size: int) -> bytes:
    block = _tiff(size)
    pieces = (block[place : place + 60_000] for place in range(0, len(block), 60_000))
    return jpeg_with(b"".join(segment(0xE1, b"Exif\0\0" + piece) for piece in pieces))


def _keyword(piece: bytes) -> Make:
    return lambda size: jpeg_with(photoshop((25, b"a" + filled(piece, min(size, 32_000)) + b"b")))


def _date(piece: bytes) -> Make:
    return lambda size: jpeg_with(
        photoshop((55, b"2010-01-02T03:04:05.1" + filled(piece, min(size, 32_000)) + b"x"))
    )


def _packet(packet: str) -> bytes:
    return png(before=chunk(b"iTXt", _XMP + bytes(4) + packet.encode()))


def _xmp_defaults(size: int) -> bytes:
    """A long attribute that the document type gives to each of many elements."""
    items = "<rdf:li/>" * (size // 20)
    declared = f'<!DOCTYPE x [<!ATTLIST rdf:li a CDATA "{"x" * (size // 2)}">]>'
    return _packet(declared + xmp(f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>").decode())


def _described(piece: str, end: str = "", begin: str = "") -> Make:
    """A packet whose description holds ``piece`` again and again, and ``end`` as often."""

    def make(size: int) -> bytes:
        count = max(1, size // len(piece + end))
        return _packet(xmp(begin + piece * count + end * count).decode())

    return make


def _long_namespace(size: int) -> bytes:
    inside = f'<dc:title><rdf:Bag xmlns:l="{"u" * (size // 2)}">{"<l:a/>" * (size // 12)}</rdf:Bag>'
    return _packet(xmp(inside + "</dc:title>").decode())


def _nested_rdf(size: int) -> bytes:
    layer = "<rdf:RDF><rdf:Description><dc:title>", "</dc:title></rdf:Description></rdf:RDF>"
    depth = 70
    inside = "<rdf:li>x</rdf:li>" * (size // 18)
    return _packet(xmp(layer[0] * depth + inside + layer[1] * depth).decode())


def _sub_blocks(head: bytes) -> Make:
    return lambda size: gif(3, 2, gif_frame(), b"!" + head + filled(b"\1x", size) + b"\0")


def _gif_blocks(block: bytes) -> Make:
    return lambda size: gif(3, 2, gif_frame(), filled(block, size))


def _header(piece: bytes, begin: bytes = b"") -> Make:
    return lambda size: begin + filled(piece, min(5 * size, 65_000))


# -- SVG and CSS ---------------------------------------------------------------------------------


def _svg(piece: str, end: str = "", *, head: str = "", attributes: str = "") -> Make:
    def make(size: int) -> bytes:
        count = max(1, size // len(piece + end))
        return f"{head}<svg {_SVG} {attributes}>{piece * count}{end * count}</svg>".encode()

    return make


def _long_svg_namespace(size: int) -> bytes:
    names = f'xmlns:l="{"u" * (size // 2)}"'
    return f"<svg {_SVG} {names}>{'<l:a/>' * (size // 12)}</svg>".encode()


def _defaults(size: int) -> bytes:
    declared = "".join(f"a{number} CDATA 'x' " for number in range(size // 40))
    return (
        f"<!DOCTYPE svg [<!ATTLIST g {declared}>]><svg {_SVG}>{'<g/>' * (size // 8)}</svg>".encode()
    )


def _entities(size: int) -> bytes:
    declared = "".join(f'<!ENTITY e{number} "x">' for number in range(100))
    return (
        f"<!DOCTYPE svg [{declared}]><svg {_SVG}><text>{'&e1' * (size // 3)}</text></svg>".encode()
    )


def _prefixes(size: int) -> bytes:
    """Every element with a namespace of its own, one inside the other."""
    layers = min(250, size // 60)
    opened = "".join(f'<g xmlns:p{number}="urn:{number}">' for number in range(layers))
    return f"<svg {_SVG}>{opened}{'<g/>' * (size // 8)}{'</g>' * layers}</svg>".encode()


def _numbers(attribute: str, *pieces: str) -> Make:
    """Numbers without an end in an attribute of the root, as far as such are read at all."""

    def make(size: int) -> bytes:
        each = min(size, 990) // len(pieces)
        text = " ".join(piece * max(1, each // len(piece)) for piece in pieces)
        return f'<svg {_SVG} {attribute}="{text}x"/>'.encode()

    return make


def _uses(size: int) -> bytes:
    """Groups that show each other, many times over."""
    names = range(max(2, size // 2_000))
    uses = "".join(f'<use href="#g{number}"/>' for number in names)
    each = f"{uses}{'<g/>' * (size // len(names) // 4 - len(uses) // 4)}"
    groups = "".join(f'<g id="g{number}">{each}</g>' for number in names)
    return f"<svg {_SVG}>{groups}</svg>".encode()


def _css(piece: str, *, begin: str = "", end: str = "") -> Make:
    return lambda size: f"{begin}{filled(piece.encode(), size).decode()}{end}".encode()


_IFD = chunk(b"eXIf", tiff(dict.fromkeys(range(1, 200), 1)))

# fmt: off
INPUTS: dict[str, tuple[str, Make]] = {
    # PNG
    "png: empty chunks": ("inspect", _chunks(b"teSt", b"")),
    "png: empty pixel chunks": ("inspect", _chunks(b"IDAT", b"")),
    "png: directories without an orientation": ("inspect", lambda size: png(before=filled(_IFD, size))),
    "png: blanks behind an orientation": ("inspect", _one_chunk(b"iTXt", _XMP + b"tiff:Orientation", b" ")),
    "png: many orientations that are none": ("inspect", _one_chunk(b"iTXt", _XMP, b"tiff:Orientation ")),
    "png: many XMP chunks": ("inspect", _chunks(b"iTXt", _XMP + b"tiff:Orientation =")),
    "png: profile of line breaks": ("metadata", _one_chunk(b"tEXt", _PROFILE, b"\n")),
    "png: profile of blanks": ("metadata", _one_chunk(b"tEXt", _PROFILE + b"\nx\n", b" ")),
    "png: profile of lines": ("metadata", _one_chunk(b"tEXt", _PROFILE, b" \n")),
    "png: packed profile of lines": ("metadata", _packed_profile(b" \n")),
    "png: packed profile of blanks": ("metadata", _packed_profile(b" ")),
    "png: profile of digits": ("metadata", _one_chunk(b"tEXt", _PROFILE + b"\niptc\n", b"1", b"x")),
    "png: profile of hex": ("metadata", _one_chunk(b"tEXt", _PROFILE + b"\niptc\n 9\n", b"1c 02\n")),
    "png: many profiles": ("metadata", _chunks(b"tEXt", _PROFILE + b"\niptc\n 3\n1c0205")),
    "png: many packed profiles": ("metadata", _packed(b"zTXt", _PROFILE + b"\0", 0)),
    "png: many packed bombs": ("metadata", _packed(b"zTXt", _PROFILE + b"\0", 1_100_000)),
    "png: many packed XMP bombs": ("metadata", _packed(b"iTXt", _XMP + b"\1\0\0\0", 1_100_000)),
    "png: EXIF that claims all of it often": ("metadata", lambda size: png(before=chunk(b"eXIf", _tiff(size)))),
    "png: stored pixels": ("decode", _stored_pixels),
    "png: packed pixels": ("decode", lambda size: _stored_pixels(size * 20, 1)),
    "png: pixels in chunks of a byte": ("decode", _torn_pixels),
    "png: tiny frames": ("decode", _frames),
    # JPEG
    "jpeg: markers without a body": ("inspect", _between(b"\xff\x01")),
    "jpeg: comments without a length": ("inspect", _between(b"\xff\xfe\0\0")),
    "jpeg: segments that end behind the file": ("inspect", _between(b"\xff\xe1\xff\xff")),
    "jpeg: empty comments": ("inspect", _between(b"\xff\xfe\0\2")),
    "jpeg: fill bytes": ("inspect", _in_scan(b"\xff")),
    "jpeg: stuffed zeros": ("inspect", _in_scan(b"\xff\0")),
    "jpeg: EXIF without an orientation": ("inspect", _segments(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"\1" * 12)),
    "jpeg: EXIF that claims all of it often": ("metadata", _exif_segments),
    "jpeg: many small Photoshop segments": ("metadata", _segments(0xED, b"Photoshop 3.0\0", b"8BIM", 40)),
    "jpeg: many small EXIF segments": ("metadata", _segments(0xE1, b"Exif\0\0", b"II*\0", 40)),
    "jpeg: tiny resources": ("metadata", _segments(0xED, b"Photoshop 3.0\0", b"8BIM\4\4\0\0\0\0\0\0")),
    "jpeg: tiny datasets": ("metadata", _segments(0xED, b"Photoshop 3.0\0", b"8BIM\4\4\0\0\0\0\0\6\x1c\2\x19\0\1x")),
    "jpeg: a keyword of blanks": ("metadata", _keyword(b" ")),
    "jpeg: a keyword of separators": ("metadata", _keyword(b" ;\t,")),
    "jpeg: a date of digits": ("metadata", _date(b"1")),
    "jpeg: a date of blanks": ("metadata", _date(b" ")),
    # XMP
    "xmp: many list items": ("metadata", _described("<rdf:li>x</rdf:li>", begin="<dc:subject/>")),
    "xmp: many properties": ("metadata", _described("<dc:title>x</dc:title>")),
    "xmp: deep structures": ("metadata", _described("<ext:a>", "</ext:a>")),
    "xmp: deep lists": ("metadata", _described("<rdf:Bag><rdf:li>", "</rdf:li></rdf:Bag>")),
    "xmp: a long namespace": ("metadata", _long_namespace),
    "xmp: RDF in RDF": ("metadata", _nested_rdf),
    "xmp: comments": ("metadata", _described("<!---->")),
    "xmp: references": ("metadata", _described("&amp;")),
    "xmp: keyword of blanks": ("metadata", lambda size: _packet(xmp(f"<dc:subject>a{' ' * min(size, 32_000)}b</dc:subject>").decode())),
    "xmp: a default for each element": ("metadata", _xmp_defaults),
    "xmp: open tags": ("metadata", _described("<dc:a ")),
    # GIF
    "gif: sub-blocks of a byte": ("inspect", _sub_blocks(b"\xfe")),
    "gif: empty extensions": ("inspect", _gif_blocks(b"!\xfe\0")),
    "gif: tiny frames": ("inspect", _gif_blocks(gif_frame())),
    "gif: many XMP blocks": ("metadata", _gif_blocks(b"!\xff\x0bXMP DataXMP\1x\0")),
    "gif: decoded frames": ("decode", _gif_blocks(gif_frame())),
    # what an origin answers, as far as it is read: Location and Retry-After
    "header: steps up": ("header", _header(b"../")),
    "header: slashes": ("header", _header(b"/", b"http:")),
    "header: labels": ("header", _header(b"a.", b"//")),
    "header: users": ("header", _header(b"a@", b"//")),
    "header: brackets": ("header", _header(b"[", b"http://")),
    "header: letters of no alphabet": ("header", _header(b"\xcc\x80", b"http://")),
    "header: percent signs": ("header", _header(b"%")),
    "header: digits": ("header", _header(b"9")),
    "header: parts of dates": ("header", _header(b"Mon, 1 ")),
    "header: comments in dates": ("header", _header(b"(")),
    # SVG, read and cleaned
    "svg: digits in a viewBox": ("svg", _numbers("viewBox", "1", "1", "1", "1")),
    "svg: blanks in a viewBox": ("svg", _numbers("viewBox", "0", " ", " ", " ")),
    "svg: digits in a width": ("svg", _numbers("width", "1")),
    "svg: exponents in a height": ("svg", _numbers("height", "1e1")),
    "svg: blanks before the root": ("svg", lambda size: b" " * size + _svg("<g/>")(1)),
    "svg: a declaration of blanks": ("svg", lambda size: b"<?xml " + b"encoding" * 20 + b" " * size + b"?><svg/>"),
    "svg: comments before the root": ("svg", lambda size: b"<!---->" * (size // 7) + b"<svg/>"),
    "svg: empty elements": ("svg", _svg("<g/>")),
    "svg: attributes": ("svg", _svg('<g a="" b="" c="" d="" e="" f="(" h="" i=""/>')),
    "svg: a long namespace": ("svg", _long_svg_namespace),
    "svg: a namespace in each layer": ("svg", _prefixes),
    "svg: default attributes": ("svg", _defaults),
    "svg: entities that are not used": ("svg", _entities),
    "svg: references": ("svg", _svg("&amp;")),
    "svg: texts in pieces": ("svg", _svg("<text>x<tspan/>y</text>")),
    "svg: comments": ("svg", _svg("<!---->")),
    "svg: instructions": ("svg", _svg("<?a?>")),
    "svg: sections": ("svg", _svg("<style><![CDATA[a]]></style>")),
    "svg: styles in pieces": ("svg", lambda size: f"<svg {_SVG}><style>{'<![CDATA[@]]>' * (size // 13)}</style></svg>".encode()),
    "svg: one long path": ("svg", lambda size: f'<svg {_SVG}><path d="{"M1 2" * (size // 4)}"/></svg>'.encode()),
    "svg: embedded pixels": ("svg", lambda size: f'<svg {_SVG}><image href="data:image/png;base64,{"QUJD" * (size // 4)}"/></svg>'.encode()),
    "svg: uses of uses": ("svg", _uses),
    "svg: a use of itself": ("svg", _svg('<use href="#a"/>', attributes='id="a"')),
    "svg: references of one element": ("svg", lambda size: f'<svg {_SVG}><g id="a" style="{"url(#a)" * (size // 8)}"/></svg>'.encode()),
    "svg: open tags": ("svg", _svg("<g ")),
    # CSS
    "css: comments": ("css", _css("/**/", end="@x")),
    "css: comments and colons": ("css", _css("/**/:", end="@x")),
    "css: open comments": ("css", _css("/*", end="@x")),
    "css: blanks": ("css", _css("  \n", begin="@x")),
    "css: fragments without an end": ("css", _css("url(#a", end="\\")),
    "css: a long fragment": ("css", _css("a", begin="url(#", end="\\")),
    "css: addresses": ("css", _css("url(//a)")),
    "css: quotes": ("css", _css("'\\'", begin="@x ")),
    "css: escapes": ("css", _css("\\75 ")),
    "css: digits": ("css", _css("1", begin="@x ")),
    "css: dots": ("css", _css("1.", begin="@x ")),
    "css: numbers": ("css", _css("1e1.", begin="@x ")),
    "css: brackets": ("css", _css("(", begin="@x ")),
    "css: closed brackets": ("css", _css("(){}[]", begin="@x ")),
    "css: functions": ("css", _css("image(a)url()", begin="@x ")),
    "css: rules": ("css", _css("@import x;a{b:c}")),
    "css: bindings": ("css", _css("behavior:x;")),
    "css: names": ("css", _css("a-", begin="@x ")),
    "css: words for scripts": ("css", _css("javascript:", begin="\\")),
}
# fmt: on
