"""Encodings, dialects and formats found by themselves; files that are no manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifests import HEADER, opened, read, write

from ldimport.errors import ExitCode, LdimportError, ManifestError, UsageError
from ldimport.manifest import open_manifest

GERMAN = "Zürcher Straße – „Grüezi“ mit Öl & Äpfeln"
FRENCH = "L’été à Genève, une journée près du lac, où les élèves"
POLISH = "Święto Niepodległości w Warszawie: tłumy ludzi na ulicach, zażółć gęślą jaźń"
RUSSIAN = "Красная площадь в Москве вечером, дети играют в парке"
JAPANESE = "東京タワーの夜景と人々、京都の寺院で祭りが行われた"


@pytest.mark.parametrize(
    ("encoding", "text", "found"),
    [
        ("utf-8", GERMAN, "utf-8"),
        ("utf-8-sig", GERMAN, "utf-8-sig"),
        ("utf-8", JAPANESE, "utf-8"),
        ("ascii", "nothing special", "utf-8"),
        ("utf-16", GERMAN, "utf-16"),
        ("utf-16-le", GERMAN, "utf-16-le"),
        ("utf-16-be", GERMAN, "utf-16-be"),
        ("utf-32", GERMAN, "utf-32"),
        ("cp1252", GERMAN, "cp1252"),
        ("cp1252", FRENCH, "cp1252"),
        ("latin-1", "Zürich", "cp1252"),
        ("cp1250", POLISH, "cp1250"),
        ("cp1251", RUSSIAN, "cp1251"),
        ("mac_roman", GERMAN, "mac_roman"),
        ("shift_jis", JAPANESE, "shift_jis"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_of_a_table(
    tmp_path: Path, encoding: str, text: str, found: str, delimiter: str
) -> None:
    rows = [["id", "url", "fileName", "metadata.caption"], ["1", "u", f"{text}", "x"]]
    content = "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in rows)
    with opened(write(tmp_path, "a.csv", content.encode(encoding))) as manifest:
        detected = manifest.files[0].detected
        assert (detected.encoding, detected.delimiter, detected.columns) == (found, delimiter, 4)
        (entry,) = manifest.entries()
        assert entry.file_name == text


def test_what_comes_first_beyond_ascii_decides_however_late(tmp_path: Path) -> None:
    text = "id;url;fileName\n" + "1;u;plain\n" * 60_000 + "2;u;Zürich\n"
    (last,) = read(write(tmp_path, "a.csv", text.encode("cp1252")))[-1:]
    assert last.file_name == "Zürich"


DIALECTS = {
    "Excel, German: semicolons, quotes where needed": 'id;url;fileName\r\n1;u;"a;b"\r\n',
    "Excel's own first line": "sep=;\r\nid;url;fileName\r\n1;u;a;b\r\n"[:-5] + "a\r\n",
    "LibreOffice: everything in quotes": '"id","url","fileName"\n"1","u","a;b"\n',
    "tabs, commas in texts": "id\turl\tfileName\n1\tu\ta;b, c, d\n",
    "pipes": "id|url|fileName\n1|u|a;b,c\n",
    "MySQL: quotes escaped by a backslash": 'id,url,fileName\n"1","u","a \\"b\\" c"\n',
    "blanks behind the commas": 'id, "url", "fileName"\n1, "u", "a, b"\n',
    "single quotes": "'id','url','fileName'\n'1','u','a, b'\n",
    "more semicolons than commas in texts": "id,url,fileName\n1,u,a;b;c;d;e\n2,u,f;g;h;i\n",
    "decimal commas": "id;url;fileName;metadata.price\n1;u;a;1,50\n2;u;b;2,75\n",
    "a quoted header over two lines": 'id,url,"file\nName"\n1,u,a\n',
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(tmp_path: Path, name: str) -> None:
    entries = read(write(tmp_path, "a.csv", DIALECTS[name]))
    assert all(entry.problems == () for entry in entries)
    assert (entries[0].id, entries[0].url) == ("1", "u")
    assert entries[0].file_name and not entries[0].file_name.endswith(('"', "'"))


def test_lines_behind_a_sep_line_keep_their_numbers(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.csv", "sep=|\nid|url\n1|u\n"))
    assert entry.place.line == 3


def test_backslash_escapes_are_undone(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.csv", DIALECTS["MySQL: quotes escaped by a backslash"]))
    assert entry.file_name == 'a "b" c'


def test_a_prescribed_encoding_and_delimiter_win(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id~url~fileName\n1~u~Zürich\n".encode("cp1252"))
    (entry,) = read(path, encoding="cp1252", delimiter="~")
    assert entry.file_name == "Zürich"


def test_utf8_is_utf8_with_a_mark_too(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", HEADER.encode("utf-8-sig") + b"1,u,a,,\n")
    (entry,) = read(path, encoding="UTF8")
    assert entry.id == "1"


@pytest.mark.parametrize("kind", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_needs_no_mark_where_it_is_prescribed(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, "a.csv", (HEADER + "1,u,Zürich,,\n").encode(kind))
    (entry,) = read(path, encoding="utf-16")
    assert entry.file_name == "Zürich"


@pytest.mark.parametrize(("encoding", "label"), [("utf-16", "UTF-16"), ("utf-32", "UTF-32")])
def test_a_file_of_another_encoding_than_prescribed(
    tmp_path: Path, encoding: str, label: str
) -> None:
    with pytest.raises(ManifestError, match=f"a.csv is not {label}"):
        read(write(tmp_path, "a.csv", HEADER + "1,u,,,\n"), encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-9", "base64", "hex"])
def test_an_unknown_encoding_is_a_usage_error(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(UsageError, match="there is no encoding"):
        read(write(tmp_path, "a.csv", HEADER + "1,u,,,\n"), encoding=encoding)


def test_one_wrong_byte_does_not_turn_a_file_into_windows_1252(tmp_path: Path) -> None:
    content = HEADER.encode() + "1,u,Zürich,,\n".encode() * 5 + b"2,u,caf\xe9,,\n"
    with pytest.raises(ManifestError, match=r"a\.csv:7:8: byte 0xE9 is not UTF-8"):
        read(write(tmp_path, "a.csv", content))


def test_the_wrong_prescribed_encoding_is_named_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", HEADER.encode() + b"1,u,caf\xe9,,\n")
    with pytest.raises(ManifestError, match=r"a\.csv:2:8: byte 0xE9 is not UTF-8"):
        read(path, encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (HEADER + "1,u,,,\n", "csv"),
        ('[{"id":"1","url":"u"}]', "json"),
        ('\n  [\n {"id":"1","url":"u"}]', "json"),
        ('{"images":[{"id":"1","url":"u"}]}', "json"),
        ('{\n"id":"1","url":"u"}', "json"),
        ('{"id":"1","url":"u"}\n{"id":"2","url":"u"}\n', "jsonl"),
        ('{"id":"1","url":"u"}', "jsonl"),
        ("- id: 1\n  url: u\n", "yaml"),
        ("---\nid: 1\nurl: u\n", "yaml"),
        ("systemName: a\nimages:\n- id: 1\n  url: u\n", "yaml"),
    ],
)
@pytest.mark.parametrize("name", ["manifest", "manifest.txt"])
def test_format_by_content_where_the_name_says_nothing(
    tmp_path: Path, content: str, format_: str, name: str
) -> None:
    with opened(write(tmp_path, name, content)) as manifest:
        assert manifest.files[0].detected.format == format_
        assert next(manifest.entries()).id == "1"


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", '[{"id":"1","url":"u"}]'), ("a.json", '{"id":"1","url":"u"}\n{"id":"2","url":"v"}')],
)
def test_content_wins_over_a_wrong_name(tmp_path: Path, name: str, content: str) -> None:
    assert read(write(tmp_path, name, content))[0].id == "1"


NOT_MANIFESTS = {
    "empty": (b"", "is empty"),
    "blank": (b" \r\n\n", "is empty"),
    "only a mark": (b"\xef\xbb\xbf", "is empty"),
    "workbook": (b"PK\x03\x04rest of an xlsx", "save it as CSV"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG image"),
    "web page": (b"<!DOCTYPE html><html>", "a web page"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG image"),
    "junk": (bytes(range(256)) * 40, "not a text file"),
    "zeros": (b"\x00" * 5_000, "not a text file"),
    "prose": (b"Dear reader, this is a letter.\nBest wishes\n", "has no column for “id”"),
    "csv without rows": (HEADER.encode(), "has a header but no rows"),
    "empty list": (b"[]", "has no entries"),
    "empty images": (b'{"systemName":"a","images":[]}', "has no entries"),
    "images no list": (b'{"images":\n{"id":1}}', "must be a list"),
    "cut off": (b'[{"id":"1","url":"u"}, {"id":', "ends in the middle"),
    "not closed": (b'[{"id":"1","url":"u"}\n', "ends before its closing"),
    "no comma": (b'[{"id":"1"} {"id":"2"}]', "must stand here"),
    "rest": (b'[{"id":"1"}] x', "this follows"),
    "yaml": (b"---\n- id: 'open\n", "not YAML"),
    "no yaml": (b"---\n", "has no entries"),
    "yaml with controls": (b"---\n- id: a\n  url: \x07\n", "control character"),
    "yaml in latin-1": (b"---\n- id: a\n  url: caf\xe9\n", None),
}


@pytest.mark.parametrize("name", NOT_MANIFESTS)
def test_what_cannot_be_a_manifest_says_why(tmp_path: Path, name: str) -> None:
    content, message = NOT_MANIFESTS[name]
    path = write(tmp_path, "file", content)
    if message is None:
        assert read(path)[0].url == "café"
        return
    with pytest.raises(ManifestError) as caught:
        read(path)
    assert message in f"{caught.value.message} {caught.value.hint}"
    assert str(path) in caught.value.message
    assert caught.value.exit_code is ExitCode.INVALID


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.yaml", "a"])
@pytest.mark.parametrize(
    "junk", [b"\x00\x01\x02", b"{", b"[", b"{]", b'"', b"\xff\xfe", b"a: b: c"]
)
def test_junk_under_any_name_is_refused_in_words(tmp_path: Path, name: str, junk: bytes) -> None:
    try:
        entries = read(write(tmp_path, name, junk))
    except LdimportError as error:
        assert error.message
    else:
        assert all(entry.problems for entry in entries)


@pytest.mark.parametrize(
    "row",
    [
        "1;1.jpg;Zürichsee, Nordufer;Ursina Gähwiler",
        "2;2.jpg;Föhn;Beat Rüegg",
        "3;3.jpg;L’été à Genève – “oui”;André Çelik",
        "4;4.jpg;été;é",
        "5;5.jpg;Straße;Müller & Söhne",
        "6;6.jpg;£ 5, 20 °C;½",
    ],
)
def test_a_single_row_of_windows_1252_is_read_as_that(tmp_path: Path, row: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(f"id;url;fileName;metadata.credit\r\n{row}\r\n".encode("cp1252"))
    with open_manifest([path]) as manifest:
        assert manifest.files[0].detected.encoding == "cp1252"
        assert next(manifest.entries()).file_name == row.split(";")[2]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp850", "Zürichsee im Föhn, Gähwiler, Übersicht über die Brücke in Grüningen"),
        ("cp1251", "Озеро утром, первый свет над восточным берегом реки"),
        ("cp1250", "Příběh města, řeka a žlutý dům, Václav Dvořák"),
        ("mac_roman", "Zürichsee im Föhn, Gähwiler, Übersicht über die Brücke"),
    ],
)
def test_other_encodings_are_not_taken_for_it(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(f"id;url;fileName\r\n1;1.jpg;{text}\r\n".encode(encoding))
    with open_manifest([path]) as manifest:
        assert manifest.files[0].detected.encoding != "cp1252"
