"""Rows against the API's rules: ids, urls, titles, media types."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_projects import checked, codes, entry, errors, project, warnings

from ldimport.model import Place, Severity
from ldimport.schema import config
from ldimport.schema.check import Checker, CheckOptions
from ldimport.schema.identity import Seen

DEFAULT = config.default()


def test_a_good_row_becomes_an_image_with_its_media_type() -> None:
    found = checked(DEFAULT, entry({"caption": "c"}))
    assert found.problems == () and found.image is not None
    assert (found.image.media_type, found.image.file_name) == ("image", "A title")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "required"),
        ("data:image/png;base64,iVBORw0KGgo=", "data-url"),
        ("DATA:image/png;base64,iVBORw0KGgo=", "data-url"),
        ("ftp://a.example/1.jpg", "not-a-url"),
        ("https://a.example/my photo.jpg", "not-a-url"),
        ("https://a.example\\1.jpg", "not-a-url"),
        ("https://", "not-a-url"),
        ("https:///1.jpg", "not-a-url"),
        ("https://a.example:99999/1.jpg", "not-a-url"),
        ("https://a.example/" + "x" * 8_200, "not-a-url"),
        ("https://anna:secret@a.example/1.jpg", "url-userinfo"),
        ("/mnt/photos/1.jpg", "absolute-path"),
        ("C:\\photos\\1.jpg", "not-a-url"),
        ("photos\\1.jpg", "not-a-url"),
        ("file:///photos/1.jpg", "absolute-path"),
        ("photos/1.jpg", "relative-url"),
        ("N/A", "relative-url"),
    ],
)
def test_urls_that_a_server_cannot_fetch(url: str, code: str) -> None:
    found = checked(DEFAULT, entry(url=url))
    assert errors(found) == [code] and found.image is None
    assert "secret" not in found.problems[0].message + found.problems[0].hint


@pytest.mark.parametrize(
    "ending", ["", ".png", ".jpg", ".JPEG", ".gif", ".svg", "?id=3", ".jpg?w=1", "/3"]
)
def test_the_ending_of_a_url_never_blocks_and_says_nothing_where_it_is_usual(ending: str) -> None:
    assert checked(DEFAULT, entry(url=f"https://a.example/x{ending}")).problems == ()


@pytest.mark.parametrize("ending", [".tif", ".webp", ".php", ".heic"])
def test_an_unusual_ending_is_a_warning(ending: str) -> None:
    found = checked(DEFAULT, entry(url=f"https://a.example/x{ending}"))
    assert warnings(found) == codes(found) == ["unlikely-type"] and found.image is not None


def test_local_files_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (tmp_path / "a" / "out").symlink_to("/")
    options = CheckOptions(folder=tmp_path / "a")
    assert checked(DEFAULT, entry(url="1.jpg"), options).problems == ()
    assert warnings(checked(DEFAULT, entry(url="2.jpg"), options)) == ["no-such-file"]
    for outside in ("../1.jpg", "out/etc/passwd", "x/../../1.jpg", "%2e%2e/1.jpg"):
        assert errors(checked(DEFAULT, entry(url=outside), options)) == ["outside-folder"], outside
    assert errors(checked(DEFAULT, entry(url="C:/1.jpg"), options)) == ["absolute-path"]


def test_a_base_url_resolves_relative_urls() -> None:
    options = CheckOptions(base_url="https://img.example/archive")
    image = checked(DEFAULT, entry(url="03/1.jpg"), options).image
    assert image is not None and image.url == "https://img.example/archive/03/1.jpg"
    image = checked(DEFAULT, entry(url="Föhn, Küsnacht/100% #1? c.jpg"), options).image
    assert image is not None
    name = "F%C3%B6hn,%20K%C3%BCsnacht/100%25%20%231%3F%20c.jpg"
    assert image.url == f"https://img.example/archive/{name}"


def test_missing_fields_and_unknown_types_are_all_told() -> None:
    found = checked(DEFAULT, entry(id="", url="", file_name=None, media_type="imgae"))
    assert errors(found) == ["required", "required", "required", "unknown-media-type"]
    assert [p.field for p in found.problems] == ["id", "url", "fileName", "mediaType"]
    assert "did you mean “image”?" in found.problems[3].hint


def test_the_same_id_twice_names_the_first_line() -> None:
    checker = Checker(DEFAULT)
    assert checker.check(entry(id="a", line=2)).problems == ()
    assert checker.check(entry(id="b", line=3)).problems == ()
    (problem,) = checker.check(entry(id="a", line=40)).problems
    assert (problem.code, problem.severity) == ("duplicate-id", Severity.ERROR)
    assert "first in line 2" in problem.message
    (third,) = checker.check(entry(id="a", line=41)).problems
    assert "first in line 2" in third.message


def test_duplicates_across_files_name_the_file() -> None:
    checker = Checker(DEFAULT)
    checker.check(entry(id="a", line=7))
    other = entry(id="a", line=3)._replace(place=Place("other.csv", 9, 3))
    assert "first in m.csv, line 7" in checker.check(other).problems[0].message


def test_ids_that_differ_only_in_case_are_a_warning() -> None:
    checker = Checker(DEFAULT)
    checker.check(entry(id="Straße", line=2))
    found = checker.check(entry(id="STRASSE", line=3))
    assert warnings(found) == ["id-case"] and found.image is not None
    assert errors(checker.check(entry(id="STRASSE", line=4))) == ["duplicate-id"]


@pytest.mark.parametrize(
    ("id", "code"),
    [("a\u202eb", "id-control"), ("a\nb", "id-control"), ("a\u200bb", "id-control")],
)
def test_ids_that_look_like_another_are_warned_of(id: str, code: str) -> None:
    found = checked(DEFAULT, entry(id=id))
    assert warnings(found) == [code] and found.image is not None and found.image.id == id


@pytest.mark.parametrize(
    "around", [" ", "\t", "\r\n", "\xa0", "\u200b", "\u2009 ", "\ufeff", "\u2060", "\xad"]
)
def test_blanks_around_id_and_url_are_taken_away_and_counted(around: str) -> None:
    checker, url = Checker(DEFAULT), "https://img.example/1.jpg"
    for id_, there in ((f"{around}a", url), ("b", f"{url}{around}"), ("c", url)):
        image = checker.check(entry(id=id_, url=there)).image
        assert image is not None
        assert (image.id, image.url) == (id_.strip(around), url)
    assert checker.trimmed == 2
    assert errors(checker.check(entry(id=f"{around}a{around}"))) == ["duplicate-id"]
    assert errors(checker.check(entry(id=around * 2))) == ["required"]


@pytest.mark.parametrize(
    "id",
    ["1.23E+11", "9.91214E+15", "1,5e-7", "2E+05", "123456.0", "7.00", "#REF!", "#N/A", "#NAME?",
     "#DIV/0!", "########", "NULL", "null", "None", "nan", "N/A", "undefined", "[object Object]",
     "<NA>"],
)  # fmt: skip
def test_what_programs_leave_of_ids_is_warned_of(id: str) -> None:
    found = checked(DEFAULT, entry(id=id))
    assert warnings(found) == ["id-damaged"] and found.image is not None


@pytest.mark.parametrize(
    "id", ["123456", "1.5", "E11", "12E", "a1.0", "1.10", "#12", "Nancy", "Nullmeridian", "1E5b"]
)
def test_ids_that_only_look_a_little_like_that_are_not(id: str) -> None:
    assert checked(DEFAULT, entry(id=id)).problems == ()


HOST = "https://img.example"


@pytest.mark.parametrize(
    ("url", "code", "hint"),
    [
        ("/Photo#1.png", "hash-in-url", "/Photo%231.png"),
        ("/#a.png", "hash-in-url", "/%23a.png"),
        ("/Photo#1", "hash-in-url", "/Photo%231"),
        ("/100%.jpg", "lone-percent", "/100%25.jpg"),
        ("/5%Rabatt.jpg", "lone-percent", "/5%25Rabatt.jpg"),
        ("/a.png#top", None, ""),
        ("/a%20b.jpg", None, ""),
    ],
)
def test_signs_that_stand_for_themselves_are_told_with_the_encoded_form(
    url: str, code: str | None, hint: str
) -> None:
    found = checked(DEFAULT, entry(url=HOST + url))
    assert warnings(found) == [code] * (code is not None)
    assert found.image is not None and found.image.url == HOST + url
    assert hint in "".join(each.hint for each in found.problems)


@pytest.mark.parametrize("between", [";", "|", ",", " ", "; ", "\n"])
def test_several_addresses_in_one_cell_are_told_as_that(between: str) -> None:
    found = checked(DEFAULT, entry(url=f"{HOST}/a.jpg{between}{HOST}/b.png"))
    assert errors(found) == ["several-addresses"]
    through = f"{HOST}/resize?to=600,{HOST}/b.png"
    assert "several-addresses" not in errors(checked(DEFAULT, entry(url=through)))


def test_giant_ids_and_titles_are_errors() -> None:
    assert errors(checked(DEFAULT, entry(id="x" * 9_000))) == ["too-long"]
    assert errors(checked(DEFAULT, entry(file_name="x" * 9_000))) == ["too-long"]


def test_a_row_whose_cells_are_not_in_their_place_has_that_one_problem() -> None:
    from ldimport.model import Problem

    ragged = Problem(Severity.ERROR, "ragged-row", Place("m.csv", 1, 2), "", "3 cells")
    found = checked(DEFAULT, entry(media_type="oops", url="x")._replace(problems=(ragged,)))
    assert codes(found) == ["ragged-row"] and found.image is None


@given(st.lists(st.text(alphabet="aAbB1", min_size=1, max_size=3), max_size=40))
def test_ids_are_remembered_exactly(ids: list[str]) -> None:
    seen = Seen()
    first: dict[str, int] = {}
    for line, text in enumerate(ids, 1):
        met = seen.add(text, "f", line)
        if text in first:
            assert met is not None and met.exactly and met.line == first[text]
        elif any(text.casefold() == other.casefold() for other in first):
            assert met is not None and not met.exactly
        else:
            assert met is None
        first.setdefault(text, line)


def test_a_million_ids_cost_sixteen_bytes_each() -> None:
    seen = Seen()
    for n in range(100_000):
        assert seen.add_new(f"id-{n:07}", "f", n)
    assert not seen.add_new("ID-0000001", "f", 1)
    held = sum(len(bucket) for bucket in seen._buckets if bucket)
    assert held == 16 * 100_000


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_any_text_in_any_field_is_an_image_or_a_problem(id: str, url: str, title: str) -> None:
    found = checked(
        project(t=("li-text", {})), entry({"t": title}, id=id, url=url, file_name=title)
    )
    assert (found.image is None) == bool(errors(found))
    for problem in found.problems:
        assert problem.message and "\n" not in problem.message


def test_a_hundred_thousand_rows_with_one_id_are_remembered_once() -> None:
    seen = Seen()
    met = [seen.add("a", "m.csv", line) for line in range(1, 100_001)]
    assert met[0] is None and {each.line for each in met[1:] if each} == {1}
    assert sum(map(len, seen._buckets)) == 16


@pytest.mark.parametrize(
    "sign",
    ["\x00", "\x07", "\x0c", "\x1d", "\x7f", "\x85", "\x9b", "\u200b", "\u200e", "\u202e", "\u2066",
     "\ufeff", "\u2060", "\u061c", "\u2028", "\u200d"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["fileName", "metadata.caption"])
def test_signs_that_nobody_sees_are_warned_of(sign: str, field: str) -> None:
    text = f"a{sign}b"
    odd = {"file_name": text} if field == "fileName" else {"metadata": {"caption": text}}
    found = checked(DEFAULT, entry(**odd))
    assert [(each.code, each.field) for each in found.problems] == [("invisible-characters", field)]
    assert f"U+{ord(sign):04X}" in found.problems[0].message
    assert found.image is not None


@pytest.mark.parametrize(
    "text", ["a\nb\tc", "soft\xadhyphen", "no\xa0break", "👩‍👧", "می‌خواهم", "क्‍ष"]
)
def test_signs_that_shape_a_text_are_not(text: str) -> None:
    assert checked(DEFAULT, entry(metadata={"caption": text})).problems == ()
