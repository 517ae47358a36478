"""The quick way through a table says exactly what the careful one says."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_projects import item_list, project

from ldimport.manifest import open_manifest
from ldimport.migration.validate import validate
from ldimport.model import Image
from ldimport.schema.check import Checked, Checker, CheckOptions
from ldimport.schema.rows import quick_rows

PROJECT = project(
    title=("li-text", {"required": True, "maxLength": 12}),
    caption=("li-text", {"maxLength": 20}),
    short=("li-text", {"allowNewlines": False}),
    kind=("li-enum", {"dataProvider": item_list("map", "photo")}),
    taken=("li-date", {}),
    stars=("li-integer", {"minValue": 1, "maxValue": 5}),
    colour=("li-color", {}),
)
HANDLES = ("title", "caption", "short", "kind", "taken", "stars", "colour")
COLUMNS = ["id", "url", "fileName", "mediaType", *(f"metadata.{handle}" for handle in HANDLES)]

TEXTS = [
    "", "a", "Zürich", "ZÃ¼rich", "\ufffd", "a b", " a", "two\nlines", "x" * 12, "x" * 13,
    "x" * 25, "\U0001f600" * 9, "\U0001f600" * 12, "e\u0301", "=1+1", "'=1+1", "\u202ea",
]  # fmt: skip
GOOD = ("good", "https://a.example/0.jpg", "t", "image", "t", *[""] * 6)
VALUES = (
    ["1", "2", "3", "a", "A", "", " b", "b\n", "é", "E\u0301"],
    ["https://a.example/1.jpg", "https://a.example/1", "http://a.example/1.tif", "x.jpg", "",
     "https://a:b@a.example/1.jpg", "https://a.example/ü.jpg", "https://A.example/1.JPG",
     "https://localhost/1.jpg", "https://a.example/%zz.jpg", "https://a.example:0/1.jpg"],
    ["A title", "", "ZÃ¼rich"],
    ["", "image", "imgae"],
    TEXTS,
    TEXTS,
    TEXTS,
    ["", "map", "Map", "photo"],
    ["", "2003-04-12", "12.04.2003", "31.02.2003", "03/04/2003"],
    ["", "3", "3,0", "9", "x"],
    ["", "#8CBA51", "red"],
)  # fmt: skip
rows = st.tuples(*map(st.sampled_from, VALUES))


class EveryRow:
    """A sink that asks for all rows, and so for the careful way."""

    every_row = True

    def __init__(self) -> None:
        self.seen: list[Checked] = []

    def __call__(self, checked: Checked) -> None:
        self.seen.append(checked)


def both_ways(path: Path, found: Iterable[Sequence[str]], *, strict: bool) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerow(GOOD)
        writer.writerows(found)
    options = CheckOptions(strict=strict)
    with open_manifest([path]) as manifest:
        quick = validate(manifest, Checker(PROJECT, options))
        careful = EveryRow()
        assert validate(manifest, Checker(PROJECT, options), sink=careful) == quick
        assert len(careful.seen) == quick.entries


@pytest.mark.parametrize("strict", [False, True])
def test_both_ways_agree_about_every_value_in_a_good_row(tmp_path: Path, strict: bool) -> None:
    """A row with one odd value is where the quick way would go wrong: others hide it."""
    found = []
    for index, values in enumerate(VALUES):
        for value in values:
            row = [f"id-{len(found)}", *GOOD[1:]]
            row[index] = value
            found.append(row)
    both_ways(tmp_path / "m.csv", found, strict=strict)


@given(found=st.lists(rows, min_size=1, max_size=8), strict=st.booleans())
def test_both_ways_agree(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, ...]], strict: bool
) -> None:
    both_ways(tmp_path_factory.mktemp("rows") / "m.csv", found, strict=strict)


@given(found=st.lists(rows, min_size=1, max_size=8))
def test_a_row_that_passes_is_read_as_the_checker_reads_it(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, ...]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "m.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, GOOD, *found])
    with open_manifest([path]) as manifest:
        table, checker = manifest.table, Checker(PROJECT)
        assert table is not None
        quick = quick_rows(checker, table.columns or (), table.name)
        assert quick is not None
        for row, (line, cells) in enumerate(table.rows(), 1):
            if type(cells) is list and quick.passes(cells, line):
                name, kind, metadata = quick.fields(cells)
                image = Image(cells[quick.id], cells[quick.url], name, metadata, kind)
                assert Checker(PROJECT).check(table.entry(row, line, cells)).image == image


TYPED = (
    "3", 3, None, True, 1.5, 2**60, ["a"], {"a": "b"}, [], "NULL", "", "two\nlines", "a\tb", "\x08",
    "\x00", "C:\\\\u", 'a "quoted" : text', "é", "e\u0301", "\ud800", "\ufeff", "x\ry",
)  # fmt: skip
objects = st.fixed_dictionaries(
    {"id": st.sampled_from([*VALUES[0], 7]), "url": st.sampled_from(VALUES[1])},
    optional={
        "fileName": st.sampled_from([*VALUES[2], *TYPED]),
        "mediaType": st.sampled_from([*VALUES[3], None]),
        "metadata": st.none() | st.just("x") | st.dictionaries(
            st.sampled_from([*HANDLES, "other"]),
            st.sampled_from([*TEXTS, *VALUES[7], *VALUES[8], *TYPED]), max_size=4,
        ),
        "_note": st.just("n"),
    },
)  # fmt: skip
WRITTEN = (
    lambda entry: json.dumps(entry),
    lambda entry: json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace").decode(),
    lambda entry: json.dumps(entry, separators=(",", " :")),
    lambda entry: json.dumps(entry)[:-1] + ', "id": "twice"}',
    lambda entry: json.dumps(entry)[:-1] + ', "metadata" : {"title": "twice"}}',
    lambda entry: json.dumps(entry)[:-1],
    lambda entry: json.dumps([entry]),
)


@given(
    found=st.lists(st.tuples(objects, st.sampled_from(WRITTEN)), max_size=6), strict=st.booleans()
)
def test_both_ways_agree_about_json_lines(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[Any, Any]], strict: bool
) -> None:
    path = tmp_path_factory.mktemp("rows") / "m.jsonl"
    good = {
        "id": "good", "url": GOOD[1], "fileName": "t", "mediaType": "image",
        "metadata": {"title": "t", "taken": "2003-04-12"},
    }  # fmt: skip
    lines = [json.dumps(good), *(write(entry) for entry, write in found)]
    path.write_text("\n".join(lines), encoding="utf-8")
    options = CheckOptions(strict=strict)
    with open_manifest([path]) as manifest:
        quick, careful = Checker(PROJECT, options), Checker(PROJECT, options)
        every = EveryRow()
        assert validate(manifest, quick) == validate(manifest, careful, sink=every)
        if (table := manifest.table) is None:  # the first entries have other keys
            return
        again = Checker(PROJECT, options)
        rows = quick_rows(again, table.columns or (), table.name, table.textual)
        assert rows is not None
        for n, (line, cells) in enumerate(table.rows()):
            checked = every.seen[n]
            entry = table.entry(n + 1, line, cells)
            assert (entry.place, entry.original) == (checked.entry.place, checked.entry.original)
            if type(cells) is list and rows.passes(cells, line):
                name, kind, metadata = rows.fields(cells)
                image = Image(cells[rows.id], cells[rows.url], name, metadata, kind)
                assert checked.image == image
                assert table.original(cells) == checked.entry.original


def only_the_last_is_looked_at(path: Path) -> None:
    """Of 501 rows the last, ``x``, is wrong, and alone becomes an entry."""
    checker = Checker(PROJECT)
    asked = []
    careful = checker.check
    checker.check = lambda entry: asked.append(entry) or careful(entry)  # type: ignore[method-assign, func-returns-value]
    with open_manifest([path]) as manifest:
        found = validate(manifest, checker)
    assert (found.entries, found.invalid) == (501, 1)
    assert [entry.id for entry in asked] == ["x"]


def test_good_lines_never_become_entries(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    good = {"id": "a", "url": GOOD[1], "fileName": "Ä", "metadata": {"title": "“t” ü"}}
    lines = [json.dumps({**good, "id": f"id-{n}"}, ensure_ascii=n % 2 == 0) for n in range(500)]
    path.write_text("\n".join([*lines, '{"id": "x"}']), encoding="utf-8")
    only_the_last_is_looked_at(path)


def test_good_rows_are_not_looked_at_twice(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    lines = [f"id-{n},https://a.example/{n}.jpg,Title {n},image,Title" for n in range(500)]
    path.write_text("\n".join(["id,url,fileName,mediaType,metadata.title", *lines, "x,,,,"]))
    only_the_last_is_looked_at(path)


def test_findings_are_bounded_and_say_how_many_there_were(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("id,url\n" + "".join(f"id-{n},nowhere\n" for n in range(3_000)))
    with open_manifest([path]) as manifest:
        found = validate(manifest, Checker(PROJECT), max_problems=10)
    assert len(found.problems) == 10 and found.invalid == 3_000
    assert {(kind.code, kind.field, kind.rows) for kind in found.kinds} >= {
        ("relative-url", "url", 3_000), ("required", "fileName", 3_000)
    }  # fmt: skip
    assert found.problems[0].place.column == 6


def test_a_file_of_ten_thousand_unknown_properties_has_a_thousand_kinds(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(
        "".join(
            f'{{"id": "{n}", "url": "https://a.example/1.jpg", "fileName": "t", '
            f'"metadata": {{"h{n}": 1}}}}\n'
            for n in range(3_000)
        )
    )
    with open_manifest([path]) as manifest:
        found = validate(manifest, Checker(PROJECT))
    assert len(found.kinds) <= 1_002
    assert sum(kind.rows for kind in found.kinds if kind.code == "unknown-property") == 3_000


@pytest.mark.parametrize("cells", ["1,https://a.example/1.jpg,t,", "1,nowhere,t,"])
def test_rows_without_a_media_type_are_noticed_once(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"id,url,fileName,mediaType\n{cells}\n2,https://a.example/2.jpg,t,\n")
    with open_manifest([path]) as manifest:
        (notice,) = validate(manifest, Checker(project())).notices
    assert notice.code == "default-media-type" and "“image”" in notice.text
    path.write_text("id,url,fileName,mediaType\n1,https://a.example/1.jpg,t,image\n")
    with open_manifest([path]) as manifest:
        assert validate(manifest, Checker(project())).notices == ()


def test_an_id_met_twice_on_standard_input_names_its_line_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stdin:
        buffer = io.BytesIO(
            b"id,url,fileName\n1,https://a.example/1.jpg,t\n1,https://a.example/2.jpg,t\n"
        )

    monkeypatch.setattr(sys, "stdin", Stdin)
    with open_manifest(["-"]) as manifest:
        (problem,) = validate(manifest, Checker(project())).problems
    assert problem.message == "id “1” is used twice, first in line 2"
