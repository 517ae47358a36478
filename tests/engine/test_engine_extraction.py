"""What a file's own metadata fills in: before ``required`` is judged, converted to what a property
stores, and whose value counts."""

from __future__ import annotations

import pytest
from origins import Open, Origin, image, picture, request

from ldimport.engine import Engine
from ldimport.errors import InvalidRequestError
from ldimport.model import ExifPrecedence, JobOptions, Json, Nulls, Result, Status
from ldimport.schema import config
from ldimport.schema.config import ProjectConfig

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:core="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
 xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Description
 {attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"""


def with_xmp(inside: str = "", **photoshop: str) -> bytes:
    """A picture with an XMP packet: properties of Photoshop, and anything else."""
    attributes = " ".join(f'photoshop:{name}="{text}"' for name, text in photoshop.items())
    return picture(xmp=XMP.format(attributes=attributes, inside=inside))


def titled(text: str, **photoshop: str) -> bytes:
    return with_xmp(
        f"<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>{text}</rdf:li></rdf:Alt></dc:title>",
        **photoshop,
    )


def project(*mappings: tuple[str, str], **properties: Json) -> ProjectConfig:
    """One media type: property=plugin, or (plugin, config)."""
    metadata: list[Json] = []
    for handle, given in properties.items():
        plugin, settings = given if isinstance(given, tuple) else (given, {})
        metadata.append({"handle": handle, "type": plugin, "config": settings})
    pairs: Json = [{"field": field, "metadataPropertyName": to} for field, to in mappings]
    one: Json = {"handle": "image", "type": "mediaImage", "metadata": metadata,
                 "exifExtraction": {"mappings": pairs}}  # fmt: skip
    return config.from_json({"mediaTypes": [one]})


def imported(
    engine: Engine,
    url: str,
    metadata: dict[str, Json] | None = None,
    options: JobOptions | None = None,
) -> tuple[Result, dict[str, Json]]:
    """The result of one image, and what its entry holds."""
    asked = request(image("1", url, file_name="The file name", metadata=metadata or {}))
    job = engine.submit(asked, options=options)
    engine.run()
    (result,) = engine.status(job).results
    entry = engine.find("archive", "1")
    return result, dict(entry.metadata) if entry else {}


REQUIRED: Json = ("li-text", {"required": True, "requiredErrorMessage": "Name the source"})  # type: ignore[assignment]


def test_a_required_property_is_filled_from_the_file(open_engine: Open, origin: Origin) -> None:
    engine = open_engine(project_config=project(("Source", "source"), source=REQUIRED))
    result, stored = imported(engine, origin.put("a.jpg", with_xmp(Source="Agency")))
    assert (result.status, result.reason, stored) == (Status.SUCCESS, None, {"source": "Agency"})


def test_what_the_file_lacks_too_fails_after_the_fetch(open_engine: Open, origin: Origin) -> None:
    engine = open_engine(project_config=project(("Source", "source"), source=REQUIRED))
    url = origin.put("a.jpg", picture())
    result, stored = imported(engine, url)
    assert (result.status, result.cause, stored) == (Status.FAILED, "invalid-metadata", {})
    assert result.reason == (
        "Invalid metadata: metadata.source is empty: Name the source; its file has none"
    )
    assert len(origin.hits) == 1
    lenient = JobOptions((origin.host,), lenient=True)
    assert imported(engine, url, options=lenient)[0].status is Status.SUCCESS


@pytest.mark.parametrize("mapping", [("Headline", "source"), ("source", "source")])
def test_what_no_mapping_fills_fails_before_the_fetch(
    open_engine: Open, origin: Origin, mapping: tuple[str, str]
) -> None:
    found = project(mapping, source=REQUIRED, other="li-text")
    if mapping[0] == "Headline":
        found = project(("Headline", "other"), source=REQUIRED, other="li-text")
    engine = open_engine(project_config=found)
    result, _ = imported(engine, origin.put("a.jpg", with_xmp(Source="S", Headline="H")))
    assert (result.status, result.cause) == (Status.FAILED, "invalid-metadata")
    assert origin.hits == []


def test_a_required_property_whose_value_does_not_fit_says_so(
    open_engine: Open, origin: Origin
) -> None:
    found = project(("Headline", "stock"), stock=("li-integer", {"required": True}))  # type: ignore[arg-type]
    engine = open_engine(project_config=found)
    result, _ = imported(engine, origin.put("a.jpg", with_xmp(Headline="many")))
    assert result.status is Status.FAILED
    assert str(result.reason).endswith("what its file has does not fit: Headline → stock")


def test_a_patch_cannot_remove_what_only_an_import_fills(open_engine: Open, origin: Origin) -> None:
    engine = open_engine(project_config=project(("Source", "source"), source=REQUIRED))
    imported(engine, origin.put("a.jpg", with_xmp(Source="Agency")))
    entry = engine.find("archive", "1")
    assert entry is not None
    removal = [{"operation": "setMetadataProperty", "propertyName": "source"}]
    with pytest.raises(InvalidRequestError) as refused:
        engine.patch_media(entry.id, removal, entry.version)
    assert "metadata.source is empty" in str(refused.value.details)


# -- whose value counts -------------------------------------------------------------------------

TEXTS = project(("Title", "title"), ("Headline", "caption"), title="li-text", caption="li-text")


@pytest.mark.parametrize(
    ("precedence", "sent", "stored"),
    [
        ("request", {}, {"title": "The file name", "caption": "H"}),
        ("request", {"title": "Sent", "caption": "Mine"}, {"title": "Sent", "caption": "Mine"}),
        ("request", {"title": "", "caption": ""}, {"title": "The file name", "caption": ""}),
        ("file", {}, {"title": "T", "caption": "H"}),
        ("file", {"title": "Sent", "caption": "Mine"}, {"title": "Sent", "caption": "H"}),
    ],
)
def test_whose_value_counts_is_a_setting(
    open_engine: Open,
    origin: Origin,
    precedence: str,
    sent: dict[str, Json],
    stored: dict[str, Json],
) -> None:
    engine = open_engine(project_config=TEXTS)
    options = JobOptions((origin.host,), exif_precedence=ExifPrecedence(precedence))
    url = origin.put("a.jpg", titled("T", Headline="H"))
    result, found = imported(engine, url, sent, options)
    assert (result.status, result.title, found) == (Status.SUCCESS, "The file name", stored)


@pytest.mark.parametrize("precedence", ["request", "file"])
def test_without_a_title_in_the_file_the_file_name_is_it(
    open_engine: Open, origin: Origin, precedence: str
) -> None:
    engine = open_engine(project_config=TEXTS)
    options = JobOptions((origin.host,), exif_precedence=ExifPrecedence(precedence))
    _, found = imported(engine, origin.put("a.jpg", picture()), {}, options)
    assert found == {"title": "The file name"}


def test_a_file_name_that_is_no_title_leaves_it_to_the_file(
    open_engine: Open, origin: Origin
) -> None:
    found = project(("Title", "title"), title=("li-text", {"maxLength": 5}))  # type: ignore[arg-type]
    engine = open_engine(project_config=found)
    result, stored = imported(engine, origin.put("a.jpg", titled("Short")))
    assert (result.status, stored) == (Status.SUCCESS, {"title": "Short"})


def test_a_null_that_is_kept_is_not_filled(open_engine: Open, origin: Origin) -> None:
    engine = open_engine(project_config=TEXTS)
    options = JobOptions((origin.host,), nulls=Nulls.KEEP)
    url = origin.put("a.jpg", titled("T", Headline="H"))
    _, stored = imported(engine, url, {"title": None, "caption": None}, options)
    assert stored == {"title": None, "caption": None}


# -- conversions ----------------------------------------------------------------------------------

CREATORS = "<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>"
ONE_WORD = "<dc:subject><rdf:Bag><rdf:li>7</rdf:li></rdf:Bag></dc:subject>"
WORDS = "<dc:subject><rdf:Bag><rdf:li>7</rdf:li><rdf:li>sea, lake</rdf:li></rdf:Bag></dc:subject>"
CONTACT = (
    "<core:CreatorContactInfo rdf:parseType='Resource'><core:CiAdrCity>Bern</core:CiAdrCity>"
    "<core:CiEmailWork>a@b.ch</core:CiEmailWork></core:CreatorContactInfo>"
)
PLACES = (
    "<ext:LocationShown><rdf:Bag><rdf:li><rdf:Description ext:City='Bern' ext:CountryCode='CH'/>"
    "</rdf:li><rdf:li><rdf:Description ext:City='Rom'/></rdf:li></rdf:Bag></ext:LocationShown>"
)
RATING = "<xmp:Rating>4</xmp:Rating>"
NIGHT = "<photoshop:DateCreated>2010-01-02T00:30:00+01:00</photoshop:DateCreated>"


@pytest.mark.parametrize(
    ("field", "plugin", "inside", "value"),
    [
        ("Creator", "li-text", CREATORS, "Ada, Bob"),
        ("Creator", "li-string-list", CREATORS, ["Ada", "Bob"]),
        ("Keywords", "li-text", WORDS, "7, sea, lake"),
        ("Keywords", "li-string-list", WORDS, ["7", "sea, lake"]),
        ("Keywords", "li-integer", ONE_WORD, 7),
        ("Keywords", "li-numeric-list", ONE_WORD, [7]),
        ("Headline", "li-string-list", "<photoshop:Headline>H</photoshop:Headline>", ["H"]),
        ("Headline", "li-integer", "<photoshop:Headline>1'204</photoshop:Headline>", 1204),
        ("Headline", "li-numeric-list", "<photoshop:Headline>5</photoshop:Headline>", [5]),
        ("Headline", "li-boolean", "<photoshop:Headline>True</photoshop:Headline>", True),
        ("Headline", "li-boolean", "<photoshop:Headline>nein</photoshop:Headline>", False),
        ("Headline", "li-date", "<photoshop:Headline>2.1.2010</photoshop:Headline>", "2010-01-02"),
        ("Headline", "li-datetime", "<photoshop:Headline>2010-01-02 03:04Z</photoshop:Headline>",
         "2010-01-02T03:04:00Z"),
        ("Image Rating", "li-text", RATING, "4"),
        ("Image Rating", "li-string-list", RATING, ["4"]),
        ("Image Rating", "li-integer", RATING, 4),
        ("Image Rating", "li-numeric-list", RATING, [4]),
        ("Date Created", "li-date", NIGHT, "2010-01-02"),
        ("Date Created", "li-datetime", NIGHT, "2010-01-01T23:30:00.000Z"),
        ("Date Created", "li-text", NIGHT, "2010-01-01T23:30:00.000Z"),
        ("Date Created", "li-string-list", NIGHT, ["2010-01-01T23:30:00.000Z"]),
        ("Creator’s Contact Info", "li-text", CONTACT, "Bern, a@b.ch"),
        ("Creator’s Contact Info", "li-string-list", CONTACT, ["Bern, a@b.ch"]),
        ("Location Shown in the Image", "li-text", PLACES, "Bern, CH; Rom"),
        ("Location Shown in the Image", "li-string-list", PLACES, ["Bern, CH", "Rom"]),
        ("Headline", "li-text", "<photoshop:Headline>a&#13;b</photoshop:Headline>", "a\nb"),
        ("Creator", "bp-own", CREATORS, "Ada, Bob"),
        ("Creator’s Contact Info", "bp-own", CONTACT,
         {"CiAdrCity": "Bern", "CiEmailWork": "a@b.ch"}),
    ],
)  # fmt: skip
def test_a_value_becomes_what_the_property_stores(
    open_engine: Open, origin: Origin, field: str, plugin: str, inside: str, value: Json
) -> None:
    engine = open_engine(project_config=project((field, "here"), here=plugin))
    result, stored = imported(engine, origin.put("a.jpg", with_xmp(inside)))
    assert (result.status, result.cause) == (Status.SUCCESS, None)
    assert stored == {"here": value} and type(stored["here"]) is type(value)


@pytest.mark.parametrize(
    ("field", "plugin", "inside"),
    [
        ("Keywords", "li-integer", WORDS),
        ("Headline", "li-integer", "<photoshop:Headline>many</photoshop:Headline>"),
        ("Headline", "li-integer", "<photoshop:Headline>1.5</photoshop:Headline>"),
        ("Headline", "li-boolean", "<photoshop:Headline>perhaps</photoshop:Headline>"),
        ("Headline", "li-date", "<photoshop:Headline>01/02/2010</photoshop:Headline>"),
        ("Headline", "li-datetime", "<photoshop:Headline>2010-01-02</photoshop:Headline>"),
        ("Creator’s Contact Info", "li-integer", CONTACT),
        ("Location Shown in the Image", "li-date", PLACES),
        ("Date Created", "li-integer", NIGHT),
        ("Date Created", "li-boolean", NIGHT),
        ("Headline", "li-license-profile", "<photoshop:Headline>H</photoshop:Headline>"),
        ("Image Rating", "li-date", RATING),
        ("Image Rating", "li-boolean", RATING),
    ],
)
def test_what_does_not_convert_is_left_out_with_a_note(
    open_engine: Open, origin: Origin, field: str, plugin: str, inside: str
) -> None:
    engine = open_engine(project_config=project((field, "here"), here=plugin))
    result, stored = imported(engine, origin.put("a.jpg", with_xmp(inside)))
    assert (result.status, result.cause, stored) == (Status.SUCCESS, "metadata-left-out", {})
    assert str(result.reason).endswith(f"was left out: {field} → here")


def test_the_first_mapping_that_fits_fills(open_engine: Open, origin: Origin) -> None:
    found = project(("Headline", "here"), ("Source", "here"), ("City", "here"), here="li-integer")
    engine = open_engine(project_config=found)
    url = origin.put("a.jpg", with_xmp(Headline="many", Source="5", City="6"))
    result, stored = imported(engine, url)
    assert (result.status, result.cause, stored) == (Status.SUCCESS, None, {"here": 5})


def test_a_limit_of_the_config_leaves_out_too(open_engine: Open, origin: Origin) -> None:
    found = project(("Headline", "here"), here=("li-text", {"maxLength": 3}))  # type: ignore[arg-type]
    engine = open_engine(project_config=found)
    result, stored = imported(engine, origin.put("a.jpg", with_xmp(Headline="long")))
    assert (result.status, result.cause, stored) == (Status.SUCCESS, "metadata-left-out", {})
