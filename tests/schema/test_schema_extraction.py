"""What the project config's ``exifExtraction`` can do is told before anything is fetched."""

from __future__ import annotations

import pytest
from schema_projects import checked, codes, entry, errors, warnings

from ldimport.media.fields import FIELDS, NAMES
from ldimport.model import Json
from ldimport.schema import config
from ldimport.schema.check import CheckOptions
from ldimport.schema.config import ProjectConfig


def project(*mappings: tuple[str, str], **properties: Json) -> ProjectConfig:
    """One media type: (field, property); property=(plugin, config)."""
    metadata: list[Json] = [
        {"handle": handle, "type": each[0], "config": each[1]}  # type: ignore[index]
        for handle, each in properties.items()
    ]
    pairs: Json = [{"field": field, "metadataPropertyName": to} for field, to in mappings]
    one: Json = {"handle": "image", "type": "mediaImage", "metadata": metadata,
                 "exifExtraction": {"mappings": pairs}}  # fmt: skip
    return config.from_json({"mediaTypes": [one]})


def told(field: str, plugin: str, target: str = "here") -> tuple[str, ...]:
    return project((field, target), here=(plugin, {})).warnings


REQUIRED: Json = ("li-text", {"required": True})  # type: ignore[assignment]


@pytest.mark.parametrize("textual", [True, False])
@pytest.mark.parametrize("metadata", [{}, {"source": ""}, {"source": None}])
def test_a_required_property_that_the_file_may_fill_is_a_warning(
    metadata: dict[str, Json], textual: bool
) -> None:
    found = project(("Source", "source"), source=REQUIRED)
    one = checked(found, entry(metadata, textual=textual))
    assert (warnings(one), errors(one)) == (["filled-from-file"], [])
    assert one.image is not None
    assert one.problems[0].message == (
        "metadata.source is empty: filled from the file at import if it is there"
    )
    assert checked(found, entry({"source": "Agency"})).problems == ()
    assert errors(checked(found, entry(metadata), CheckOptions(strict=True)))


@pytest.mark.parametrize(
    ("field", "plugin"),
    [("source", "li-text"), ("Sauce", "li-text"), ("Date Created", "li-integer")],
)
def test_it_stays_an_error_where_no_mapping_can_fill_it(field: str, plugin: str) -> None:
    found = project((field, "source"), source=(plugin, {"required": True}))  # type: ignore[arg-type]
    assert codes(checked(found, entry())) == ["required"]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_and_alias_fills_texts_without_a_word(field: object) -> None:
    for name in (field.name, *field.aliases):  # type: ignore[attr-defined]
        for plugin in ("li-text", "li-string-list", "bp-own"):
            assert all("exifExtraction" not in text for text in told(name, plugin))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("headline", "write “Headline”"),
        ("instructions", "write “Instructions”"),
        ("source", "write “Source”"),
        ("Headlin", "did you mean “Headline”?"),
        ("KEYWORDS", "did you mean “Keywords”?"),
        ("dc:creator", "did you mean “Creator”?"),
        ("Iptc4xmpCore:CountryCode", "did you mean “Country Code (legacy)”?"),
        ("xmp:Rating", "did you mean “Image Rating”?"),
    ],
)
def test_a_field_that_livingdocs_does_not_know_is_named(name: str, meant: str) -> None:
    (text,) = told(name, "li-text")
    assert text.startswith("mediaTypes.0.exifExtraction.mappings.0: ")
    assert f"“{name}”" in text and meant in text and "fills nothing" in text
    assert ("removed 2023-11-24" in text) == (name in ("headline", "instructions", "source"))


def test_a_field_like_no_other_gets_no_suggestion() -> None:
    (text,) = told("QQQQQQ", "li-text")
    assert "did you mean" not in text


def test_a_property_that_is_not_there_is_named() -> None:
    (text,) = told("Title", "li-text", target="heer")
    assert "which the media type does not have; did you mean “here”?" in text


@pytest.mark.parametrize(
    ("field", "plugin", "words"),
    [
        ("Date Created", "li-integer", "it never fits"),
        ("Date Created", "li-boolean", "it never fits"),
        ("Location Shown in the Image", "li-date", "it never fits"),
        ("Image Rating", "li-datetime", "it never fits"),
        ("Headline", "li-license-profile", "it never fits"),
        ("Image Region", "li-image", "it never fits"),
        ("Headline", "li-integer", "left out where it is not a whole number"),
        ("Keywords", "li-numeric-list", "left out where it is not whole numbers"),
        ("Headline", "li-boolean", "left out where it is not yes or no"),
        ("Headline", "li-date", "left out where it is not a date"),
        ("Keywords", "li-datetime", "left out where it is not a date and time"),
    ],
)
def test_a_mapping_into_another_shape_is_told(field: str, plugin: str, words: str) -> None:
    (text,) = told(field, plugin)
    assert f"“{field}” is a" in text and f"“here” ({plugin})" in text and words in text


@pytest.mark.parametrize(
    ("field", "plugin"),
    [
        ("Date Created", "li-date"),
        ("Date Created", "li-datetime"),
        ("Image Rating", "li-integer"),
        ("Max Avail Width", "li-numeric-list"),
    ],
)
def test_a_mapping_that_always_fits_needs_no_word(field: str, plugin: str) -> None:
    assert told(field, plugin) == ()


def test_every_spelling_of_the_documentation_is_understood() -> None:
    for spelling in ("Caption/Abstract", "By-line", "subject", "Object Name", "rights", "Provider",
                     "Creator's jobtitle", "Creator’s jobtitle", "CreatorContactInfo"):  # fmt: skip
        assert spelling in NAMES and told(spelling, "li-text") == ()
