"""Values of every plugin: what is stored, what the config demands, how bad ones are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from schema_projects import checked, codes, entry, errors, item_list, project, warnings

from ldimport.errors import ConfigError
from ldimport.model import Image, Json, Severity
from ldimport.schema import config
from ldimport.schema.check import CheckOptions, metadata_reasons
from ldimport.schema.jsonschema import media_type_schema
from ldimport.schema.properties import PLUGINS, Property, shapes
from ldimport.schema.values import ValueCheck
from ldimport.schema.violations import violations

VECTORS = json.loads((Path(__file__).parent / "shape_vectors.json").read_text())
SHAPES = [(plugin, value, True) for plugin, each in VECTORS.items() for value in each["valid"]] + [
    (plugin, value, False) for plugin, each in VECTORS.items() for value in each["invalid"]
]


def found_in(plugin: str, value: Json, **settings: Json) -> list[str]:
    check = ValueCheck(Property("x", plugin, settings), config.default())
    return [each.code for each in check.findings(value) if each.severity is Severity.ERROR]


@pytest.mark.parametrize(("plugin", "value", "fits"), SHAPES)
def test_a_value_is_stored_or_not(plugin: str, value: Json, fits: bool) -> None:
    assert (found_in(plugin, value) == []) is fits


def test_every_plugin_page_has_a_shape_and_a_kind() -> None:
    assert len(PLUGINS) == 71
    assert set(PLUGINS) == {name for name in shapes() if name.startswith("li-")}


CROPS = {"crops": [{"name": "print", "x": 0, "y": 0, "width": 9, "height": 9}]}
REFS = [
    {"$ref": "documents", "references": [{"id": str(n)} for n in range(count)]} for count in (1, 5)
]
CONFIGURED: list[tuple[str, str, dict[str, Json], Json, list[str]]] = [
    ("C1", "li-text", {"required": True}, "", ["required"]),
    ("C2", "li-text", {"maxLength": 200}, "a" * 201, ["too-long"]),
    ("C2 fits", "li-text", {"maxLength": 200}, "a" * 200, []),
    ("C3", "li-text", {"minLength": 5}, "abcd", ["too-short"]),
    ("C4", "li-text", {"allowNewlines": False}, "a\nb", ["line-break"]),
    ("C5", "li-text", {}, "a\nb", []),
    ("C6", "li-text", {"recommendedMaxLength": 150}, "a" * 151, []),
    ("C7", "li-enum", {"dataProvider": item_list("a", "b", "c")}, "d", ["not-in-list"]),
    ("C8", "li-string-list", {"dataProvider": item_list("a", "b")}, ["a", "x"], ["not-in-list"]),
    ("C9", "li-numeric-list", {"maxItems": 5}, [1, 2, 3, 4, 5, 6], ["too-many"]),
    ("C10", "li-integer", {"required": True}, 0, []),
    ("C11 low", "li-integer", {"minValue": 1, "maxValue": 50}, 0, ["too-small"]),
    ("C11 high", "li-integer", {"minValue": 1, "maxValue": 50}, 51, ["too-large"]),
    ("C13 few", "li-document-references", {"min": 2, "max": 4}, REFS[0], ["too-few"]),
    ("C13 many", "li-document-references", {"min": 2, "max": 4}, REFS[1], ["too-many"]),
    ("C14", "li-named-crops", {"namedCrops": [{"name": "desktop", "isOptional": True}]}, CROPS,
     ["unknown-crop"]),
    ("list item", "li-string-list", {"maxLength": 3}, ["abcd"], ["too-long"]),
    ("no list", "li-string-list", {"required": True}, [], ["required"]),
    ("31 February", "li-date", {}, "2003-02-31", ["bad-date"]),
    ("25 o'clock", "li-datetime", {}, "2003-02-01T25:00:00Z", ["bad-date"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plugin", "settings", "value", "expected"),
    [each[1:] for each in CONFIGURED],
    ids=[each[0] for each in CONFIGURED],
)
def test_the_config_limits_values(
    plugin: str, settings: dict[str, Json], value: Json, expected: list[str]
) -> None:
    assert found_in(plugin, value, **settings) == expected


@pytest.mark.parametrize("value", [None, ""])
def test_a_required_value_that_is_missing_is_told_in_the_projects_words(value: Json) -> None:
    own = {"required": True, "requiredErrorMessage": "Please name the owner"}
    found = checked(project(credit=("li-text", own)), entry({"credit": value}))
    (problem,) = found.problems
    assert (problem.code, problem.field) == ("required", "metadata.credit")
    assert "Please name the owner" in problem.message and "--set credit=" in problem.hint
    assert errors(checked(project(credit=("li-text", own)), entry({}))) == ["required"]


def test_absent_values_meet_everything_but_required() -> None:
    found = project(refs=("li-document-references", {"min": 2}), many=("li-text", {"minLength": 5}))
    assert checked(found, entry({})).problems == ()


def test_a_list_that_only_the_server_knows_is_a_notice_of_the_config() -> None:
    found = project(tags=("li-string-list", {"dataProvider": {"dataSource": "tags"}}))
    assert checked(found, entry({"tags": ["anything"]})).problems == ()
    assert len(found.warnings) == 1 and "not checked here" in found.warnings[0]


def test_a_projects_own_plugin_is_not_validated_but_named() -> None:
    found = project(slug=("bp-slug", {}))
    assert checked(found, entry({"slug": {"any": ["thing"]}})).problems == ()
    assert "bp-slug" in found.warnings[0]


@pytest.mark.parametrize("plugin", [name for name, each in PLUGINS.items() if not each.media])
def test_plugins_for_documents_are_refused_on_media_types(plugin: str) -> None:
    with pytest.raises(ConfigError, match="not supported on media types"):
        project(handle=(plugin, {}))


ODD: list[tuple[str, str, dict[str, Json], Json, str]] = [
    ("C6", "li-text", {"recommendedMaxLength": 150}, "a" * 151, "recommended-length"),
    ("emoji", "li-text", {"maxLength": 3}, "\U0001f600\U0001f600", "maybe-too-long"),
    ("C8 for text", "li-text", {"dataProvider": item_list("a")}, "b", "unlisted"),
    ("C8 for numbers", "li-integer", {"dataProvider": item_list(1, 2)}, 3, "unlisted"),
    ("colour", "li-color", {}, "red", "unusual-colour"),
    ("crop", "li-named-crops", {"namedCrops": [{"name": "wide"}]}, {"crops": []}, "missing-crop"),
    ("over", "li-datetime-validity", {}, {"to": "2003-01-01T00:00:00Z"}, "validity"),
    ("mangled", "li-text", {}, "ZÃ¼rich", "mojibake"),
    ("lost", "li-string-list", {}, ["Z\ufffdrich"], "replacement-character"),
]


@pytest.mark.parametrize(
    ("plugin", "settings", "value", "code"), [each[1:] for each in ODD], ids=[o[0] for o in ODD]
)
def test_what_is_only_odd_is_a_warning_and_the_image_goes(
    plugin: str, settings: dict[str, Json], value: Json, code: str
) -> None:
    found = checked(project(one=(plugin, settings)), entry({"one": value}))
    assert codes(found) == warnings(found) == [code]
    assert found.image is not None and found.image.metadata == {"one": value}


@pytest.mark.parametrize("text", ["SÃO PAULO", "Ânimo", "l’été – “oui”", "Müller", "€ 5"])
def test_letters_that_are_meant_are_not_called_mangled(text: str) -> None:
    assert checked(project(one=("li-text", {})), entry({"one": text})).problems == ()


def test_validity_that_lies_ahead_is_fine_and_one_that_ends_first_is_not() -> None:
    found = project(one=("li-datetime-validity", {}))
    ahead = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert checked(found, entry({"one": {"to": ahead}})).problems == ()
    turned: Json = {"from": "2031-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}
    assert warnings(checked(found, entry({"one": turned}))) == ["validity"]


def test_a_text_that_javascript_counts_as_long_enough_is_let_through() -> None:
    found = project(one=("li-text", {"minLength": 4}))
    assert checked(found, entry({"one": "\U0001f600\U0001f600"})).problems == ()
    assert errors(checked(found, entry({"one": "abc"}))) == ["too-short"]


def test_lenient_forgives_what_only_publishing_checks_and_never_the_shape() -> None:
    found = project(
        a=("li-text", {"maxLength": 2}), b=("li-integer", {}), c=("li-text", {"required": True})
    )
    mixed: dict[str, Json] = {"a": "abc", "b": "5"}
    strict = checked(found, entry(mixed))
    assert sorted(errors(strict)) == ["required", "too-long", "wrong-type"]
    lenient = checked(found, entry(mixed), CheckOptions(lenient=True))
    assert errors(lenient) == ["wrong-type"] and sorted(warnings(lenient)) == [
        "required",
        "too-long",
    ]


def test_strict_makes_errors_of_warnings() -> None:
    found = project(one=("li-color", {}))
    assert errors(checked(found, entry({"one": "red"}), CheckOptions(strict=True))) == [
        "unusual-colour"
    ]


def test_a_required_title_is_met_by_the_file_name_with_a_warning() -> None:
    found = project(title=("li-text", {"required": True}))
    one = checked(found, entry({}))
    assert warnings(one) == ["title-from-file-name"] and one.image is not None
    reasons = metadata_reasons(found, Image("1", "https://a.example/1.jpg", "A title", {}, "image"))
    assert reasons == ()


def test_the_engine_hears_reasons_and_with_lenient_only_those_of_the_shape() -> None:
    found = project(a=("li-text", {"maxLength": 2}), b=("li-integer", {}))
    image = Image("1", "https://a.example/1.jpg", "t", {"a": "abc", "b": "5"}, "image")
    assert len(metadata_reasons(found, image)) == 2
    assert metadata_reasons(found, image, lenient=True) == (
        "metadata.b has to be a whole number, not “5”",
    )


def test_an_unknown_property_is_an_error_with_the_one_that_was_meant() -> None:
    found = checked(project(photographer=("li-text", {})), entry({"photographr": "Anna"}))
    (problem,) = found.problems
    assert problem.code == "unknown-property" and "did you mean photographer?" in problem.hint


def test_without_a_config_of_ones_own_the_hint_names_the_option() -> None:
    found = checked(config.default(), entry({"credit": "x"}))
    assert "--project-config" in found.problems[0].hint


def test_the_printed_schema_says_the_same_as_the_check() -> None:
    found = project(
        title=("li-text", {"maxLength": 3}),
        kind=("li-enum", {"required": True, "dataProvider": item_list("a")}),
    )
    schema = media_type_schema(found, found.media_types["image"])
    Draft202012Validator.check_schema(schema)
    decide = Draft202012Validator(schema)
    for metadata, fits in (
        ({"kind": "a"}, True),
        ({"kind": "b"}, False),
        ({}, False),
        ({"kind": "a", "title": "abcd"}, False),
        ({"kind": "a", "other": 1}, False),
    ):
        assert decide.is_valid(metadata) is fits
        assert (errors(checked(found, entry(dict(metadata)))) == []) is fits  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}, "f has no key “b”"),
        ({"const": "x"}, "y", "f has to be “x”"),
        ({"uniqueItems": True}, [1, 1], "f is not of the form that the property stores"),
        ({"multipleOf": 2}, 3, "f is not of the form that the property stores"),
    ],
)
def test_no_sentence_of_the_schema_library_is_passed_on(
    schema: dict[str, Json], value: Json, told: str
) -> None:
    (found,) = violations(schema, value, "f", publishing=False)
    assert (found.code, found.message) == ("wrong-shape", told)


@pytest.mark.parametrize("plugin", ["li-integer", "li-system-integer", "li-text"])
def test_a_value_that_is_not_proposed_is_a_warning(plugin: str) -> None:
    known: Json = "7" if plugin == "li-text" else 7
    config = project(n=(plugin, {"dataProvider": item_list(known)}))
    other: Json = "8" if plugin == "li-text" else 8
    assert codes(checked(config, entry({"n": other}))) == ["unlisted"]
    assert codes(checked(config, entry({"n": known}))) == []
