"""The metadata fields that ``exifExtraction`` can name (docs/livingdocs-api.md, "Project config"),
and where each is kept: XMP property (IPTC Photo Metadata 2022.1), IIM dataset of record 2, EXIF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

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
    iim: int = 0
    exif: str = ""
    kind: FieldKind = FieldKind.TEXT


NAMESPACES: Mapping[str, str] = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "rights",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "core",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "ext",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
}

_TABLE = """
City (legacy)|=, City legacy, cityName|photoshop:City|90
Copyright Notice|=|dc:rights|116|Copyright
Country (legacy)|Country legacy, Country/Primary Location Name|photoshop:Country|101
Country Code (legacy)|Country Code|core:CountryCode|100
Creator|By-line|dc:creator|80|Artist
Creator’s Contact Info|Creator Contact Info, creatorContactInfo, =|core:CreatorContactInfo|||object
Creator’s jobtitle|=, By-line Title|photoshop:AuthorsPosition|85
Credit Line|=, Provider|photoshop:Credit|110
Date Created|=|photoshop:DateCreated|55|DateTimeOriginal|date
Time Created|||60
Description|Caption/Abstract, Caption, =, caption|dc:description|120|ImageDescription
Description Writer|Writer/Editor, =|photoshop:CaptionWriter|122
Headline||photoshop:Headline|105
Instructions||photoshop:Instructions|40
Intellectual Genre|Object Attribute Reference|core:IntellectualGenre|4
Job Id|=, Original Transmission Reference|photoshop:TransmissionReference|103
Keywords|=|dc:subject|25||list
Province or State|=, Province/State|photoshop:State|95
Rights Usage Terms|=|rights:UsageTerms
Scene Code|=|core:Scene|||list
Source||photoshop:Source|115
Subject Code|Subject Reference|core:SubjectCode|12||list
Sublocation (legacy)|=, Sub-location|core:Location|92
Title|Object Name, =|dc:title|5
Additional Model Information|=|ext:AddlModelInfo
Artwork or Object in the Image|=|ext:ArtworkOrObject|||object
Artwork or Object in the Image structure||ext:ArtworkOrObject|||object
Code of Organisation Featured in the Image|=|ext:OrganisationInImageCode|||list
Copyright Owner|=|plus:CopyrightOwner|||object
CV-Term About Image|=|ext:AboutCvTerm|||object
Digital Image GUID|=|ext:DigImageGUID
Digital Source Type|=|ext:DigitalSourceType
Embedded Encoded Rights Expression|=|ext:EmbdEncRightsExpr|||object
Event||ext:Event
Genre||ext:Genre|||object
Image Creator|=|plus:ImageCreator|||object
Image Rating|=|xmp:Rating|||number
Image Region|=|ext:ImageRegion|||object
Image Registry Entry|=|ext:RegistryId|||object
Image Supplier|=|plus:ImageSupplier|||object
Image Supplier Image ID|=|plus:ImageSupplierImageID
Licensor||plus:Licensor|||object
Linked Encoded Rights Expression|=|ext:LinkedEncRightsExpr|||object
Location created|=|ext:LocationCreated|||object
Location Shown in the Image|=|ext:LocationShown|||object
Max Avail Height|=|ext:MaxAvailHeight|||number
Max Avail Width|=|ext:MaxAvailWidth|||number
Minor Model Age Disclosure|=|plus:MinorModelAgeDisclosure
Model Age|=|ext:ModelAge|||list
Model Release Id|=|plus:ModelReleaseID|||list
Model Release Status|=|plus:ModelReleaseStatus
Name of Organisation Featured in the Image|=|ext:OrganisationInImageName|||list
Person Shown in the Image|=|ext:PersonInImage|||list
Person Shown in the Image with Details|=|ext:PersonInImageWDetails|||object
PLUS Version||plus:Version
Product Shown in the Image|=|ext:ProductInImage|||object
Property Release Id|=|plus:PropertyReleaseID|||list
Property Release Status|=|plus:PropertyReleaseStatus
Web Statement of Rights|=|rights:WebStatement
"""
"""Name, other spellings, XMP property, IIM dataset, EXIF tag, kind; ``=`` is the property's own
name without its prefix."""


def _field(row: str) -> Field:
    name, aliases, xmp, iim, exif, kind = (*row.split("|"), "", "", "", "")[:6]
    local = xmp.partition(":")[2]
    spellings = tuple(local if each == "=" else each for each in aliases.split(", ") if each)
    return Field(name, spellings, xmp, int(iim or 0), exif, FieldKind(kind or "text"))


FIELDS = tuple(map(_field, _TABLE.strip().splitlines()))
NAMES: Mapping[str, str] = {
    spelling.replace("’", sign): field.name
    for field in reversed(FIELDS)
    for spelling in (*field.aliases, field.name)
    for sign in "’'"
}
"""Canonical name of every accepted spelling; a plain apostrophe stands for the typographic one."""


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
        if target not in filled and value not in EMPTY:
            filled[target] = value
    return {**metadata, **filled}
