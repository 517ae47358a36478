"""The gate for SVG: a bounded reading by expat that neither opens files nor expands bombs.

The text is decoded here, once, from an allowed encoding, so that no later reader can see another
one. Entities may be declared (Illustrator does) as long as they are internal, do not refer to each
other and are small in sum.
"""

import math
import re
from collections.abc import Sequence
from xml.parsers import expat

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media.budget import Budget
from ldimport.model import Facts, ImageType

NAMESPACE = "http://www.w3.org/2000/svg"
MAX_DEPTH = 256
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 500
"""Of one element."""
_MAX_DEFAULTS = 100
"""Attributes that the document type may give to elements."""
_MAX_NAMESPACE = 1_000
"""Characters: it is copied for each name in it."""
_MAX_ENTITIES = 100
_MAX_EXPANSION = 1_000_000
"""Characters that all entity references of a document may expand to."""

_REFERENCE = re.compile(r"&(?!#\d+;|#x[0-9a-fA-F]+;)")
_DECLARATION = re.compile(rb"""<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_XML_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")
_ENCODINGS = re.compile(r"utf-?8|us-ascii|ascii|iso-?8859-?\d{1,2}|latin-?1|windows-125\d", re.I)
_WIDE = re.compile(r"utf-?16(?:-?[lb]e)?|ucs-?2|iso-10646-ucs-2|unicode", re.I)
"""What writers declare that make UTF-8 of a text which says UTF-16 (.NET's StringWriter)."""
_STARTS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"),
           (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))  # fmt: skip

_NUMBER = r"[+-]?+(?>\d++(?:\.\d*+)?+|\.\d++)(?:e[+-]?\d++)?+"
_LENGTH = re.compile(rf"\s*({_NUMBER})\s*([a-z]*|%)\s*", re.IGNORECASE)
_VIEW_BOX = re.compile(rf"\s*({_NUMBER})" + rf"(?>\s*,\s*|\s+)({_NUMBER})" * 3 + r"\s*", re.I)
_PIXELS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6,
           "pt": 96 / 72, "pc": 16.0, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0}  # fmt: skip
_RELATIVE = frozenset({"%", "vw", "vh", "vmin", "vmax", "vi", "vb"})
_DEFAULT = (300.0, 150.0)  # as in every browser
_MAX_SIDE = 1_000_000
_TOO_MUCH = "the SVG's entities would expand to an enormous text"


def decode(data: bytes) -> str:
    """The document as text without its XML declaration. Raises Rejected ``corrupt`` for bytes
    that do not fit, ``svg-unsafe`` for an encoding that could hide markup (UTF-7 and the like).
    Bytes that cannot be UTF-16 are read as UTF-8 though it is declared, as browsers do."""
    for start, encoding in _STARTS:
        if data.startswith(start):
            return _decoded(data, encoding)
    declared = _DECLARATION.match(data.lstrip())
    encoding = declared[1].decode() if declared else "utf-8"
    if _WIDE.fullmatch(encoding):  # the bytes say that it is not
        encoding = "utf-8"
    if not _ENCODINGS.fullmatch(encoding):
        raise Rejected(Cause.SVG_UNSAFE, f"the SVG is written in {encoding}; save it as UTF-8")
    return _decoded(data, encoding)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding).lstrip("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise Rejected(Cause.CORRUPT, f"damaged SVG: it is not valid {encoding.upper()}") from error
    found = _XML_DECLARATION.match(text.lstrip())
    return text.lstrip()[found.end() :] if found else text


def check_namespace(_prefix: str | None, name: str | None) -> None:
    """Raises Rejected ``too-complex`` for a name that is absurdly long."""
    if len(name or "") > _MAX_NAMESPACE:
        raise Rejected(Cause.TOO_COMPLEX, "the SVG has a namespace with an absurdly long name")


class SvgReader:
    """One reading of one document. ``cleaning.Cleaner`` builds on it and overrides the ``on_``
    methods; names arrive as ``namespace local`` (namespace omitted where there is none)."""

    def __init__(self) -> None:
        self.depth = 0
        self.namespace = ""
        self._elements = 0
        self._entities = Budget(_MAX_ENTITIES, Cause.SVG_UNSAFE, _TOO_MUCH)
        self._expansion = Budget(_MAX_EXPANSION, Cause.SVG_UNSAFE, _TOO_MUCH)
        many = f"the SVG declares more than {_MAX_DEFAULTS} attributes"
        self._defaults = Budget(_MAX_DEFAULTS, Cause.TOO_COMPLEX, many)
        self._text = ""
        self._size = (0, 0)

    def read(self, data: bytes) -> Facts:
        """Read the whole document and say how large it is. Raises Rejected ``not-an-image``,
        ``corrupt``, ``svg-unsafe``, ``svg-size`` or ``too-complex``."""
        self._text = decode(data)
        parser = self._parser()
        try:
            parser.Parse(self._text, True)
        except expat.ExpatError as error:
            if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
                raise MemoryError from error
            raise Rejected(Cause.CORRUPT, f"the SVG is not well-formed XML: {error}") from error
        return Facts(ImageType.SVG, *self._size)

    def on_start(self, name: str, attributes: Sequence[str]) -> None:
        """An element begins; ``attributes`` are name, value, name, value …"""

    def on_end(self, name: str) -> None:
        """An element ends."""

    def on_text(self, text: str) -> None:
        """Character data."""

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", " ", {})
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.specified_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.on_text
        parser.EntityDeclHandler = self._declare
        parser.AttlistDeclHandler = lambda *_: self._defaults.spend(1)
        parser.StartNamespaceDeclHandler = check_namespace
        return parser

    def _start(self, name: str, attributes: list[str]) -> None:
        if not self.depth:
            self._root(name, attributes)
        self.depth += 1
        self._elements += 1
        if self.depth > MAX_DEPTH:
            raise Rejected(Cause.TOO_COMPLEX, f"the SVG nests deeper than {MAX_DEPTH} elements")
        if self._elements > MAX_ELEMENTS:
            raise Rejected(Cause.TOO_COMPLEX, f"the SVG has more than {MAX_ELEMENTS:,} elements")
        if len(attributes) > 2 * MAX_ATTRIBUTES:
            reason = f"the SVG has a tag with over {MAX_ATTRIBUTES} attributes"
            raise Rejected(Cause.TOO_COMPLEX, reason)
        self.on_start(name, attributes)

    def _end(self, name: str) -> None:
        self.depth -= 1
        self.on_end(name)

    def _root(self, name: str, attributes: list[str]) -> None:
        self.namespace, _, local = name.rpartition(" ")
        if local != "svg" or self.namespace not in ("", NAMESPACE):
            raise Rejected(Cause.NOT_AN_IMAGE, f"not an image: an XML document of <{local[:40]}>")
        values = dict(zip(attributes[::2], attributes[1::2], strict=True))
        self._size = _pixels(values.get("width"), values.get("height"), values.get("viewBox"))

    def _declare(
        self, name: str, parameter: bool, value: str | None, _base: str | None,
        system: str | None, _public: str | None, _notation: str | None,
    ) -> None:  # fmt: skip
        """Count what the references to an entity expand to, before any of them is expanded."""
        if parameter or system is not None or value is None:
            raise Rejected(Cause.SVG_UNSAFE, f"the SVG asks for outside data (entity {name[:40]})")
        if _REFERENCE.search(value):
            raise Rejected(Cause.SVG_UNSAFE, f"entity {name[:40]} of the SVG refers to another one")
        self._entities.spend(1)
        self._expansion.spend(len(value) * self._text.count(f"&{name};"))


def _pixels(width: str | None, height: str | None, view_box: str | None) -> tuple[int, int]:
    """Whole pixels, at least 1, of a root with these attributes, by the rules of CSS at 96 dpi
    (SVG 2, section 8; CSS Values 4): absolute lengths count; what is missing follows from the ratio
    of ``viewBox``; a percentage, ``auto`` or a unit of the viewport count as missing. Raises
    Rejected ``svg-size`` for zero, negative or absurd values, and for text that is no length where
    nothing else helps."""
    box = _view_box(view_box)
    wide = _length("width", width, box)
    high = _length("height", height, box)
    if wide is None and high is None:
        if box is None and view_box and view_box.strip():
            raise _unusable("viewBox", view_box)
        wide, high = box or _DEFAULT
    elif wide is None and high is not None:
        wide = high * box[0] / box[1] if box else _DEFAULT[0]
    elif high is None and wide is not None:
        high = wide * box[1] / box[0] if box else _DEFAULT[1]
    return _whole("width", wide), _whole("height", high)


def _view_box(text: str | None) -> tuple[float, float] | None:
    """Width and height of the viewBox; None where there is none that can be used."""
    found = _VIEW_BOX.fullmatch(text) if text and len(text) < 1_000 else None
    if found is None:
        return None
    wide, high = float(found[3]), float(found[4])
    usable = 0 < wide < math.inf and 0 < high < math.inf
    return (wide, high) if usable else None


def _length(name: str, text: str | None, box: object) -> float | None:
    """Pixels of one attribute, None where it leaves the length open."""
    if text is None or text.strip().lower() in ("", "auto"):
        return None
    found = _LENGTH.fullmatch(text) if len(text) < 1_000 else None
    unit = found[2].lower() if found else ""
    if found is None or (unit not in _PIXELS and unit not in _RELATIVE):
        if box is not None:
            return None
        raise Rejected(Cause.SVG_SIZE, f'the SVG\'s {name}="{text[:40]}" is not a length')
    if unit in _RELATIVE:
        return None
    return _sane(name, float(found[1]) * _PIXELS[unit], text)


def _sane(name: str, pixels: float, text: str) -> float:
    if not 0 < pixels <= _MAX_SIDE:
        raise _unusable(name, text)
    return pixels


def _unusable(name: str, text: str) -> Rejected:
    return Rejected(Cause.SVG_SIZE, f'the SVG\'s {name}="{text[:40]}" is no usable size')


def _whole(name: str, pixels: float | None) -> int:
    """Rounded half up, as CSS does."""
    known = _sane(name, pixels or 0.0, f"{pixels:g}")
    return max(1, math.floor(known + 0.5))
