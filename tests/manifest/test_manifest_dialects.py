"""Tables as programs really write them: the same archive in each dialect, read back as the same.

LibreOffice's own exports (German, French, English) were read the same way once; none of them is
kept here, the bytes are made by the same rules.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from manifests import codes, metadata, opened, read, write

from ldimport.errors import ManifestError
from ldimport.manifest.fields import FieldMap
from ldimport.manifest.kinds import ReadOptions
from ldimport.manifest.manifest import open_manifest

HEADER = ["ID", "URL", "Filename", "metadata.caption"]
FULL = [
    ["0001", "https://img.example.org/1.jpg", "Zürich; „Grüezi“, mit Öl", 'Zeile eins\n"zwei"'],
    ["0002", "https://img.example.org/2.jpg", "L’été à Genève – près du lac", "1234,50"],
    ["0003", "https://img.example.org/3.jpg", "Größe 5\" | 'schön'", "ja"],
]
PLAIN = [
    ["0001", "https://img.example.org/1.jpg", "Zürich, Öl", "eins"],
    ["0002", "https://img.example.org/2.jpg", "Genève", "zwei"],
]
Rows = list[list[str]]


def table(rows: Iterable[list[str]], **dialect: object) -> str:
    """What ``csv.writer`` makes of the header and the rows."""
    text = io.StringIO()
    csv.writer(text, **dialect).writerows([HEADER, *rows])  # type: ignore[arg-type]
    return text.getvalue()


def joined(rows: Rows, delimiter: str, end: str = "\n", tail: str = "") -> str:
    """Cells side by side, nothing quoted; ``tail`` stands behind every row but the header."""
    lines = [delimiter.join(HEADER), *(delimiter.join(row) + tail for row in rows)]
    return "".join(line + end for line in lines)


def sqlite_rows(separator: str) -> str:
    """What ``sqlite3 -header -separator`` prints."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE a (ID, URL, Filename, 'metadata.caption')")
        database.executemany("INSERT INTO a VALUES (?, ?, ?, ?)", PLAIN)
        found = [list(row) for row in database.execute("SELECT * FROM a")]
    return joined(found, separator)


DIALECTS: dict[str, tuple[bytes, str, str, Rows]] = {
    "Python csv.writer": (table(FULL).encode(), "utf-8", ",", FULL),
    "Python excel-tab": (table(FULL, dialect="excel-tab").encode(), "utf-8", "\t", FULL),
    "Python unix dialect": (table(FULL, dialect="unix").encode(), "utf-8", ",", FULL),
    "LibreOffice, UTF-8": (table(FULL, lineterminator="\n").encode(), "utf-8", ",", FULL),
    "LibreOffice, German, Windows-1252": (
        table(FULL, delimiter=";", lineterminator="\n").encode("cp1252"), "cp1252", ";", FULL,
    ),
    "LibreOffice, every cell in quotes": (
        table(FULL, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL).encode("cp1252"),
        "cp1252", ";", FULL,
    ),
    "LibreOffice, UTF-16 and tabs": (
        table(FULL, delimiter="\t", lineterminator="\n").encode("utf-16"), "utf-16", "\t", FULL,
    ),
    "LibreOffice, single quotes": (
        table(FULL, quotechar="'", quoting=csv.QUOTE_ALL).encode(), "utf-8", ",", FULL,
    ),
    "LibreOffice, Mac Roman": (
        table(FULL, delimiter=";").encode("mac_roman"), "mac_roman", ";", FULL,
    ),
    "Excel, German: CSV (Trennzeichen-getrennt)": (
        table(FULL, delimiter=";").encode("cp1252"), "cp1252", ";", FULL,
    ),
    "Excel: CSV UTF-8": (
        ("\ufeff" + table(FULL, delimiter=";")).encode(), "utf-8-sig", ";", FULL,
    ),
    "Excel: Unicode text": (
        table(FULL, dialect="excel-tab").encode("utf-16"), "utf-16", "\t", FULL,
    ),
    "Excel: sep=;": (("sep=;\r\n" + table(FULL, delimiter=";")).encode(), "utf-8", ";", FULL),
    "Excel: sep= behind a mark": (
        ("\ufeffsep=|\r\n" + table(FULL, delimiter="|")).encode(), "utf-8-sig", "|", FULL,
    ),
    "Excel: sep= in quotes, saved once more": (
        ('"sep=;"\r\n' + table(FULL, delimiter=";")).encode("cp1252"), "cp1252", ";", FULL,
    ),
    "Excel for Mac, old line breaks": (
        table(PLAIN, delimiter=";", lineterminator="\r").encode("mac_roman"), "mac_roman", ";",
        PLAIN,
    ),
    'Excel: zeros kept by ="0001"': (
        joined([[f'="{row[0]}"', *row[1:]] for row in PLAIN], ";").encode(), "utf-8", ";", PLAIN,
    ),
    "sqlite3 -csv": (table(FULL).encode(), "utf-8", ",", FULL),
    "sqlite3, list mode": (sqlite_rows("|").encode(), "utf-8", "|", PLAIN),
    "psql \\copy … csv header": (table(FULL, lineterminator="\n").encode(), "utf-8", ",", FULL),
    "MySQL, quotes escaped by a backslash": (
        table(FULL, lineterminator="\n", quoting=csv.QUOTE_ALL, doublequote=False,
              escapechar="\\").encode(),
        "utf-8", ",", FULL,
    ),
    "single quotes, but not in the header": (
        (",".join(HEADER) + "\n" + table(PLAIN, quotechar="'", quoting=csv.QUOTE_ALL,
                                         lineterminator="\n").partition("\n")[2]).encode(),
        "utf-8", ",", PLAIN,
    ),
    "blanks behind the delimiters": (
        table(FULL, quoting=csv.QUOTE_ALL).replace('","', '", "').encode(), "utf-8", ",", FULL,
    ),
    "a delimiter behind the last cell": (
        joined([[*row, ""] for row in PLAIN], ";").replace("caption", "caption;", 1).encode(),
        "utf-8", ";", PLAIN,
    ),
    "a delimiter behind the last cell, but not in the header": (
        joined(PLAIN, ";", tail=";;").encode(), "utf-8", ";", PLAIN,
    ),
    "blank lines before, between and behind": (
        (";;;\n\n" + table(PLAIN, delimiter=";", lineterminator="\n\n") + ";;;\n").encode(),
        "utf-8", ";", PLAIN,
    ),
    "Oracle: a header in upper case": (
        table(FULL).replace("metadata.caption", "METADATA.CAPTION").encode(), "utf-8", ",", FULL,
    ),
    "a line break in the header": (
        table(FULL, quoting=csv.QUOTE_ALL).replace("Filename", "File\nname").encode(), "utf-8",
        ",", FULL,
    ),
    "a mark behind sep=": (
        ("sep=;\n\ufeff" + table(PLAIN, delimiter=";")).encode(), "utf-8", ";", PLAIN,
    ),
    "Windows-1250": (
        table([["1", "u", "Święto Niepodległości, zażółć gęślą jaźń", "ł"]]).encode("cp1250"),
        "cp1250", ",", [["1", "u", "Święto Niepodległości, zażółć gęślą jaźń", "ł"]],
    ),
    "DOS code page 850": (
        table([["1", "u", "Zürich, Straße, Grüße aus Österreich, schöne Äpfel", "ü"]])
        .encode("cp850"),
        "cp850", ",", [["1", "u", "Zürich, Straße, Grüße aus Österreich, schöne Äpfel", "ü"]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_found_and_read_to_the_letter(tmp_path: Path, name: str) -> None:
    content, encoding, delimiter, rows = DIALECTS[name]
    options = ReadOptions(columns=FieldMap(handles=frozenset(("caption", "credit"))))
    with open_manifest([write(tmp_path, "a.csv", content)], options) as manifest:
        detected = manifest.files[0].detected
        assert (detected.encoding, detected.delimiter) == (encoding, delimiter)
        found = list(manifest.entries())
        known = {"a delimiter behind the last cell": ["nameless-column"]}
        assert [each.code for each in manifest.notices()] == known.get(name, [])
    got = [[each.id, each.url, each.file_name, *metadata(each).values()] for each in found]
    assert got == rows
    assert [codes(each) for each in found] == [[] for _ in rows]


def test_the_table_in_the_docs_names_every_dialect() -> None:
    page = (Path(__file__).parents[2] / "docs" / "manifests.md").read_text("utf-8")
    assert [name for name in DIALECTS if name not in page] == []


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_places_are_right_behind_quoted_line_breaks(tmp_path: Path, ending: bytes) -> None:
    text = b'id,url,fileName@1,u,"a@b@c"@@2,u,"x@y",@3,u,z@'.replace(b"@", ending)
    with opened(write(tmp_path, "a.csv", text)) as manifest:
        found = list(manifest.entries())
        assert [each.place.line for each in found] == [2, 6, 8]
        assert codes(found[1]) == ["ragged-row"]
        place = manifest.locate(found[2], "fileName")
        assert (place.line, place.column) == (8, 5)


@pytest.mark.parametrize(
    "above", ["Archiv 2024\n\n", "# exported by hand\n", ";;\nBilder; alle\n", '"Liste"\r\n']
)
def test_a_title_above_the_header_is_named_with_the_headers_line(
    tmp_path: Path, above: str
) -> None:
    path = write(tmp_path, "a.csv", above + "id;url;fileName\n1;u;a\n")
    with pytest.raises(ManifestError) as caught:
        read(path)
    line = above.count("\n") + 1
    assert (
        caught.value.message == f"{path}:{line}: the header stands here, and other lines above it"
    )


def test_one_row_with_a_delimiter_too_many_stays_a_ragged_row(tmp_path: Path) -> None:
    """It may just as well be a text with a comma that nobody put in quotes."""
    (entry,) = read(write(tmp_path, "a.csv", "id,url,fileName\n1,u,a,\n"))
    assert codes(entry) == ["ragged-row"]
    first, *_, last = read(write(tmp_path, "a.csv", "id,url,fileName\n1,u,a,\n2,u,b,\n3,u,b,c\n"))
    assert codes(first) == codes(last) == ["ragged-row"]


def test_columns_without_a_name_are_passed_over(tmp_path: Path) -> None:
    with opened(write(tmp_path, "a.csv", "id,,url,\n1,x,u,y\n")) as manifest:
        (entry,) = manifest.entries()
        assert dict(entry.original) == {"id": "1", "_2": "x", "url": "u", "_4": "y"}
        assert [each.code for each in manifest.notices()] == ["nameless-column"]


@pytest.mark.parametrize(
    ("columns", "handle"),
    [
        ("METADATA.CREDIT", "credit"),
        ("metadata.Credit", "credit"),
        ("metadata.credit", "credit"),
        ("metadata.Photo", "Photo"),  # two properties are called so, in another case
        ("metadata.unheard", "unheard"),
    ],
)
def test_a_property_is_recognised_in_any_case(tmp_path: Path, columns: str, handle: str) -> None:
    known = FieldMap(handles=frozenset(("credit", "photo", "PHOTO")))
    path = write(tmp_path, "a.csv", f"id,url,{columns}\n1,u,x\n")
    with open_manifest([path], ReadOptions(columns=known)) as manifest:
        (entry,) = manifest.entries()
    assert metadata(entry) == {handle: "x"}


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('="0001"', "0001"),
        ('"=""0001"""', "0001"),
        ('"=""a """"b"""""""', 'a "b"'),
        ("=0001", "=0001"),
        ('="0001"&"2"', '="0001"&"2"'),
        ('<a href="x">', '<a href="x">'),
    ],
)
def test_only_a_whole_cell_that_excel_takes_for_text_is_undressed(
    tmp_path: Path, cell: str, text: str
) -> None:
    filler = "0,u,x\n" * 3
    first = read(write(tmp_path, "a.csv", f"id,url,fileName\n{filler}1,u,{cell}\n"))[-1]
    assert first.file_name == text


@pytest.mark.parametrize("where", ["the header", "a row"])
def test_a_line_that_would_fill_the_memory_stops_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr("ldimport.manifest.csv.LONGEST_LINE", 1 << 20)
    start = "id,url," if where == "the header" else "id,url,fileName\n1,u,"
    path = write(tmp_path, "a.csv", start + "x" * (3 << 20))
    with pytest.raises(ManifestError, match="has a line of more than 1 MB"):
        read(path)
    lines = "id,url,fileName\n" + f"1,u,{'x' * 60_000}\n" * 60
    assert len(read(write(tmp_path, "a.csv", lines))) == 60
