"""What a file's own metadata gives to the properties of a media type (``exifExtraction``): which
mappings can work, what a field's value becomes, and whose value counts (docs/serve.md, "Metadata
from the file")."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple

from ldimport.errors import near
from ldimport.media.fields import CREATED, DAY, EMPTY, FIELDS, NAMES, REMOVED, FieldKind
from ldimport.model import ExifPrecedence, Image, Json
from ldimport.schema.coerce import to_boolean, to_integer
from ldimport.schema.dates import read_date, read_datetime
from ldimport.schema.findings import BadValue
from ldimport.schema.properties import Complaints, Property, ValueShape

Pairs = tuple[tuple[str, str], ...]
"""(field or alias, property), in order."""
_KINDS = {field.name: field.kind for field in FIELDS}
_IN_XMP = {each: field.name for field in FIELDS for each in (field.xmp, field.xmp.split(":")[-1])}


class Fit(Enum):
    """Whether values of a field become what a property stores."""

    SURELY = auto()
    PERHAPS = auto()
    NEVER = auto()


_NUMBERS = {FieldKind.NUMBER: Fit.SURELY, FieldKind.TEXT: Fit.PERHAPS, FieldKind.LIST: Fit.PERHAPS}
_DATES = {FieldKind.DATE: Fit.SURELY, FieldKind.TEXT: Fit.PERHAPS, FieldKind.LIST: Fit.PERHAPS}
_FITS: Mapping[ValueShape, Mapping[FieldKind, Fit]] = {
    ValueShape.INTEGER: _NUMBERS,
    ValueShape.INTEGERS: _NUMBERS,
    ValueShape.BOOLEAN: {**_NUMBERS, FieldKind.NUMBER: Fit.PERHAPS},
    ValueShape.DATE: _DATES,
    ValueShape.DATETIME: _DATES,
    ValueShape.OBJECT: {},
}
"""What is not here never fits; texts, lists of them and a project's own plugins take anything."""
_SHOWN = {
    FieldKind.TEXT: "a text",
    FieldKind.LIST: "a list of texts",
    FieldKind.DATE: "a date",
    FieldKind.NUMBER: "a number",
    FieldKind.OBJECT: "a structure",
}
_WANTED = {
    ValueShape.INTEGER: "a whole number",
    ValueShape.INTEGERS: "whole numbers",
    ValueShape.BOOLEAN: "yes or no",
    ValueShape.DATE: "a date",
    ValueShape.DATETIME: "a date and time with its zone",
}


def fit(field: str, found: Property) -> Fit:
    """Whether what a field (canonical name) holds becomes a value of this property."""
    if found.shape is None or found.shape in (ValueShape.TEXT, ValueShape.TEXTS):
        return Fit.SURELY
    return _FITS[found.shape].get(_KINDS[field], Fit.NEVER)


def fillable(properties: Mapping[str, Property], pairs: Pairs) -> frozenset[str]:
    """The properties that a file may fill."""
    return frozenset(
        target for field, target in pairs if fit(NAMES[field], properties[target]) is not Fit.NEVER
    )


# -- the project config ------------------------------------------------------------------------


def read_mappings(
    found: Json, path: str, properties: Mapping[str, Property], complaints: Complaints
) -> Pairs:
    """The mappings of ``exifExtraction`` whose field and property there are; all that cannot work
    or may not is told."""
    if found is None:
        return ()
    mappings = found.get("mappings", []) if isinstance(found, dict) else None
    if not isinstance(mappings, list):
        complaints.wrong(path, "must be an object with a list mappings")
        return ()
    pairs: list[tuple[str, str]] = []
    for n, each in enumerate(mappings):
        place = f"{path}.mappings.{n}"
        field = each.get("field") if isinstance(each, dict) else None
        target = each.get("metadataPropertyName") if isinstance(each, dict) else None
        if not (isinstance(field, str) and isinstance(target, str)):
            complaints.wrong(place, "needs field and metadataPropertyName")
        elif field not in NAMES:
            complaints.odd(place, _unknown_field(field))
        elif target not in properties:
            guess = near(target, properties)
            meant = f"; did you mean “{guess}”?" if guess else ""
            text = f"“{field}” goes into “{target}”, which the media type does not have{meant}"
            complaints.odd(place, text)
        else:
            pairs.append((field, target))
            if text := _unfit(field, properties[target]):
                complaints.odd(place, text)
    return tuple(pairs)


def _unknown_field(name: str) -> str:
    if name in REMOVED:
        told = f"“{name}” is no alias any more (removed {REMOVED[name]}) and fills nothing"
        return f"{told}; write “{name.capitalize()}”"
    meant = _IN_XMP.get(name) or _IN_XMP.get(name.split(":")[-1]) or near(name, NAMES)
    guess = f"; did you mean “{meant}”?" if meant else ""
    return f"“{name}” is no field that Livingdocs knows, and fills nothing{guess}"


def _unfit(field: str, found: Property) -> str:
    """What keeps a mapping from filling its property always; empty where nothing does."""
    fits, kind = fit(NAMES[field], found), _SHOWN[_KINDS[NAMES[field]]]
    told = f"“{field}” is {kind} and goes into “{found.handle}” ({found.plugin})"
    if fits is Fit.NEVER:
        return f"{told}, which it never fits: it is left out at import"
    if fits is Fit.PERHAPS and found.shape is not None:
        return f"{told}: left out where it is not {_WANTED[found.shape]}"
    return ""


# -- values -------------------------------------------------------------------------------------


FROM_NAME = "fileName"
"""Where a title came from that neither the request nor the file had."""


class Completed(NamedTuple):
    """The whole metadata; ``filled``: what was not sent, with the field it came from; ``unfit``:
    what the file had in vain, as ``field → property``."""

    metadata: dict[str, Json]
    filled: dict[str, str]
    unfit: tuple[str, ...]


def complete(
    image: Image,
    properties: Mapping[str, Property],
    pairs: Pairs,
    extracted: Mapping[str, Json],
    precedence: ExifPrecedence,
    admits: Callable[[Mapping[str, Json]], bool],
) -> Completed:
    """What was sent with what the file (``extracted``) adds or, where ``precedence`` is its, says
    otherwise; an open ``title`` also from fileName. Of several values for a property the first
    that ``admits`` takes."""
    metadata, filled = dict(image.metadata), dict[str, str]()
    unfit: dict[str, str] = {}
    for source, target, value in _offers(image, properties, pairs, extracted, precedence):
        candidate = {**metadata, target: value}
        if target in filled:
            continue
        if value not in EMPTY and admits(candidate):
            metadata = candidate
            filled[target] = source or FROM_NAME
        elif source:
            unfit.setdefault(target, f"{source} → {target}")
    left = tuple(text for target, text in unfit.items() if target not in filled)
    return Completed(metadata, filled, left)


def _offers(
    image: Image,
    properties: Mapping[str, Property],
    pairs: Pairs,
    extracted: Mapping[str, Json],
    precedence: ExifPrecedence,
) -> Iterator[tuple[str, str, Json]]:
    """(field, property, value), the better ones first; None for what cannot be converted. A title
    that was sent is never replaced."""
    given, from_file = image.metadata, precedence is ExifPrecedence.FILE
    title_open = "title" in properties and given.get("title", "") == ""
    if title_open and not from_file:
        yield "", "title", image.file_name
    for name, target in pairs:
        field = NAMES[name]
        open_ = target not in given or (
            given[target] in ("", [], {}) and properties[target].required
        )
        wanted = title_open if target == "title" else open_ or from_file
        if wanted and extracted.get(field) not in EMPTY:
            try:
                yield name, target, converted(extracted, field, properties[target])
            except BadValue:
                yield name, target, None
    if title_open and from_file:
        yield "", "title", image.file_name


def converted(extracted: Mapping[str, Json], field: str, found: Property) -> Json:
    """What a field of a file becomes as a value of this property. Raises BadValue."""
    value = extracted[field]
    match found.shape:
        case ValueShape.TEXT:
            return readable(value)
        case ValueShape.TEXTS:
            return [readable(each) for each in _list(value)]
        case ValueShape.INTEGER:
            return _integer(_single(value))
        case ValueShape.INTEGERS:
            return [_integer(each) for each in _list(value)]
        case ValueShape.BOOLEAN:
            return to_boolean(readable(_single(value)))
        case ValueShape.DATE:
            if field == CREATED:
                return str(extracted.get(DAY, value))[:10]
            return read_date(_text(_single(value)))
        case ValueShape.DATETIME:
            return read_datetime(_text(_single(value)))
        case ValueShape.OBJECT:
            raise BadValue("wrong-shape", "nothing in a file is an object of Livingdocs")
    return readable(value) if _KINDS[field] is FieldKind.TEXT else value


def readable(value: Json) -> str:
    """A value as a person would write it: items and parts with commas between, structures of a
    list with semicolons; line ends (IIM has CR) as LF."""
    if isinstance(value, dict):
        return ", ".join(filter(None, map(readable, value.values())))
    if isinstance(value, list):
        structured = any(isinstance(each, dict) for each in value)
        return ("; " if structured else ", ").join(filter(None, map(readable, value)))
    return str(value).replace("\r\n", "\n").replace("\r", "\n")


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else [value]


def _single(value: Json) -> Json:
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise BadValue("too-many", f"{len(value)} values for one")
    return value[0]


def _integer(value: Json) -> int:
    return value if isinstance(value, int) else to_integer(_text(value))


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise BadValue("wrong-type", "it is no text")
    return value
