"""What people read about a value that does not fit: code, sentence and way out, word by word."""

from __future__ import annotations

import pytest
from schema_projects import checked, entry, item_list, project

from ldimport.model import Json, Severity

LIST = {"dataProvider": item_list("aaa", "bbb")}
CROPS = {"namedCrops": [{"name": "main"}, {"name": "wide", "isOptional": True}]}
OPTIONAL = {"namedCrops": [{"name": name, "isOptional": True} for name in ("main", "wide")]}
DOCUMENT: Json = {"id": "1"}

WRONG: list[tuple[str, dict[str, Json], Json, str, str, str]] = [
    ("li-text", {}, 5, "wrong-type", "has to be a text, not 5", ""),
    ("li-text", {}, True, "wrong-type", "has to be a text, not true", ""),
    ("li-text", {}, ["a"], "wrong-type", "has to be a text, not a list", ""),
    ("li-text", {}, {"a": 1}, "wrong-type", "has to be a text, not an object", ""),
    ("li-integer", {}, "x", "not-an-integer", "“x” is not a whole number", ""),
    ("li-boolean", {}, "maybe", "not-a-boolean", "“maybe” is neither yes nor no",
     "write yes or no"),
    ("li-text", {"maxLength": 3}, "abcd", "too-long", "has 4 characters, the limit is 3", ""),
    ("li-text", {"minLength": 3}, "ab", "too-short",
     "has 2 characters, at least 3 are needed", ""),
    ("li-text", {"allowNewlines": False}, "a\nb", "line-break",
     "has a line break, and may not", "put it on one line"),
    ("li-integer", {"minValue": 3}, 2, "too-small", "is 2, the smallest allowed is 3", ""),
    ("li-integer", {"maxValue": 3}, 4, "too-large", "is 4, the largest allowed is 3", ""),
    ("li-string-list", {"maxItems": 1}, ["a", "b"], "too-many", "has 2 items, the limit is 1", ""),
    ("li-document-references", {"min": 2},
     {"$ref": "documents", "references": [DOCUMENT]}, "too-few",
     ".references has 1 items, at least 2 are needed", ""),
    ("li-document-references", {"min": 1}, {"$ref": "documents", "references": []}, "required",
     ".references is empty", ""),
    ("li-enum", LIST, "aab", "not-in-list", ": “aab” is not in the list",
     "did you mean “aaa”? it has: aaa, bbb"),
    ("li-enum", LIST, "zzz", "not-in-list", ": “zzz” is not in the list", "it has: aaa, bbb"),
    ("li-string-list", LIST, ["aaa", "zzz"], "not-in-list", "[1]: “zzz” is not in the list",
     "it has: aaa, bbb"),
    ("li-date", {}, "2003-02-31", "bad-date", "“2003-02-31”: there is no such day", ""),
    ("li-datetime", {}, 5, "wrong-type", "has to be a text, not 5", ""),
    ("li-named-crops", OPTIONAL,
     {"crops": [{"name": "mian", "x": 0, "y": 0, "width": 1, "height": 1}]}, "unknown-crop",
     ".crops[0].name: “mian” is no crop of this project",
     "did you mean “main”? it has: main, wide"),
    ("li-document-reference", {}, {"$ref": "document"}, "wrong-shape", "has no “reference”", ""),
]  # fmt: skip
ODD: list[tuple[str, dict[str, Json], Json, str, str, str]] = [
    ("li-text", {"recommendedMinLength": 3, "recommendedMaxLength": 6}, "ab",
     "recommended-length", "has 2 characters, recommended are 3 to 6", ""),
    ("li-text", {"recommendedMinLength": 3}, "ab", "recommended-length",
     "has 2 characters, recommended are at least 3", ""),
    ("li-text", {"recommendedMaxLength": 1}, "ab", "recommended-length",
     "has 2 characters, recommended are 0 to 1", ""),
    ("li-text", LIST, "aab", "unlisted", ": “aab” is not among the values proposed",
     "did you mean “aaa”? it has: aaa, bbb"),
    ("li-text", {"maxLength": 3}, "\U0001f600" * 2, "maybe-too-long",
     "has 4 UTF-16 units, the limit is 3 of one or the other",
     "make it shorter, or take out emoji"),
    ("li-text", {}, "ZÃ¼rich", "mojibake", ": “ZÃ¼rich” looks like UTF-8 read as Windows-1252",
     "check the program that exported it, or --encoding"),
    ("li-string-list", {}, ["a", "\ufffd"], "replacement-character", ": a letter is lost (�): “�”",
     "export it again as UTF-8"),
    ("li-color", {}, "red", "unusual-colour", ": “red” is not a colour such as #8CBA51", ""),
    ("li-datetime-validity", {}, {"to": "2002-04-12T00:00:00Z"}, "validity",
     "is over: the image is invalid as soon as it arrives", ""),
    ("li-datetime-validity", {},
     {"from": "2003-04-12T00:00:00Z", "to": "2002-04-12T00:00:00Z"}, "validity",
     "ends before it begins", ""),
    ("li-named-crops", CROPS, {"crops": []}, "missing-crop", "has no crop main",
     "Livingdocs makes these at an upload, perhaps not at an import"),
]  # fmt: skip


def said(plugin: str, settings: dict[str, Json], value: Json) -> tuple[str, str, str, Severity]:
    """The one thing that is said about a value, its field's name cut off."""
    found = project(field=(plugin, settings))
    (problem,) = checked(found, entry({"field": value}, textual=isinstance(value, str))).problems
    assert problem.field == "metadata.field"
    message = problem.message.removeprefix("metadata.field")
    return problem.code, message.removeprefix(": ").strip(), problem.hint, problem.severity


@pytest.mark.parametrize(("plugin", "settings", "value", "code", "message", "hint"), WRONG)
def test_what_is_wrong_is_said_in_these_words(
    plugin: str, settings: dict[str, Json], value: Json, code: str, message: str, hint: str
) -> None:
    wanted = (code, message.removeprefix(": "), hint, Severity.ERROR)
    assert said(plugin, settings, value) == wanted


@pytest.mark.parametrize(("plugin", "settings", "value", "code", "message", "hint"), ODD)
def test_what_is_odd_is_a_warning(
    plugin: str, settings: dict[str, Json], value: Json, code: str, message: str, hint: str
) -> None:
    wanted = (code, message.removeprefix(": "), hint, Severity.WARNING)
    assert said(plugin, settings, value) == wanted


def test_a_giant_number_of_violations_is_cut_to_twenty() -> None:
    found = project(field=("li-string-list", {"maxLength": 1}))
    problems = checked(found, entry({"field": ["ab"] * 500})).problems
    assert len(problems) == 20
    assert {each.code for each in problems} == {"too-long"}
