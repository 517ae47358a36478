"""Exact places: line and column of a field, and the line itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifests import opened, write

from ldimport.manifest import Manifest
from ldimport.model import Entry, Place

CSV = """id,url,fileName,metadata.caption
1,u1,plain,first
"2","u""2","two
lines","behind; a break"

3,u3,"",
"""
EXPECTED = {
    ("1", "id"): (2, 1),
    ("1", "metadata.caption"): (2, 12),
    ("2", "id"): (3, 2),
    ("2", "url"): (3, 6),
    ("2", "fileName"): (3, 13),
    ("2", "metadata.caption"): (4, 9),
    ("3", "fileName"): (6, 7),
    ("3", "metadata.caption"): (6, 9),
    ("3", "mediaType"): (6, 1),
    ("3", ""): (6, 1),
}


def shown(manifest: Manifest, place: Place, length: int) -> str:
    """The text that a caret of this length would underline."""
    line = manifest.source_line(place)
    assert line is not None
    return line[place.column - 1 : place.column - 1 + length]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_cells_of_a_table(tmp_path: Path, delimiter: str) -> None:
    text = CSV.replace("behind; a", "behind a").replace(",", delimiter)
    with opened(write(tmp_path, "a.csv", text)) as manifest:
        entries = {entry.id: entry for entry in manifest.entries()}
        for (id_, field), (line, column) in EXPECTED.items():
            place = manifest.locate(entries[id_], field)
            assert (place.line, place.column) == (line, column), (id_, field)
        assert manifest.source_line(Place(str(tmp_path / "a.csv"), 0, 4)) is not None
        assert manifest.source_line(Place(str(tmp_path / "a.csv"), 0, 99)) is None
        assert manifest.source_line(Place("elsewhere", 0, 1)) is None


def test_cells_with_backslash_escapes_and_blanks(tmp_path: Path) -> None:
    text = 'id, "url", "fileName", "metadata.caption"\n1, "u", "a \\"b, c\\"", "d"\n'
    with opened(write(tmp_path, "a.csv", text)) as manifest:
        (entry,) = manifest.entries()
        assert entry.file_name == 'a "b, c"'
        assert shown(manifest, manifest.locate(entry, "metadata.caption"), 2) == 'd"'


def test_mapped_columns(tmp_path: Path) -> None:
    text = "Nr,Bild,Foto\n1,u,A\n"
    maps = ["id=Nr", "url=Bild", "credit=Foto"]
    with opened(write(tmp_path, "a.csv", text), maps=maps) as manifest:
        (entry,) = manifest.entries()
        assert manifest.locate(entry, "metadata.credit").column == 5


ENTRIES = [
    {"id": f"ä{n}", "url": f"u{n}", "metadata": {"caption": f"c{n}", "list": [1, {"url": 2}]}}
    for n in range(5)
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps(ENTRIES, ensure_ascii=False)),
        ("a.json", json.dumps(ENTRIES, ensure_ascii=True, indent=2)),
        ("a.json", json.dumps({"images": ENTRIES, "systemName": "s"}, indent="\t")),
        ("a.jsonl", "\n\n".join(json.dumps(each, ensure_ascii=False) for each in ENTRIES)),
        ("a.yaml", "images: " + json.dumps(ENTRIES, indent=2).replace("\n", "\n  ")),
    ],
)
def test_values_of_objects(tmp_path: Path, name: str, text: str) -> None:
    with opened(write(tmp_path, name, text)) as manifest:
        entries = list(manifest.entries())
        for entry in [*entries, *reversed(entries)]:
            number = entry.id[-1]
            for field, value in (("url", "u"), ("metadata.caption", "c")):
                place = manifest.locate(entry, field)
                assert shown(manifest, place, 2) == value + number
            nowhere = manifest.locate(entry, "fileName")
            assert (nowhere.line, nowhere.column) == (entry.place.line, entry.place.column)


def test_values_of_block_yaml(tmp_path: Path) -> None:
    text = "- id: 1\n  url: 'u'\n  metadata:\n    caption: |\n      long\n    n: 5\n"
    with opened(write(tmp_path, "a.yaml", text * 3)) as manifest:
        for n, entry in enumerate(list(manifest.entries())):
            found = [manifest.locate(entry, f) for f in ("id", "url", "metadata.n")]
            assert [(p.line - 6 * n, p.column) for p in found] == [(1, 7), (2, 9), (6, 8)]


def test_mapped_paths_of_objects(tmp_path: Path) -> None:
    text = '{"nr": 1, "src": {"x": 0, "href": "u"}, "metadata.credit": "A"}\n'
    maps = ["id=nr", "url=src.href"]
    with opened(write(tmp_path, "a.jsonl", text), maps=maps) as manifest:
        (entry,) = manifest.entries()
        columns = [manifest.locate(entry, f).column for f in ("id", "url", "metadata.credit")]
        assert columns == [8, 36, 61]


def test_a_broken_entry_is_located_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    text = '{"id": "1", "url": "u", "metadata": {"a": tru}}\n'
    with opened(write(tmp_path, "a.jsonl", text)) as manifest:
        (entry,) = manifest.entries()
        assert manifest.locate(entry, "url").column == 21
        assert manifest.locate(entry, "fileName").column == 1


def test_a_giant_line_gives_up_its_carets_not_its_memory(tmp_path: Path) -> None:
    text = "[" + ",".join(['{"id":"1","url":"u"}'] * 60_000) + "]"
    with opened(write(tmp_path, "a.json", text)) as manifest:
        entry: Entry = list(manifest.entries())[-1]
        assert manifest.locate(entry, "url") == entry.place
        assert manifest.source_line(entry.place) is None


CELLS = st.text(alphabet='ab,"\n\r ', max_size=8).map(lambda text: text.replace("\r", "x"))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_any_quoted_cell_is_found(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    lines = [f"{n},{quoted('u' + a)},{quoted('v' + b)}" for n, (a, b) in enumerate(rows)]
    text = "id,url,fileName\n" + "\n".join(lines)
    folder = tmp_path_factory.mktemp("cells")
    with opened(write(folder, "a.csv", text), delimiter=",") as manifest:
        for entry in list(manifest.entries()):
            for field, first in (("url", "u"), ("fileName", "v")):
                assert shown(manifest, manifest.locate(entry, field), 1) == first
