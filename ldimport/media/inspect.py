"""What an image is, said by its bytes alone: type, exact size, frames, and whether it is whole.

Only structure is walked, in bounded steps; nothing is decoded. What ``is_markup`` is only read in
the limited child (``sandbox``), which does the decoding as well. Cheap to import.
"""

import re
from collections.abc import Iterable, Mapping

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media import gif, jpeg, png
from ldimport.media.svg import SvgReader
from ldimport.model import Facts, ImageType, Limits

_NO_WORD = re.compile(r"[^a-z0-9]+")
_TAG = re.compile(rb"<[?!A-Za-z]")
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_HEAD = 4_000
"""Bytes at the beginning that are looked at."""
_UTF16 = (b"\xff\xfe<\0", b"\xfe\xff\0<", b"<\0", b"\0<")
_IMAGES = {
    b"BM": "BMP", b"\0\0\1\0": "ICO", b"\0\0\2\0": "CUR", b"II*\0": "TIFF", b"MM\0*": "TIFF",
    b"II+\0": "BigTIFF", b"8BPS": "Photoshop (PSD)", b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000", b"\0\0\0\x0cJXL ": "JPEG XL", b"\xff\x0a": "JPEG XL",
    b"\x1f\x8b": "gzip-compressed data (svgz?)", b"icns": "ICNS", b"DDS ": "DDS", b"qoif": "QOI",
    b"%!PS": "PostScript (EPS)", b"\xc5\xd0\xd3\xc6": "PostScript (EPS)", b"%PDF": "PDF",
}  # fmt: skip
_OTHERS = {b"PK\x03\x04": "a ZIP archive", b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7z archive",
           b"\x7fELF": "a program", b"MZ": "a program", b"{": "JSON", b"[": "JSON"}  # fmt: skip
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF",
           b"msf1": "HEIF", b"crx ": "Canon CR3", b"qt  ": "QuickTime"}  # fmt: skip


def inspect(data: bytes, limits: Limits) -> Facts:
    """The facts of an image whose structure is sound and within ``limits``. Raises Rejected:
    ``not-an-image``, ``…-not-accepted``, ``truncated``, ``corrupt``, ``too-many-bytes``,
    ``too-many-pixels``, ``too-many-frames``, ``svg-unsafe``, ``svg-size``, ``too-complex``."""
    if len(data) > limits.max_bytes:
        reason = f"{len(data):,} bytes, the limit is {limits.max_bytes:,}"
        raise Rejected(Cause.TOO_MANY_BYTES, reason)
    facts = _walked(data, limits)
    check_pixels(facts.width, facts.height, limits)
    return facts


def _walked(data: bytes, limits: Limits) -> Facts:
    if jpeg.begins(data):
        photo = jpeg.walk(data)
        notes = _noted(photo.stray, Cause.STRAY_BYTES)
        return Facts(ImageType.JPG, photo.width, photo.height, 1, photo.orientation, notes)
    if data.startswith(png.SIGNATURE):
        picture = png.walk(data)
        if picture.frames > limits.max_frames:
            reason = f"{picture.frames:,} frames, the limit is {limits.max_frames:,}"
            raise Rejected(Cause.TOO_MANY_FRAMES, reason)
        _check_reach(picture, picture.animation, limits)
        notes = _noted(picture.damaged, Cause.DAMAGED_CHUNK)
        size = (picture.width, picture.height)
        return Facts(ImageType.PNG, *size, picture.frames, picture.orientation, notes)
    if data.startswith(gif.SIGNATURES):
        animation = gif.walk(data, limits.max_frames)
        _check_reach(animation, animation.frames, limits)
        notes = _noted(not animation.ended, Cause.NO_END_MARK)
        size = (animation.width, animation.height)
        return Facts(ImageType.GIF, *size, len(animation.frames), notes=notes)
    if is_markup(data):
        return SvgReader().read(data)
    raise _refusal(data)


def _noted(what: bool, note: Cause) -> tuple[str, ...]:
    return (note.code,) if what else ()


def _check_reach(
    screen: png.Png | gif.Gif, frames: Iterable[png.PngFrame | gif.Frame], limits: Limits
) -> None:  # decoders may make the screen as large as its frames reach
    for frame in frames:
        check_pixels(max(screen.width, frame.right), max(screen.height, frame.bottom), limits)


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Raises Rejected ``too-many-pixels``."""
    if width * height > limits.max_pixels:
        raise Rejected(
            Cause.TOO_MANY_PIXELS,
            f"{width:,} x {height:,} is {width * height:,} pixels,"
            f" the limit is {limits.max_pixels:,}",
        )


def is_markup(data: bytes) -> bool:
    """Whether to read this as XML: it begins with a tag and is no HTML page."""
    head = _head(data)
    return data.startswith(_UTF16) or bool(_TAG.match(head) and not _is_html(head))


def _head(data: bytes) -> bytes:
    """The beginning without byte order mark and blanks."""
    start = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start or data.lstrip()[:_HEAD]


def _is_html(head: bytes) -> bool:
    while head.startswith(b"<!--"):
        head = head.partition(b"-->")[2].lstrip()
    return bool(_HTML.match(head))


def _refusal(data: bytes) -> Rejected:
    """Why bytes that are none of the accepted types are refused: ``…-not-accepted`` for images
    and documents that have a name, ``not-an-image`` for all else."""
    if image := _image(data):
        why = Cause.FORMAT_NOT_ACCEPTED.with_(format=_NO_WORD.sub("-", image.lower()).strip("-"))
        return Rejected(why, f"{image} is not accepted: png, jpg, gif, svg")
    return Rejected(Cause.NOT_AN_IMAGE, f"not an image: the file {_described(data)}")


def _image(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "MP4 video")
    return _begun(data, _IMAGES)


def _begun(data: bytes, names: Mapping[bytes, str]) -> str | None:
    return next((name for start, name in names.items() if data.startswith(start)), None)


def _described(data: bytes) -> str:
    if not data.strip(b"\0 \t\r\n"):
        return "is empty" if not data else "holds only blanks"
    if _is_html(_head(data)):
        return "begins like HTML"
    if name := _begun(data, _OTHERS):
        return f"begins like {name}"
    if _is_text(data[:200]):
        return "is text"
    return f"begins with {data[:8].hex(' ')}"


def _is_text(head: bytes) -> bool:
    """No control characters, and most of it ASCII."""
    printable = all(byte >= 0x20 or byte in b"\t\r\n" for byte in head)
    return printable and sum(byte < 0x80 for byte in head) * 5 >= len(head) * 4
