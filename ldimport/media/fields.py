"""The metadata fields that ``exifExtraction`` can name (docs/livingdocs-api.md, "Project config"),
and where each is kept: XMP property (IPTC Photo Metadata 2022.1), IIM dataset of record 2, EXIF.
The table stands in ``fields.csv``."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from ldimport.model import Json

EMPTY: tuple[Json, ...] = (None, "", [], {})
"""Values that say nothing."""


class FieldKind(StrEnum):
    """How a value is shown: one text, a list of texts, a date, a whole number, or as it is."""

    TEXT = "text"
    LIST = "list"
    DATE = "date"
    NUMBER = "number"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``xmp`` is ``prefix:name`` with the prefixes of ``NAMESPACES``; ``iim`` a
    dataset number, 0 for none; ``exif`` the name of a tag."""

    name: str
    aliases: tuple[str, ...]
    xmp: str
    iim: int
    exif: str
    kind: FieldKind


NAMESPACES: Mapping[str, str] = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "rights",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "core",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "ext",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
}


def _field(row: Mapping[str, str]) -> Field:
    aliases = tuple(each for each in row["aliases"].split("; ") if each)
    iim, kind = int(row["iim"]), FieldKind(row["kind"])
    return Field(row["name"], aliases, row["xmp"], iim, row["exif"], kind)


_TABLE = resources.files(__package__).joinpath("fields.csv").read_text("utf-8")
FIELDS = tuple(map(_field, csv.DictReader(_TABLE.splitlines())))
NAMES: Mapping[str, str] = {
    spelling.replace("’", sign): field.name
    for field in reversed(FIELDS)
    for spelling in (*field.aliases, field.name)
    for sign in "’'"
}
"""Canonical name of every accepted spelling; a plain apostrophe stands for the typographic one."""

REMOVED: Mapping[str, str] = dict.fromkeys(("headline", "instructions", "source"), "2023-11-24")
"""Aliases that Livingdocs knew once, and since when it does not."""
CREATED, DAY = "Date Created", "Date Created: day"
"""The date, in UTC; and its day where the picture was taken, if that is another."""
