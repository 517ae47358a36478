"""What goes between the sandbox and its child.

A request is a header (work, kind, size, place), for a rendition its form (width, height, fit,
format) and, where it does not lie in the memory file that both share, the image; an answer is a
header (outcome, width, height, size) and a body: the cleaned SVG, metadata as JSON, the rendition,
or code and reason of a refusal as JSON. Answers come in the order of the requests, of which several
may be under way.
"""

import struct
from enum import IntEnum, IntFlag

from ldimport.media.rendition import Fitting, Rendition, RenditionFormat
from ldimport.model import ImageType

REQUEST = struct.Struct(">BBII")
FORM = struct.Struct(">HHBB")
REPLY = struct.Struct(">BIII")
KINDS = (ImageType.PNG, ImageType.JPG, ImageType.GIF, ImageType.SVG)
"""A request names its kind by the position here."""
_FITTINGS, _FORMATS = tuple(Fitting), tuple(RenditionFormat)
"""So does a form; a side that is open is 0."""
IN_PIPE = 0xFFFFFFFF
"""The place of an image that follows its header."""


class Work(IntFlag):
    """First byte of a request: what to do with the image. Decoding and reading its metadata may be
    asked for together."""

    DECODE = 1
    METADATA = 2
    SANITISE = 4
    PROVE = 8
    """No image: show that this kind can be read at all, by one that is sound."""
    RENDER = 16
    """Draw it in the form that follows the header."""


class ChildOutcome(IntEnum):
    """First byte of an answer. ``EXHAUSTED``: memory ran out, the child still lives;
    ``UNUSABLE``: a library is missing, no image can be read so."""

    DONE = 0
    REJECTED = 1
    EXHAUSTED = 2
    UNUSABLE = 3


def packed(form: Rendition) -> bytes:
    """A form as it follows a header."""
    place = _FITTINGS.index(form.fit), _FORMATS.index(form.format)
    return FORM.pack(form.width or 0, form.height or 0, *place)


def unpacked(data: bytes) -> Rendition:
    """The form that ``packed`` wrote."""
    width, height, fit, into = FORM.unpack(data)
    return Rendition(width or None, height or None, _FITTINGS[fit], _FORMATS[into])
