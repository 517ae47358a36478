"""Small images made byte by byte, so that a test can break exactly one thing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from random import Random

from PIL import Image

Breaking = Callable[..., None]
"""What the fixture ``breaking`` gives."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(
    width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0
) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png_rows(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    row = b"\0" + bytes((width * depth * CHANNELS[colour] + 7) // 8)
    return row * height


def png(
    width: int = 7,
    height: int = 5,
    depth: int = 8,
    colour: int = 2,
    *,
    before: bytes = b"",
    after: bytes = b"",
    packed: bytes | None = None,
) -> bytes:
    """A PNG; ``before`` and ``after`` are chunks around IDAT, ``packed`` replaces its body."""
    body = zlib.compress(png_rows(width, height, depth, colour)) if packed is None else packed
    palette = chunk(b"PLTE", bytes(6)) if colour == 3 else b""
    parts = (png_header(width, height, depth, colour), palette, before, chunk(b"IDAT", body), after)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    """The same noise each time."""
    return Image.frombytes("L", (width, height), Random(seed).randbytes(width * height))


def jpeg(width: int = 16, height: int = 16, mode: str = "RGB", **options: object) -> bytes:
    """A JPEG with noise, so that its scan has some length."""
    image = noise(width, height).convert(mode)
    stream = BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def jpeg_with(segment: bytes, original: bytes | None = None) -> bytes:
    """A JPEG with ``segment`` (marker and length included) right behind SOI."""
    data = jpeg() if original is None else original
    return data[:2] + segment + data[2:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def gif_frame(width: int = 1, height: int = 1, packed: bytes = b"\x02\x02\x44\x01\x00") -> bytes:
    """One frame; the default pixels are a single one of colour 0."""
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + packed


def gif(width: int = 3, height: int = 2, *blocks: bytes, trailer: bytes = b";") -> bytes:
    """A GIF with a palette of two colours; ``blocks`` default to one pixel."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"".join(blocks or (gif_frame(),)) + trailer


def svg(inside: str = "", attributes: str = 'width="10" height="5"') -> bytes:
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {namespaces} {attributes}>{inside}</svg>".encode()


def tiff(entries: dict[int, bytes | int], order: str = "<") -> bytes:
    """A TIFF block: texts (bytes) and SHORTs (int) in IFD0."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    place = 8 + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(order + "H", len(entries)), b""
    for tag, value in sorted(entries.items()):
        if isinstance(value, int):
            directory += struct.pack(order + "HHIHH", tag, 3, 1, value, 0)
        elif len(value) <= 4:
            directory += struct.pack(order + "HHI", tag, 2, len(value)) + value.ljust(4, b"\0")
        else:
            directory += struct.pack(order + "HHII", tag, 2, len(value), place + len(values))
            values += value
    return head + directory + bytes(4) + values


def photoshop(*datasets: tuple[int, bytes]) -> bytes:
    """An APP13 segment with IIM datasets of record 2."""
    block = b"".join(
        b"\x1c\x02" + bytes((number,)) + struct.pack(">H", len(value)) + value
        for number, value in datasets
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)
    return segment(0xED, b"Photoshop 3.0\0" + resource)


def xmp(inside: str) -> bytes:
    """An XMP packet with one description."""
    spaces = {
        "dc": "http://purl.org/dc/elements/1.1/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "core": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
    }
    declared = " ".join(f'xmlns:{name}="{space}"' for name, space in spaces.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {declared}>{inside}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


def xmp_segment(inside: str) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(inside))
