"""Columns that are taken for properties by what they are called, and lists below other keys."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from manifests import metadata, opened, write

from ldimport.errors import ManifestError
from ldimport.manifest import Manifest, ReadOptions, open_manifest
from ldimport.manifest.dateform import date_form
from ldimport.manifest.mapping import FieldMap
from ldimport.manifest.names import ProjectNames

PROJECT = ProjectNames(
    {
        "image": {"caption": ("Légende",), "credit": ("Fotograf", "Photographer"), "desk": ()},
        "graphic": {"caption": (), "artist": ("Fotograf",), "dateTaken": ("Datum",)},
    },
    "image",
)
ROW = "1,https://x.ch/1.jpg,T"


def taking(path: Path, **changed: object) -> Manifest:
    columns = FieldMap(known=PROJECT, handles=PROJECT.handles, **changed)  # type: ignore[arg-type]
    return open_manifest([path], ReadOptions(columns=columns))


def notes(manifest: Manifest) -> dict[str, str]:
    return {note.code: note.text for note in manifest.notices()}


@pytest.mark.parametrize(
    ("column", "handle"),
    [
        ("caption", "caption"),
        ("CAPTION", "caption"),
        ("legende", "caption"),
        ("Photo-grapher", "credit"),
        ("De_sk", "desk"),
    ],
)
def test_a_column_is_taken_for_the_property_of_its_name(
    tmp_path: Path, column: str, handle: str
) -> None:
    path = write(tmp_path, "a.csv", f"id,url,fileName,{column}\n{ROW},x\n")
    with taking(path) as manifest:
        (entry,) = manifest.entries()
        assert manifest.table is not None, "still the fast way"
        assert metadata(entry) == {handle: "x"}
        assert "columns taken: " in notes(manifest)["columns-taken"]
        assert "unknown-columns" not in notes(manifest)
        assert manifest.common == {f"metadata.{handle}"}


def test_keys_of_objects_are_taken_too_and_their_place_is_known(tmp_path: Path) -> None:
    rows = [{"id": "1", "url": "u", "Legende": "x"}, {"id": "2", "url": "u", "credit": "y"}]
    with taking(write(tmp_path, "a.json", json.dumps(rows))) as manifest:
        first, second = manifest.entries()
        assert (metadata(first), metadata(second)) == ({"caption": "x"}, {"credit": "y"})
        assert manifest.locate(first, "metadata.caption").column == 38
        assert "columns taken: Legende as caption, credit" in notes(manifest)["columns-taken"]


def test_strict_columns_take_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", f"id,url,fileName,caption\n{ROW},x\n")
    with taking(path, strict=True) as manifest:
        (entry,) = manifest.entries()
        assert metadata(entry) == {} and [*notes(manifest)] == ["unknown-columns"]


def test_what_a_column_is_mapped_to_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", f"id,url,fileName,caption,Text\n{ROW},x,y\n")
    with taking(path, columns={"metadata.caption": "Text"}) as manifest:
        assert metadata(next(manifest.entries())) == {"caption": "y"}
        assert "not used: caption" in notes(manifest)["unknown-columns"]


def test_a_column_mapped_elsewhere_is_not_taken_as_well(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,url,caption\n1,u,x\n")
    with taking(path, columns={"fileName": "caption"}) as manifest:
        (entry,) = manifest.entries()
        assert (entry.file_name, metadata(entry)) == ("x", {})


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("id,url,fileName,caption,Légende", "“caption” and “Légende” may both be metadata.caption"),
        ("id,url,fileName,mediaType,Fotograf", "may be credit (image) and artist (graphic)"),
    ],
)
def test_what_may_mean_two_things_is_said_and_not_guessed(
    tmp_path: Path, header: str, told: str
) -> None:
    path = write(tmp_path, "a.csv", f"{header}\n{ROW},x,y\n")
    with taking(path) as manifest:
        (entry,) = manifest.entries()
        assert metadata(entry) == {}
        assert told in notes(manifest)["columns-unclear"] and "--map " in str(notes(manifest))


def test_only_media_types_in_use_make_a_name_unclear(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", f"id,url,fileName,Fotograf\n{ROW},x\n")
    with taking(path) as manifest:
        assert metadata(next(manifest.entries())) == {"credit": "x"}
    with taking(path, constants={"mediaType": "graphic"}) as manifest:
        assert metadata(next(manifest.entries())) == {"artist": "x"}


def test_a_media_type_has_columns_of_its_own(tmp_path: Path) -> None:
    text = "id,url,mediaType,Titel,Name,Zeichner\n1,u,image,A,Anna,\n2,u,Graphic,B,,Bea\n"
    config = {
        "fileName": "Titel",
        "credit": "Name",
        "mediaTypes": {"graphic": {"fileName": "{Titel}!", "artist": "Zeichner"}},
    }
    for name, content in [
        ("a.csv", text),
        ("a.json", json.dumps([*csv.DictReader(text.splitlines())])),
    ]:
        with opened(write(tmp_path, name, content), config=config) as manifest:
            one, two = manifest.entries()
            assert (one.file_name, metadata(one)["credit"]) == ("A", "Anna")
            assert (two.file_name, metadata(two)["artist"]) == ("B!", "Bea")
            assert "artist" not in metadata(one) and manifest.notices() == ()


# -- JSON documents --------------------------------------------------------------------------

ENTRY = {"id": "1", "url": "https://x.ch/1.jpg", "fileName": "T"}


@pytest.mark.parametrize(
    ("document", "root"),
    [
        ({"assets": [ENTRY]}, None),
        ({"total": 1, "page": {"next": None}, "data": {"assets": {"items": [ENTRY]}}}, None),
        ({"tags": ["a"], "empty": [], "assets": [ENTRY]}, None),
        ({"tags": [{"name": "a"}], "assets": [ENTRY]}, "assets"),
        ({"a": {"b": [ENTRY]}, "c": {"b": [{"x": 1}] * 5}}, "A.b"),
        ({"images": [{"x": 1}], "assets": [ENTRY]}, "assets"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_below_other_keys_is_found_or_named(
    tmp_path: Path, document: object, root: str | None, indent: int | None
) -> None:
    path = write(tmp_path, "a.json", json.dumps(document, indent=indent))
    columns = FieldMap(root=root)
    with open_manifest([path], ReadOptions(columns=columns)) as manifest:
        (entry,) = manifest.entries()
        assert (entry.id, entry.file_name) == ("1", "T")
        line = manifest.source_line(manifest.locate(entry, "url"))
        assert line is not None and "https://x.ch/1.jpg" in line
        assert ("root" in notes(manifest)) is (root is None)


def test_several_lists_are_named_with_the_way_to_choose(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", json.dumps({"a": [{"x": 1}], "b": {"c": [ENTRY, ENTRY]}}))
    with pytest.raises(ManifestError, match="2 lists of objects: a ") as caught:
        opened(path)
    assert "--root" in str(caught.value.hint) and "b.c" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", json.dumps({"assets": [ENTRY]}), "has no list at “asets”"),
        ("a.json", json.dumps([ENTRY]), "has no list at “asets”"),
        ("a.csv", f"id,url,fileName\n{ROW}\n", "--root is for a JSON document"),
    ],
)
def test_a_root_that_is_none_is_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(ManifestError, match=message) as caught:
        open_manifest([path], ReadOptions(columns=FieldMap(root="asets")))
    assert caught.value.hint


def test_an_object_with_id_and_url_is_an_image_whatever_lists_it_has(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", json.dumps({**ENTRY, "crops": [{"x": 1}]}))
    with opened(path) as manifest:
        (entry,) = manifest.entries()
        assert entry.id == "1"


def test_a_large_document_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """Every list of it is larger than what a single value may be."""
    filler = [{"text": "x" * 60_000}] * 300
    path = tmp_path / "a.json"
    body = {"a": {"log": ["x" * 60_000] * 300}, "b": {"items": [ENTRY, *filler]}}
    path.write_text(json.dumps(body))
    with opened(path) as manifest:
        assert sum(1 for _ in manifest.entries()) == 301


def test_keys_are_proposed_as_columns_are(tmp_path: Path) -> None:
    rows = [{"assetId": 1, "headline": "x", "links": {"original": "u"}}]
    with pytest.raises(ManifestError, match="has no key for “id”") as caught:
        opened(write(tmp_path, "a.json", json.dumps(rows)))
    told = "--map id=assetId --map url=links.original --map fileName=headline"
    assert told in str(caught.value.hint)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rights.owner.name", "A"),
        ("RIGHTS.owner.Name", "A"),
        ("xmp.dc.title", "B"),
        ("creators.1.name", "D"),
    ],
)
def test_nested_keys_are_mapped_by_their_path(tmp_path: Path, path: str, value: str) -> None:
    row = {
        **ENTRY,
        "rights": {"owner": {"name": "A"}},
        "xmp.dc": {"title": "B"},
        "creators": [{"name": "C"}, {"name": "D"}],
    }
    file = write(tmp_path, "a.json", json.dumps([row]))
    with opened(file, config={"metadata.credit": path}) as manifest:
        assert metadata(next(manifest.entries())) == {"credit": value}


def test_missing_keys_are_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    file = write(tmp_path, "a.json", json.dumps([{**ENTRY, "rights": {"owner": "A"}}]))
    with pytest.raises(ManifestError, match=r"has no column “rights\.ownr”") as caught:
        opened(file, maps=["credit=rights.ownr"])
    assert caught.value.hint == "did you mean “rights.owner”?"
    with pytest.raises(ManifestError, match="2 mistakes in the mapping") as caught:
        opened(file, maps=["credit=rights.ownr", "caption=Text"])
    assert len(caught.value.facts) == 3


def test_a_key_that_comes_late_is_no_mistake(tmp_path: Path) -> None:
    rows = "".join(json.dumps(ENTRY) + "\n" for _ in range(300))
    file = write(tmp_path, "a.jsonl", f"{rows}{json.dumps({**ENTRY, 'Vermerk': 'v'})}\n")
    with opened(file, maps=["credit=Vermerk"]) as manifest:
        assert metadata([*manifest.entries()][-1]) == {"credit": "v"}


# -- formats of dates ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "form"),
    [
        ("DD.MM.YYYY", "%d.%m.%Y"),
        ("D.M.YY", "%d.%m.%y"),
        ("YYYY/MM/DD HH:mm", "%Y/%m/%d %H:%M"),
        ("yyyy-MM-dd'T'HH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
        ("dd.mm.yyyy hh:mm", "%d.%m.%Y %H:%M"),
        ("HH:MM DD.MM.YYYY", "%H:%M %d.%m.%Y"),
        ("TT.MM.JJJJ", "%d.%m.%Y"),
        ("tt.mm.jj", "%d.%m.%y"),
        ("JJ/MM/AAAA", "%d/%m/%Y"),
        ("GG/MM/AAAA", "%d/%m/%Y"),
        ("D MMM YYYY", "%d %b %Y"),
        ("%d.%m.%y", "%d.%m.%y"),
    ],
)
def test_formats_as_people_write_them(people: str, form: str) -> None:
    assert date_form(people) == form


@pytest.mark.parametrize(
    "text", ["banana", "", "DD.MM.", "%d.%m.", "%Q", "%d.%d.%Y", "%Y %", "x%Y"]
)
def test_what_is_no_format(text: str) -> None:
    if text == "x%Y":
        assert date_form(text) == text
        return
    with pytest.raises(ValueError, match=r"names no year|means nothing|cannot be read"):
        date_form(text)
