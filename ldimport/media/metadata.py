"""The metadata inside an image, under the names that a media type's ``exifExtraction`` uses.

XMP counts before IIM, IIM before EXIF. What is damaged is left out, an image is never refused for
it. Runs in the limited child only. Where it is kept is found by ``blocks``, since Pillow misses
some of it (XMP behind the pixels of a PNG or in a GIF, IIM in a PNG).
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import DefusedXMLParser

from ldimport.errors import Rejected
from ldimport.media import exif
from ldimport.media.blocks import read_blocks
from ldimport.media.fields import CREATED, DAY, EMPTY, FIELDS, NAMESPACES, Field, FieldKind
from ldimport.media.svg import check_namespace
from ldimport.model import ImageType, Json

_MAX_TEXT = 32_000
"""Characters of one text: about what IIM can hold at most."""
_MAX_PACKET = 1_000_000
_SEPARATORS = re.compile(r"[;,]")
_MAX_DATASETS = 5_000
_UTF_8 = "utf-8"
_CODED_CHARACTER_SET = (1, 90)
_LATIN = ("A cp1252", "B iso8859-2", "C iso8859-3", "D iso8859-4", "L iso8859-5", "G iso8859-6",
          "F iso8859-7", "H iso8859-8", "M iso8859-9")  # fmt: skip
_CODINGS = {b"\x1b%G": _UTF_8} | {
    b"\x1b%b%b" % (area, each[:1].encode()): each[2:] for each in _LATIN for area in (b"-", b".")
}
"""What 1:90 says (ISO 2022); of ISO 8859-1 nearly all writers mean Windows-1252."""
_RESOURCE = b"8BIM"
_IPTC = 0x0404
_DATE = re.compile(
    r"(\d{4})(?:[-:./]?(\d\d)(?:[-:./]?(\d\d))?)?"
    r"(?:[T ]?(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,6})\d*)?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?"
)
_TIME = re.compile(r"(\d\d):?(\d\d):?(\d\d)(\.\d+)?([+-]\d\d:?\d\d)?")
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_SYNTAX = (_RDF, _LANGUAGE)


def extract(data: bytes, kind: ImageType) -> dict[str, Json]:
    """The fields of ``fields.FIELDS`` that the image fills, by canonical name. Texts are texts,
    or a list where there are several, structures objects, ``Date Created`` is a full ISO date in
    UTC (see ``fields.DAY``). Never raises but MemoryError."""
    blocks = read_blocks(data, kind)
    properties = read_xmp(blocks.xmp) if blocks.xmp else {}
    datasets = read_iim(bytes(blocks.iim)) if blocks.iim else {}
    tags = {name: _text(raw) for name, raw in exif.texts(bytes(blocks.tiff)).items()}
    found: dict[str, Json] = {}
    for field in FIELDS:
        for candidate in _candidates(field, properties, datasets, tags):
            value = _shaped(field, candidate)
            if value not in EMPTY:
                found[field.name] = value
                break
    if local := str(found.get(CREATED, "")):
        found[CREATED] = in_utc = iso(local)
        if local[:10] != in_utc[:10]:
            found[DAY] = local[:10]
    return found


# -- XMP by defusedxml ---------------------------------------------------------------------------


def _text(raw: bytes, coding: str = "") -> str:
    """Bytes in the coding that they are said to be in (``""``: not said). Most writers use UTF-8,
    with or without saying so; what is not UTF-8 is Windows-1252."""
    text = _utf_8_text(raw, said=coding == _UTF_8) if coding in ("", _UTF_8) else None
    if text is None:
        text = raw.decode("cp1252" if coding in ("", _UTF_8) else coding, "replace")
    return text.replace("\0", "").strip()


def _utf_8_text(raw: bytes, *, said: bool) -> str | None:
    """The text, without half a letter at its end: writers cut at a number of bytes. None where it
    is not UTF-8, or only half a letter (and nobody's word) speaks for it."""
    try:
        text = getincrementaldecoder(_UTF_8)().decode(raw)
    except UnicodeDecodeError:
        return None
    whole = len(text.encode()) == len(raw)
    return text if whole or said or not text.isascii() else None


def read_xmp(packet: bytes) -> dict[str, Json]:
    """The properties of a packet that belong to ``NAMESPACES``, as ``prefix:name`` -> text, list
    or object; empty for what is no packet. Never raises but MemoryError."""
    found: dict[str, Json] = {}
    if len(packet) > _MAX_PACKET:
        return found
    try:
        parser = DefusedXMLParser(forbid_dtd=True)  # whose defaults fill each element
        parser.parser.StartNamespaceDeclHandler = check_namespace
        parser.feed(_utf_8(packet))  # entities are ValueErrors
        root = parser.close()
        for description in next(root.iter(f"{_RDF}RDF"), ()):
            for name, value in _properties(description):
                namespace, _, local = name[1:].partition("}")
                if namespace in NAMESPACES and value not in EMPTY:
                    found.setdefault(f"{NAMESPACES[namespace]}:{local}", value)
    except (SyntaxError, ValueError, LookupError, RecursionError, Rejected):
        return {}
    return found


def _utf_8(packet: bytes) -> bytes:
    """XMP is UTF-8 or UTF-16; padding around the packet is no XML. Raises ValueError."""
    encoding = "utf-8"
    if packet[:2] in (b"\0<", b"\xfe\xff"):
        encoding = "utf-16-be"
    elif packet[:2] in (b"<\0", b"\xff\xfe"):
        encoding = "utf-16-le"
    return packet.decode(encoding).strip("\0\ufeff \t\r\n").encode()


def _properties(node: Element) -> Iterator[tuple[str, Json]]:
    """Attributes and children that are not RDF's or XML's own, by name."""
    held: list[tuple[str, Element | str]] = [*node.items(), *((child.tag, child) for child in node)]
    for name, value in held:
        if name.startswith("{") and not name.startswith(_SYNTAX):
            yield name, _value(value)


def _value(node: Element | str) -> Json:
    """What a property or a list item holds."""
    if isinstance(node, str):
        return node.strip()
    resource = node.get(f"{_RDF}resource")
    if resource is not None:
        return resource
    for name in ("Alt", "Bag", "Seq", "Description"):
        inner = node.find(f"{_RDF}{name}")
        if inner is not None:
            return _structure(inner) if name == "Description" else _items(name, inner)
    return (node.text or "").strip() or _structure(node) or ""


def _structure(node: Element) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in _properties(node):
        if value not in EMPTY:
            found.setdefault(name.rpartition("}")[2], value)
    return found


def _items(name: str, node: Element) -> Json:
    """The values of a list; of an alternative the default language, else the first."""
    items = [(item.get(_LANGUAGE), _value(item)) for item in node.findall(f"{_RDF}li")]
    values = [value for _, value in items if value not in EMPTY]
    if name != "Alt":
        return values
    defaults = [value for language, value in items if language == "x-default" and value]
    return next(iter(defaults + values), "")


# -- IIM by hand ---------------------------------------------------------------------------


def read_iim(resources: bytes) -> dict[int, list[str]]:
    """The datasets of record 2 of IPTC-IIM (version 4.2) in Photoshop resources: number -> texts in
    order. Never raises."""
    found: dict[int, list[str]] = {}
    for block in _iptc_blocks(resources):
        coding = ""
        for record, dataset, value in _datasets(block):
            if (record, dataset) == _CODED_CHARACTER_SET:
                coding = _CODINGS.get(value.strip(b"\0 "), "")
            elif record == 2 and (text := _text(value, coding)):
                found.setdefault(dataset, []).append(text)
    return found


def _iptc_blocks(resources: bytes) -> Iterator[bytes]:
    """The IPTC blocks among the resources: 8BIM, id, padded Pascal name, size, padded data."""
    if resources.startswith(b"\x1c"):
        yield resources  # bare, as ImageMagick writes it into a PNG
    position = 0
    while resources.startswith(_RESOURCE, position) and position + 12 <= len(resources):
        kind = int.from_bytes(resources[position + 4 : position + 6], "big")
        name = resources[position + 6] + 1
        start = position + 6 + name + name % 2
        size = int.from_bytes(resources[start : start + 4], "big")
        if kind == _IPTC:
            yield resources[start + 4 : start + 4 + size]
        position = start + 4 + size + size % 2


def _datasets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(record, dataset, value); ends at the first thing that is none, or is an extended one."""
    position = 0
    for _ in range(_MAX_DATASETS):
        if block[position : position + 1] != b"\x1c" or position + 5 > len(block):
            return
        size = int.from_bytes(block[position + 3 : position + 5], "big")
        end = position + 5 + size
        if size > 0x7FFF or end > len(block):
            return
        yield block[position + 1], block[position + 2], block[position + 5 : end]
        position = end


# -- fields -----------------------------------------------------------------------------------


def _candidates(
    field: Field,
    properties: Mapping[str, Json],
    datasets: Mapping[int, list[str]],
    tags: Mapping[str, str],
) -> Iterator[Json]:
    """What each source has for a field, best source first."""
    yield properties.get(field.xmp)
    if field.iim and field.iim in datasets:
        yield _from_iim(field, datasets)
    if field.exif in tags:
        text = tags[field.exif]
        yield (
            _local(text, tags.get("OffsetTimeOriginal", ""))
            if field.kind is FieldKind.DATE
            else text
        )


def _from_iim(field: Field, datasets: Mapping[int, list[str]]) -> Json:
    texts = datasets[field.iim]
    if field.kind is FieldKind.DATE:
        return _local(f"{texts[0]} {_clock(datasets.get(60, [''])[0])}".strip()) or texts[0]
    if field.name == "Time Created":
        return _clock(texts[0])
    if field.name == "Subject Code":  # IPTC:01000000:name:…
        return [text.split(":")[1] if text.count(":") > 1 else text for text in texts]
    if field.name == "Intellectual Genre":  # 001:Current
        return texts[0].split(":", 1)[-1]
    if field.name == "Keywords" and len(texts) == 1:
        return texts[0]
    return list[Json](texts)


def _shaped(field: Field, value: Json) -> Json:
    """A value in the form of its field's kind; None where it does not fit."""
    if field.kind is FieldKind.OBJECT or value is None:
        return value
    texts = [text[:_MAX_TEXT] for text in _texts(value)]
    if field.kind is FieldKind.LIST:
        if field.name == "Keywords" and isinstance(value, str):  # all of them in one text
            texts = [word.strip() for word in _SEPARATORS.split(value[:_MAX_TEXT])]
        return list[Json](dict.fromkeys(text for text in texts if text))
    if field.kind is FieldKind.DATE:
        return _local(texts[0]) if texts else None
    if field.kind is FieldKind.NUMBER:
        return int(texts[0]) if texts and re.fullmatch(r"-?\d{1,9}", texts[0]) else None
    return texts[0] if len(texts) == 1 else list[Json](texts)


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return list(chain.from_iterable(map(_texts, value)))
    return []


# -- dates -------------------------------------------------------------------------------------


def iso(text: str, offset: str = "") -> str:
    """``2010:01:02 03:04:05`` -> ``2010-01-02T03:04:05.000Z``; a missing month or day is the
    first, a missing time midnight, a missing zone ``offset``, else UTC. Empty for no date."""
    local = _local(text, offset)
    return _written(datetime.fromisoformat(local).astimezone(UTC)) if local else ""


def _local(text: str, offset: str = "") -> str:
    """The same with the offset that it names."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return ""
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    local = (
        f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        f".{(fraction or '0').ljust(6, '0')}{_zone(zone) or _zone(offset) or '+00:00'}"
    )
    try:
        moment = datetime.fromisoformat(local)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return _written(moment)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _zone(text: str | None) -> str:
    found = re.fullmatch(r"([+-]\d\d):?(\d\d)", (text or "").strip())
    return f"{found[1]}:{found[2]}" if found else ""


def _clock(text: str) -> str:
    """IIM's ``030405+0100`` -> ``03:04:05+01:00``; other text stays as it is."""
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    hour, minute, second, fraction, zone = found.groups()
    return f"{hour}:{minute}:{second}{fraction or ''}{_zone(zone)}"
