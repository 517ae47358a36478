"""The metadata inside an image, under the names that a media type's ``exifExtraction`` uses.

XMP counts before IIM, IIM before EXIF. Everything is read by bounded parsers of our own; what is
damaged is left out, an image is never refused for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from ldimport.media import exif, iim, xmp
from ldimport.media.blocks import read_blocks
from ldimport.media.dates import clock, iso
from ldimport.media.fields import FIELDS, NAMES, Field, Kind
from ldimport.model import Facts, Json

_MAX_TEXT = 32_000
"""Characters of one text: about what IIM can hold at most."""
_SEPARATORS = re.compile(r"\s*[;,]\s*")
_EMPTY: tuple[Json, ...] = (None, "", [], {})


def extract(data: bytes, facts: Facts) -> Mapping[str, Json]:
    """The fields of ``fields.FIELDS`` that the image fills, by canonical name. Texts are texts,
    lists of texts lists, structures objects, ``Date Created`` is a full ISO date in UTC. Never
    raises."""
    blocks = read_blocks(data, facts.type)
    properties = xmp.read(blocks.xmp) if blocks.xmp else {}
    datasets = iim.read(blocks.iim) if blocks.iim else {}
    tags = exif.texts(blocks.tiff) if blocks.tiff else {}
    found: dict[str, Json] = {}
    for field in FIELDS:
        for candidate in _candidates(field, properties, datasets, tags):
            value = _shaped(field, candidate)
            if value is not None and value not in _EMPTY:
                found[field.name] = value
                break
    return found


def fill(
    metadata: Mapping[str, Json],
    mappings: Sequence[tuple[str, str]],
    found: Mapping[str, Json],
) -> dict[str, Json]:
    """``metadata`` and what ``mappings`` (field or alias, property) add to it. A property that
    the request gives stays; among mappings to one property the first with content wins."""
    filled: dict[str, Json] = {name: value for name, value in metadata.items() if value is not None}
    for name, target in mappings:
        value = found.get(NAMES.get(name, name))
        if target not in filled and value not in _EMPTY:
            filled[target] = value
    return {**metadata, **filled}


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
        yield iso(text, tags.get("OffsetTimeOriginal", "")) if field.kind is Kind.DATE else text


def _from_iim(field: Field, datasets: Mapping[int, list[str]]) -> Json:
    texts = datasets[field.iim]
    if field.kind is Kind.DATE:
        return iso(f"{texts[0]} {clock(datasets.get(60, [''])[0])}".strip()) or iso(texts[0])
    if field.name == "Time Created":
        return clock(texts[0])
    if field.name == "Subject Code":  # IPTC:01000000:name:…
        return [text.split(":")[1] if text.count(":") > 1 else text for text in texts]
    if field.name == "Intellectual Genre":  # 001:Current
        return texts[0].split(":", 1)[-1]
    return list[Json](texts)


def _shaped(field: Field, value: Json) -> Json:
    """A value in the form of its field's kind; None where it does not fit."""
    if field.kind is Kind.OBJECT or value is None:
        return value
    texts = [text[:_MAX_TEXT] for text in _texts(value)]
    if field.kind is Kind.LIST:
        if len(texts) == 1 and field.name == "Keywords":  # some writers keep them in one text
            texts = _SEPARATORS.split(texts[0])
        return list[Json](dict.fromkeys(text for text in texts if text))
    if field.kind is Kind.DATE:
        return iso(texts[0]) if texts else None
    if field.kind is Kind.NUMBER:
        return int(texts[0]) if texts and re.fullmatch(r"-?\d{1,9}", texts[0]) else None
    return ", ".join(texts)


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return list(chain.from_iterable(map(_texts, value)))
    return []
