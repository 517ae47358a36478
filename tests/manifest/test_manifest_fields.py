"""Columns mapped, set and composed; what is ignored, and how that is said."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from manifests import metadata, opened, read, write

from ldimport.cells import Writing
from ldimport.errors import ConfigError, LdimportError, ManifestError, UsageError
from ldimport.manifest.fields import FieldMap

OWN = "Nr,Bild-URL,Titel,Jahr,Fotograf\n17,https://x.ch/17.jpg,Säntis,2003,Anna Muster\n"
MAPS = ("id=Nr", "url=Bild-URL", "fileName=Titel")


def test_columns_are_mapped(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.csv", OWN), maps=(*MAPS, "metadata.credit=fotograf"))
    assert (entry.id, entry.url, entry.file_name) == ("17", "https://x.ch/17.jpg", "Säntis")
    assert metadata(entry) == {"credit": "Anna Muster"}


def test_a_bare_name_means_a_metadata_property(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.csv", OWN), maps=(*MAPS, "credit=Fotograf"))
    assert metadata(entry) == {"credit": "Anna Muster"}


def test_one_column_may_feed_two_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", OWN)
    with opened(path, maps=(*MAPS, "metadata.archiveNumber=Nr")) as manifest:
        assert manifest.table is None
        (entry,) = manifest.entries()
    assert (entry.id, metadata(entry)) == ("17", {"archiveNumber": "17"})


def test_templates_are_filled_from_columns(tmp_path: Path) -> None:
    config = {"fileName": "{titel} ({Jahr}) {{x}}", "id": "a:{Nr}", "url": "Bild-URL"}
    (entry,) = read(write(tmp_path, "a.csv", OWN), config=config)
    assert (entry.id, entry.file_name) == ("a:17", "Säntis (2003) {x}")


def test_a_template_without_any_value_is_an_absent_field(tmp_path: Path) -> None:
    text = "id,url,a,b\n1,u,,\n2,u,x,\n"
    first, second = read(write(tmp_path, "a.csv", text), maps=["fileName={a}-{b}"])
    assert (first.file_name, second.file_name) == (None, "x-")


def test_constants_fill_what_is_empty_and_say_what_they_left_alone(tmp_path: Path) -> None:
    text = "id,url,metadata.credit\n1,u,KEYSTONE\n2,u,\n3,u,Archiv\n"
    with opened(write(tmp_path, "a.csv", text), sets=["credit=Archiv"]) as manifest:
        credits = [metadata(entry)["credit"] for entry in manifest.entries()]
        assert credits == ["KEYSTONE", "Archiv", "Archiv"]
        (notice,) = manifest.notices()
    assert notice.code == "kept-values"
    assert "1 rows keep their own metadata.credit" in notice.text


def test_separators_and_date_formats_are_handed_on() -> None:
    mapping = FieldMap.from_config(
        {
            "keywords": {"separator": "|"},
            "metadata.taken": {"column": "Datum", "date": "%d.%m.%Y"},
            "metadata.source": {"value": "Archiv"},
        }
    )
    assert mapping.writings == {
        "metadata.keywords": Writing(separator="|"),
        "metadata.taken": Writing(date="%d.%m.%Y"),
    }
    assert mapping.columns == {"metadata.taken": "Datum"}
    assert mapping.constants == {"metadata.source": "Archiv"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"id": 5}, "manifest.id must be a column"),
        ({"id": {"colum": "Nr"}}, "unknown option “colum”"),
        ({"id": {"column": ["Nr"]}}, "manifest.id.column must be a text"),
        ({"fileName": "{a"}, "manifest.fileName"),
        ({"fileName": "{}"}, "a place is a column's name"),
        ({"fileName": "{a:>5}"}, "a place is a column's name"),
    ],
)
def test_a_broken_mapping_names_its_key(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=r"manifest\.|place") as caught:
        FieldMap.from_config(spec)  # type: ignore[arg-type]
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("pair", ["id", "=Nr", "id=", ""])
def test_broken_options_show_how_it_is_done(pair: str) -> None:
    with pytest.raises(UsageError, match="it needs a field and a value"):
        FieldMap().with_map([pair])
    with pytest.raises(UsageError, match="it needs a field and a value"):
        FieldMap().with_set([pair])


def test_a_missing_column_is_proposed(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="has no column for “url”") as caught:
        read(write(tmp_path, "a.csv", "ID,Bild-URL,Titel,Fotograf\n1,u,t,f\n"))
    assert caught.value.facts == {"columns": "ID, Bild-URL, Titel, Fotograf"}
    assert '--map url="Bild-URL" --map fileName=Titel' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("header", "proposed"),
    [
        ("Bildnummer;Datei;Titel;Fotograf", "--map id=Bildnummer --map url=Datei"),
        ("Video;Asset-Id;Pfad;Name", '--map id="Asset-Id" --map url=Pfad --map fileName=Name'),
        ("a;b", "--map id=COLUMN --map url=COLUMN --map fileName=COLUMN"),
    ],
)
def test_the_mapping_proposed_makes_sense(tmp_path: Path, header: str, proposed: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(write(tmp_path, "m.csv", f"{header}\n1;2;3;4\n".encode()))
    assert proposed in (caught.value.hint or "")


def test_a_proposed_command_can_be_pasted(tmp_path: Path) -> None:
    path = write(tmp_path, "a b.csv", 'Nr,"""Link"" $x"\n1,u\n')
    with pytest.raises(ManifestError) as caught:
        read(path)
    words = shlex.split(caught.value.hint or "")
    assert words[:3] == ["ldimport", "validate", str(path)] and 'url="Link" $x' in words


def test_a_mapped_column_that_is_not_there_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="has no column “Bild_URL”") as caught:
        read(write(tmp_path, "a.csv", OWN), maps=["url=Bild_URL", "id=Nr"])
    assert caught.value.hint == "did you mean “Bild-URL”?"


def test_a_template_over_a_missing_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="has no column “Ort”"):
        read(write(tmp_path, "a.csv", OWN), maps=[*MAPS, "caption={Ort}"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,url,fileNmae,Rubrik,_reason\n1,u,a,b,c\n"),
        ("a.jsonl", '{"id":"1","url":"u","fileNmae":"a","Rubrik":"b","_reason":"c"}\n' * 3),
        ("a.yaml", "- {id: 1, url: u, fileNmae: a, Rubrik: b, _reason: c}\n"),
    ],
)
def test_unknown_columns_are_ignored_with_one_notice(tmp_path: Path, name: str, text: str) -> None:
    with opened(write(tmp_path, name, text)) as manifest:
        list(manifest.entries())
        list(manifest.entries())
        (notice,) = manifest.notices()
    assert notice.code == "unknown-columns"
    assert "fileNmae, Rubrik" in notice.text
    assert "did you mean fileName?" in notice.text
    assert "_reason" not in notice.text


def test_objects_are_mapped_too_along_paths(tmp_path: Path) -> None:
    text = '{"nr":"7","src":{"href":"u"},"iptc":{"by":"A"},"title":"T"}\n'
    maps = ["id=NR", "url=src.href", "credit=iptc.by", "fileName={title}!"]
    with opened(write(tmp_path, "a.jsonl", text), maps=maps, sets=["mediaType=image"]) as manifest:
        (entry,) = manifest.entries()
        assert manifest.notices() == ()
    assert (entry.id, entry.url, entry.file_name) == ("7", "u", "T!")
    assert (entry.media_type, metadata(entry)) == ("image", {"credit": "A"})


def test_a_field_given_twice_in_one_object_is_a_problem(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.json", '[{"id":"1","ID":"2","url":"u"}]'))
    assert [(p.code, p.field) for p in entry.problems] == [("duplicate-key", "id")]


def test_every_error_of_a_mapping_is_for_people(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "a,b\n1,2\n")
    with pytest.raises(LdimportError) as caught:
        read(path)
    assert caught.value.hint and caught.value.code == "no-column"
