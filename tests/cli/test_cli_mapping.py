"""The first hour: columns, words and media types of an archive as it is, against a project; and the
mapping that ``init`` proposes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ldimport.cli import main
from ldimport.migration import Wishes, open_source
from ldimport.migration.open import read_options
from ldimport.model import JobOptions, Json
from ldimport.schema import config

DESKS: Json = [
    {"label": {"de": "Stadt", "fr": "Ville"}, "value": "city"},
    {"label": "Kultur", "value": "culture"},
]
PROJECT: dict[str, Json] = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "info": {"label": "Foto"},
            "metadata": [
                {"handle": "caption", "type": "li-text", "ui": {"label": "Legende"}},
                {"handle": "credit", "type": "li-text", "config": {"required": True}},
                {"handle": "taken", "type": "li-date"},
                {"handle": "updated", "type": "li-datetime"},
                {"handle": "free", "type": "li-boolean"},
                {
                    "handle": "desk",
                    "type": "li-enum",
                    "config": {"dataProvider": {"type": "labelValuePair", "items": DESKS}},
                },
                {
                    "handle": "tags",
                    "type": "li-string-list",
                    "config": {"dataProvider": {"type": "labelValuePair", "items": DESKS}},
                },
                {
                    "handle": "rank",
                    "type": "li-integer",
                    "config": {"dataProvider": {"items": [{"label": "Hoch", "value": 3}]}},
                },
            ],
        },
        {
            "handle": "graphic",
            "type": "mediaImage",
            "metadata": [{"handle": "caption", "type": "li-text"}],
        },
    ]
}
HEAD = "id,url,fileName,metadata.credit"
ROW = "1,https://x.ch/1.jpg,T,Anna"
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pc.json").write_text(json.dumps(PROJECT))
    (tmp_path / "ldimport.yaml").write_text("projectConfig: pc.json\n")
    return tmp_path


@pytest.fixture
def call(place: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """Exit code, and all that was said."""

    def run(*words: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return code, out + err

    return run


def images(path: Path, mapping: dict[str, Json] | None = None, **options: Any) -> list[Any]:
    """What would be sent of each row, all of them right."""
    wishes = Wishes(read=read_options(mapping or {}, **options))
    source = open_source([path], config.from_json(PROJECT), wishes, JobOptions(), local=True)
    with source.manifest as manifest:
        checker = source.checker()
        found = [checker.check(entry) for entry in manifest.entries()]
    assert not [each.problems for each in found if each.image is None]
    return [each.image for each in found]


def sent(path: Path, mapping: dict[str, Json] | None = None, **options: Any) -> dict[str, Json]:
    """The metadata of the only row."""
    (image,) = images(path, mapping, **options)
    return dict(image.metadata)


# -- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handle", "cell", "stored"),
    [
        ("desk", "city", "city"),
        ("desk", "Stadt", "city"),
        ("desk", "ville", "city"),
        ("desk", "CULTURE", "culture"),
        ("desk", " Kultur ", "culture"),
        ("tags", "Stadt|kultur", ["city", "culture"]),
        ("tags", "Ville", ["city"]),
        ("rank", "hoch", 3),
        ("rank", "3", 3),
    ],
)
def test_options_are_known_by_label_and_in_any_case(
    call: Call, place: Path, handle: str, cell: str, stored: Json
) -> None:
    path = place / "a.csv"
    path.write_text(f"{HEAD},{handle}\n{ROW},{cell}\n{ROW.replace('1', '2')},{cell}\n")
    assert [image.metadata[handle] for image in images(path)] == [stored, stored]
    code, told = call("validate", "a.csv")
    assert code == 0
    changed = cell.strip() not in ("city", "3")
    assert told.count(f"! metadata.{handle}: taken by label or in another case") == changed


@pytest.mark.parametrize(("value", "stored"), [("Stadt", "city"), (["kultur", "city"], None)])
def test_labels_of_json_are_known_too(place: Path, value: Json, stored: Json) -> None:
    handle = "desk" if isinstance(value, str) else "tags"
    row = {"id": "1", "url": "https://x.ch/1.jpg", "fileName": "T",
           "metadata": {"credit": "A", handle: value}}  # fmt: skip
    (place / "a.json").write_text(json.dumps([row]))
    assert sent(place / "a.json")[handle] == (stored or ["culture", "city"])


def test_a_value_that_is_none_is_proposed_by_label(call: Call, place: Path) -> None:
    (place / "a.csv").write_text(f"{HEAD},desk\n{ROW},Kultr\n")
    code, told = call("validate", "a.csv")
    assert code == 3
    assert "did you mean “culture” (Kultur)? it has: city (Stadt), culture (Kultur)" in told


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_words_of_any_field_are_mapped(place: Path, name: str) -> None:
    mapping: dict[str, Json] = {
        "values": {
            "mediaType": {"Pressebild": "image"},
            "desk": {"Lokales": "city"},
            "metadata.tags": {"L": "city", "-": ""},
            "free": {"frei": "true"},
            "credit": {"an": "Anna"},
            "caption": {"NULL": ""},
        },
        "fileName": {"values": {"T": "Titel"}},
    }
    fields = ["id", "url", "fileName", "mediaType", "credit", "desk", "tags", "free", "caption"]
    cells = ["1", "https://x.ch/1.jpg", "T", "Pressebild", "an", "Lokales", "L|-|Kultur", "frei",
             "NULL"]  # fmt: skip
    path = place / name
    if name.endswith(".csv"):
        path.write_text(f"{','.join(fields)}\n{','.join(cells)}\n")
    else:
        row: dict[str, Json] = dict(zip(fields, cells, strict=True))
        path.write_text(json.dumps([row | {"tags": ["L", "-", "Kultur"]}]))
    (image,) = images(path, mapping)
    assert (image.file_name, image.media_type) == ("Titel", "image")
    assert dict(image.metadata) == {
        "credit": "Anna", "desk": "city", "tags": ["city", "culture"], "free": True,
    }  # fmt: skip


def test_words_are_mapped_on_the_command_line_and_changes_are_seen(call: Call, place: Path) -> None:
    (place / "a.csv").write_text(f"{HEAD},desk,mediaType\n{ROW},Lokales,Pressebild\n")
    words = ["--map-value", "desk:Lokales=city", "--map-value", "mediaType:Pressebild=image"]
    assert call("validate", "a.csv", *words)[0] == 0
    assert sent(place / "a.csv", map_values=words[1::2])["desk"] == "city"
    code, told = call("validate", "a.csv", "--map-value", "desk=city")
    assert code == 2 and "for example: --map-value mediaType:Foto=image" in told


def test_a_media_type_is_known_by_its_label(call: Call, place: Path) -> None:
    (place / "a.csv").write_text(f"{HEAD},mediaType\n{ROW},foto\n")
    code, told = call("validate", "a.csv")
    assert code == 0 and "! mediaType: taken by label or in another case: “foto” is image" in told


def test_a_required_cell_that_means_nothing_is_empty(call: Call, place: Path) -> None:
    (place / "a.csv").write_text(f"{HEAD}\n{ROW}\n2,https://x.ch/2.jpg,T,n/a\n")
    code, told = call("validate", "a.csv", "--map-value", "credit:n/a=")
    assert code == 3 and "a.csv:3" in told and "metadata.credit is empty" in told


# -- media types that lack a property ---------------------------------------------------------

MIXED = (
    "id,url,fileName,mediaType,{}\n"
    "1,https://x.ch/1.jpg,T,image,Anna\n2,https://x.ch/2.jpg,T,graphic,Bea\n"
)


@pytest.mark.parametrize(("column", "words"), [("credit", ()), ("Foto", ("--map", "credit=Foto"))])
def test_a_common_property_is_left_out_where_a_media_type_lacks_it(
    call: Call, place: Path, column: str, words: tuple[str, ...]
) -> None:
    (place / "a.csv").write_text(MIXED.format(column))
    code, told = call("validate", "a.csv", *words)
    assert code == 0
    assert told.count("rows of graphic go without metadata.credit, which it does not have") == 1
    maps = words[1:]
    one, two = images(place / "a.csv", maps=maps)
    assert (dict(one.metadata), dict(two.metadata)) == ({"credit": "Anna"}, {})


def test_a_rows_own_field_that_its_media_type_lacks_stays_an_error(call: Call, place: Path) -> None:
    (place / "a.csv").write_text(MIXED.format("metadata.credit"))
    code, told = call("validate", "a.csv")
    assert code == 3 and "a.csv:3:32: error[unknown-property]" in told


# -- mistakes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--map", "credti=Foto"], "--map credti=Foto: the project has no property “credti”"),
        (["--set", "credti=x"], "--set credti=x: the project has no property “credti”"),
        (["--set", "mediaType=imag"], "the project has no media type “imag”"),
        (["--map-value", "dsk:a=city"], "the project has no property “dsk”"),
        (["--map-value", "desk:a=cty"], "“cty” is not in the list"),
        (["--map-value", "mediaType:a=imag"], "the project has no media type “imag”"),
        (["--map", "caption=Fotto"], "a.csv has no column “Fotto”; metadata.caption is mapped"),
        (["--map", "fileName={Fotto}!"], "a.csv has no column “Fotto”; “{Fotto}!” needs it"),
    ],
)
def test_a_mistake_in_the_mapping_is_one_error_and_no_row_is_read(
    call: Call, place: Path, words: list[str], told: str
) -> None:
    (place / "a.csv").write_text(f"{HEAD},Foto\n{ROW},x\n,,,,\nbroken\n")
    code, said = call("validate", "a.csv", *words)
    assert code == 3
    assert told in said and "did you mean" in said
    assert said.count("✗") == 1 and "error[" not in said and "rows" not in said


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"credti": "Foto"}, "manifest.credti: the project has no property “credti”"),
        ({"taken": {"date": "banana"}}, "manifest.taken.date: “banana” is no date format"),
        ({"updated": {"zone": "Europe/Zurch"}}, "there is no time zone “Europe/Zurch”"),
        ({"mediaTypes": {"imag": {}}}, "manifest.mediaTypes.imag: the project has no media type"),
        ({"mediaTypes": {"graphic": {"credit": "x"}}},
         "manifest.mediaTypes.graphic.credit: the project has no property “credit”"),
        ({"values": {"desk": {"a": "cty"}}}, "manifest.values.desk: “cty” is not in the list"),
        ({"credti": "a", "taken": {"date": "x"}}, "2 mistakes in the mapping"),
    ],
)  # fmt: skip
def test_mistakes_of_the_file_are_told_by_the_check_of_settings_too(
    call: Call, place: Path, manifest: Json, told: str
) -> None:
    (place / "a.csv").write_text(f"{HEAD}\n{ROW}\n")
    settings = {"projectConfig": "pc.json", "manifest": manifest}
    (place / "ldimport.yaml").write_text(yaml.dump(settings))
    code, said = call("validate", "a.csv")
    assert (code, said.count("✗")) == (3, 1) and told in said
    code, said = call("config", "check")
    assert code == 4 and "✗ mapping" in said
    if "2 mistakes" not in told:
        assert told in said


# -- hints on dates --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handle", "cell"),
    [
        ("taken", "12.04.03"),
        ("taken", "1.4.03"),
        ("taken", "03/04/03"),
        ("taken", "12-04-03"),
        ("taken", "03/04/2003"),
        ("taken", "03-04-2003"),
        ("taken", "April 12, 2003"),
        ("taken", "12-Apr-2003"),
        ("taken", "2003.04.12"),
        ("taken", "2003:04:12 10:11:12"),
        ("taken", "12.04.2003 09:30"),
        ("taken", "12.04.03 09:30"),
        ("updated", "12.04.03 09:30"),
        ("updated", "12.04.2003 09:30"),
        ("updated", "2003-04-12"),
        ("updated", "03/04/2003 10:00:30"),
        ("updated", "03/04/2003 10:00Z"),
        ("updated", "12.04.03"),
    ],
)
def test_every_setting_that_a_hint_on_dates_names_makes_the_row_right(
    call: Call, place: Path, handle: str, cell: str
) -> None:
    (place / "a.csv").write_text(f'{HEAD},metadata.{handle}\n{ROW},"{cell}"\n')
    code, told = call("validate", "a.csv")
    assert code == 3
    (hint,) = re.findall(r"below manifest: in ldimport\.yaml: (.*)\)$", told, re.MULTILINE)
    assert "%d.%m.%y" in hint or "12.04.03" not in cell
    for line in re.findall(r"metadata\.\w+: \{.*?\}", hint):
        settings = f"projectConfig: pc.json\nmanifest:\n  {line}\n"
        (place / "ldimport.yaml").write_text(settings)
        assert call("validate", "a.csv")[0] == 0, line


# -- init ------------------------------------------------------------------------------------

FOREIGN = (
    "Bildnummer;Pfad;Legende;Fotograf;Ressort;Datum;Typ;Format\n"
    "0017;bilder/17.jpg;Der See;Anna;Stadt;12.04.03;Bild;quer\n"
    "0018;bilder/18.jpg;Der Berg;Bea;Panorama;13.04.03;Bild;hoch\n"
)


def test_init_proposes_the_mapping_of_a_foreign_manifest(call: Call, place: Path) -> None:
    folder = place / "archiv"
    folder.mkdir()
    (folder / "bilder.csv").write_text(FOREIGN, encoding="cp1252")
    code, told = call("init", "archiv/bilder.csv", "--system-name", "fotos")
    assert code == 0 and "not used: Format" in told
    text = (folder / "ldimport.yaml").read_text()
    found = yaml.safe_load(text)
    assert (found["systemName"], found["projectConfig"]) == ("fotos", "../pc.json")
    assert found["manifest"] == {
        "id": "Bildnummer",
        "url": "Pfad",
        "fileName": "Legende",
        "mediaType": "Typ",
        "metadata.caption": "Legende",
        "metadata.credit": "Fotograf",
        "metadata.desk": "Ressort",
        "metadata.taken": {"column": "Datum", "date": "%d.%m.%y"},
        "values": {"mediaType": {"Bild": "image"}},
    }
    assert "# metadata.desk: nothing found for “Panorama”" in text and "“Format”" in text
    code, told = call("validate", "archiv/bilder.csv")
    assert code == 3 and re.findall(r"error\[(.*?)\]", told) == ["not-in-list"]
    assert call("validate", "archiv/bilder.csv", "--map-value", "desk:Panorama=culture")[0] == 0
    assert not (folder / "manifest-template.csv").exists()


def test_init_proposes_paths_of_objects(call: Call, place: Path) -> None:
    items = [{"assetId": n, "title": "T", "links": {"original": f"https://x.ch/{n}.jpg"},
              "rights": {"credit": "A"}} for n in (1, 2)]  # fmt: skip
    (place / "ldimport.yaml").unlink()
    (place / "dump.json").write_text(json.dumps({"assets": {"items": items}}))
    words = ("--project-config", "pc.json", "--system-name", "a")
    assert call("init", "dump.json", *words)[0] == 0
    code, told = call("validate", "dump.json")
    assert code == 0 and "2 entries, all valid" in told
    found = yaml.safe_load((place / "ldimport.yaml").read_text())["manifest"]
    assert (found["url"], found["metadata.credit"]) == ("links.original", "rights.credit")


def test_init_guesses_no_name_of_an_archive_for_ever(call: Call, place: Path) -> None:
    (place / "fresh").mkdir()
    code, told = call("init", "fresh")
    assert code == 0 and "systemName is left open" in told
    assert "systemName" not in yaml.safe_load((place / "fresh/ldimport.yaml").read_text())


def test_the_template_is_no_part_of_a_folder(call: Call, place: Path) -> None:
    (place / "fresh").mkdir()
    assert call("init", "fresh", "--system-name", "a")[0] == 0
    code, told = call("validate", "fresh")
    assert code == 3 and "holds no manifest" in told
    assert call("validate", "fresh/manifest-template.csv")[0] == 0


# -- rows of one media type, as the project calls it -------------------------------------------


@pytest.mark.parametrize("word", ["image", "Foto", "FOTO", "Pressebild"])
def test_a_media_type_has_its_own_mapping_whatever_rows_call_it(
    call: Call, place: Path, word: str
) -> None:
    mapping: dict[str, Json] = {
        "credit": {"value": "Archiv"},
        "values": {"mediaType": {"Pressebild": "image"}},
        "mediaTypes": {"image": {"credit": "Name", "desk": {"column": "Wo"}}},
    }
    path = place / "a.csv"
    row = "1,https://x.ch/1.jpg,T"
    path.write_text(f"id,url,fileName,mediaType,Name,Wo\n{row},{word},Anna,Stadt\n")
    assert sent(path, mapping) == {"credit": "Anna", "desk": "city"}
    path.write_text(f"id,url,fileName,mediaType,Name,Wo\n{row},{word},,nirgends\n")
    settings = {"projectConfig": "pc.json", "manifest": mapping}
    (place / "ldimport.yaml").write_text(yaml.dump(settings))
    code, told = call("validate", "a.csv")
    column = len(f"{row},{word},,") + 1
    assert code == 3 and f"a.csv:2:{column}: error[not-in-list]" in told and "required" not in told


def test_a_mistake_says_in_which_file_it_stands(call: Call, place: Path) -> None:
    (place / "a.csv").write_text(f"{HEAD}\n{ROW}\n")
    (place / "ldimport.yaml").write_text("projectConfig: pc.json\nmanifest: {credti: Foto}\n")
    assert f"{place / 'ldimport.yaml'}: manifest.credti" in call("validate", "a.csv")[1]
