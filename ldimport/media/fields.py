"""The metadata fields that ``exifExtraction`` can name (docs/livingdocs-api.md, "Project config"),
and where each is kept: XMP property (IPTC Photo Metadata 2022.1), IIM dataset of record 2, EXIF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ldimport.model import Json

EMPTY: tuple[Json, ...] = (None, "", [], {})
"""Values that say nothing."""


class FieldKind(Enum):
    """How a value is shown: one text, a list of texts, a date, a whole number, or as it is."""

    TEXT = auto()
    LIST = auto()
    DATE = auto()
    NUMBER = auto()
    OBJECT = auto()


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

_LIST, _DATE, _NUMBER, _OBJECT = tuple(FieldKind)[1:]

FIELDS = (
    Field("City (legacy)", ("City", "City legacy", "cityName"), "photoshop:City", 90),
    Field("Copyright Notice", ("rights",), "dc:rights", 116, "Copyright"),
    Field("Country (legacy)", ("Country legacy", "Country/Primary Location Name"),
          "photoshop:Country", 101),
    Field("Country Code (legacy)", ("Country Code",), "core:CountryCode", 100),
    Field("Creator", ("By-line",), "dc:creator", 80, "Artist"),
    Field("Creator’s Contact Info",
          ("Creator Contact Info", "creatorContactInfo", "CreatorContactInfo"),
          "core:CreatorContactInfo", kind=_OBJECT),
    Field("Creator’s jobtitle", ("AuthorsPosition", "By-line Title"),
          "photoshop:AuthorsPosition", 85),
    Field("Credit Line", ("Credit", "Provider"), "photoshop:Credit", 110),
    Field("Date Created", ("DateCreated",), "photoshop:DateCreated", 55, "DateTimeOriginal",
          _DATE),
    Field("Time Created", (), "", 60),
    Field("Description", ("Caption/Abstract", "Caption", "description", "caption"),
          "dc:description", 120, "ImageDescription"),
    Field("Description Writer", ("Writer/Editor", "CaptionWriter"), "photoshop:CaptionWriter",
          122),
    Field("Headline", (), "photoshop:Headline", 105),
    Field("Instructions", (), "photoshop:Instructions", 40),
    Field("Intellectual Genre", ("Object Attribute Reference",), "core:IntellectualGenre", 4),
    Field("Job Id", ("TransmissionReference", "Original Transmission Reference"),
          "photoshop:TransmissionReference", 103),
    Field("Keywords", ("subject",), "dc:subject", 25, kind=_LIST),
    Field("Province or State", ("State", "Province/State"), "photoshop:State", 95),
    Field("Rights Usage Terms", ("UsageTerms",), "rights:UsageTerms"),
    Field("Scene Code", ("Scene",), "core:Scene", kind=_LIST),
    Field("Source", (), "photoshop:Source", 115),
    Field("Subject Code", ("Subject Reference",), "core:SubjectCode", 12, kind=_LIST),
    Field("Sublocation (legacy)", ("Location", "Sub-location"), "core:Location", 92),
    Field("Title", ("Object Name", "title"), "dc:title", 5),
    Field("Additional Model Information", ("AddlModelInfo",), "ext:AddlModelInfo"),
    Field("Artwork or Object in the Image", ("ArtworkOrObject",), "ext:ArtworkOrObject",
          kind=_OBJECT),
    Field("Artwork or Object in the Image structure", (), "ext:ArtworkOrObject",
          kind=_OBJECT),
    Field("Code of Organisation Featured in the Image", ("OrganisationInImageCode",),
          "ext:OrganisationInImageCode", kind=_LIST),
    Field("Copyright Owner", ("CopyrightOwner",), "plus:CopyrightOwner", kind=_OBJECT),
    Field("CV-Term About Image", ("AboutCvTerm",), "ext:AboutCvTerm", kind=_OBJECT),
    Field("Digital Image GUID", ("DigImageGUID",), "ext:DigImageGUID"),
    Field("Digital Source Type", ("DigitalSourceType",), "ext:DigitalSourceType"),
    Field("Embedded Encoded Rights Expression", ("EmbdEncRightsExpr",), "ext:EmbdEncRightsExpr",
          kind=_OBJECT),
    Field("Event", (), "ext:Event"),
    Field("Genre", (), "ext:Genre", kind=_OBJECT),
    Field("Image Creator", ("ImageCreator",), "plus:ImageCreator", kind=_OBJECT),
    Field("Image Rating", ("Rating",), "xmp:Rating", kind=_NUMBER),
    Field("Image Region", ("ImageRegion",), "ext:ImageRegion", kind=_OBJECT),
    Field("Image Registry Entry", ("RegistryId",), "ext:RegistryId", kind=_OBJECT),
    Field("Image Supplier", ("ImageSupplier",), "plus:ImageSupplier", kind=_OBJECT),
    Field("Image Supplier Image ID", ("ImageSupplierImageID",), "plus:ImageSupplierImageID"),
    Field("Licensor", (), "plus:Licensor", kind=_OBJECT),
    Field("Linked Encoded Rights Expression", ("LinkedEncRightsExpr",),
          "ext:LinkedEncRightsExpr", kind=_OBJECT),
    Field("Location created", ("LocationCreated",), "ext:LocationCreated", kind=_OBJECT),
    Field("Location Shown in the Image", ("LocationShown",), "ext:LocationShown",
          kind=_OBJECT),
    Field("Max Avail Height", ("MaxAvailHeight",), "ext:MaxAvailHeight", kind=_NUMBER),
    Field("Max Avail Width", ("MaxAvailWidth",), "ext:MaxAvailWidth", kind=_NUMBER),
    Field("Minor Model Age Disclosure", ("MinorModelAgeDisclosure",),
          "plus:MinorModelAgeDisclosure"),
    Field("Model Age", ("ModelAge",), "ext:ModelAge", kind=_LIST),
    Field("Model Release Id", ("ModelReleaseID",), "plus:ModelReleaseID", kind=_LIST),
    Field("Model Release Status", ("ModelReleaseStatus",), "plus:ModelReleaseStatus"),
    Field("Name of Organisation Featured in the Image", ("OrganisationInImageName",),
          "ext:OrganisationInImageName", kind=_LIST),
    Field("Person Shown in the Image", ("PersonInImage",), "ext:PersonInImage", kind=_LIST),
    Field("Person Shown in the Image with Details", ("PersonInImageWDetails",),
          "ext:PersonInImageWDetails", kind=_OBJECT),
    Field("PLUS Version", (), "plus:Version"),
    Field("Product Shown in the Image", ("ProductInImage",), "ext:ProductInImage",
          kind=_OBJECT),
    Field("Property Release Id", ("PropertyReleaseID",), "plus:PropertyReleaseID",
          kind=_LIST),
    Field("Property Release Status", ("PropertyReleaseStatus",), "plus:PropertyReleaseStatus"),
    Field("Web Statement of Rights", ("WebStatement",), "rights:WebStatement"),
)  # fmt: skip


def _names() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for field in FIELDS:
        for alias in (field.name, *field.aliases):
            names.setdefault(alias, field.name)
            names.setdefault(alias.replace("’", "'"), field.name)
    return names


NAMES = _names()
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
