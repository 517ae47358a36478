"""Cells of a CSV: every reader finds the same rows, no spreadsheet or CI system obeys them, and our
own reader gives the values back."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from hostile_strings import ALL, BREAKS, COMMANDS, FORMULAS, commands_in
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ldimport.cells import bare_cell, cell_text, csv_line, csv_lines, json_text, safe_cell
from ldimport.cli.output.outcomes import write_csv
from ldimport.manifest import open_manifest
from ldimport.manifest.write import write_rows
from ldimport.migration.model import ResultRow
from ldimport.model import Status

_PIECES = st.sampled_from(
    [*"=+-@:'\"#[,;|\t \0a1\x1b\u200b\ufeff\xa0＝＠", *BREAKS, *COMMANDS, "-5"]
)
TEXTS = st.one_of(
    st.lists(_PIECES, max_size=12).map("".join), st.text(), st.sampled_from([*ALL, *FORMULAS])
)


def rows_of(text: str, **dialect: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True, **dialect))  # type: ignore[arg-type]


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=4), st.sampled_from(",;\t|^"))
def test_what_is_written_is_read_again(rows: list[list[str]], delimiter: str) -> None:
    text = "".join(csv_line(row, delimiter) for row in rows)
    found = rows_of(text, delimiter=delimiter)
    assert [[bare_cell(cell) for cell in row] for row in found] == [
        [cell_text(cell) for cell in row] for row in rows
    ]


@given(TEXTS)
def test_no_line_of_a_cell_begins_a_formula_or_a_command(value: str) -> None:
    cell = safe_cell(value)
    for line in re.split(f"[{BREAKS}]", cell):
        first = line.lstrip("".join(map(chr, range(33))) + '\x7f\xa0\u200b\ufeff"')[:1]
        assert first not in set("=+@＝＋－＠") or line is cell == value == "-5"
        assert first != "-" or re.fullmatch(r"-[\d.,eE+-]+", cell)
    assert commands_in(cell) == []


@pytest.mark.parametrize("mark", BREAKS)
def test_a_cell_with_any_end_of_a_line_stands_in_quotes(mark: str) -> None:
    assert csv_line([f"p2{mark}=1+1", "b"], end="\n") == f"\"'p2{mark}'=1+1\",b\n"
    assert csv_line([f"a{mark}b"], end="\n") == f'"a{mark}b"\n'


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("-5", "-5"),
        ("-12.5", "-12.5"),
        ("-1,5", "-1,5"),
        ("-1e-7", "-1e-7"),
        (-5, "-5"),
        ("+41 44 123", "'+41 44 123"),
        ("-5+cmd|' /C calc'!A0", "'-5+cmd|' /C calc'!A0"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ('"=1+1', "'\"=1+1"),
        ("a\n'@b' c", "'a\n''@b' c"),
        ("::error::x", "'::error::x"),
        ("a ##[group]b", "'a ##'[group]b"),
        ("section_start:1:a\r\x1b[0K", "'section_start':1:a\r\x1b[0K"),
        ("a\n'b", "a\n'b"),
        ("at 10:30::", "at 10:30::"),
        ("# 1", "# 1"),
    ],
)
def test_which_cells_get_an_apostrophe(value: str, cell: str) -> None:
    assert safe_cell(value) == cell
    assert bare_cell(cell) == cell_text(value)


def test_the_text_of_others_keeps_its_apostrophes() -> None:
    for text in ("'s-Gravenhage", "a\n'@home' is", "'a\nb'", "it's ##'", "''"):
        assert bare_cell(text) == text


def test_the_map_of_ids_holds_a_row_for_each_image() -> None:
    names = ["p1", "p2\r=1+1", "p3\x0b@x", "p4\u2028::error::x", "p5\x85", "::warning::p6"]
    filled = dict.fromkeys(ResultRow._fields)
    out = io.StringIO(newline="")
    write_csv(out, [ResultRow(**{**filled, "external_id": name}) for name in names])
    written = out.getvalue()
    found = [cells[0] for cells in rows_of(written)][1:]
    assert list(map(bare_cell, found)) == names
    assert commands_in(written) == []


@given(st.dictionaries(TEXTS, TEXTS))
def test_json_holds_no_command_and_means_the_same(value: dict[str, str]) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\ufeff]", text)
    assert commands_in(text) == []


@pytest.mark.parametrize(
    "piece", ["'", '"', " ", "\n", "\n'", "\r ", "#", "##", "section_start", "=\n"]
)
def test_a_cell_of_any_length_is_looked_at_once(piece: str) -> None:
    value = piece * 400_000  # quadratic, each would take hours
    assert bare_cell(safe_cell(value)) == value
    assert len(csv_line([value])) >= len(value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=4))
def test_our_own_reader_finds_the_same_rows(
    tmp_path: Path, rows: list[tuple[str, str, str]]
) -> None:
    """Also its guess of the dialect: what stands in the cells does not mislead it."""
    names = ("id", "url", "metadata.caption")
    written = [dict(zip(names, row, strict=True)) for row in rows if any(row)]
    assume(written)
    write_rows(tmp_path / "a.csv", written)
    with open_manifest([tmp_path / "a.csv"]) as manifest:
        found = [dict(entry.original or {}) for entry in manifest.entries()]
    assert found == [{name: cell_text(row[name]) for name in names} for row in written]


def test_many_rows_are_written_as_each_one_is() -> None:
    odd = [
        "a,b",
        'say "x"',
        "=1+1",
        " left",
        "two\nlines",
        "",
        "##[group]",
        "\x85",
        "0042",
        "-12.5",
    ]
    columns = (
        ["plain", "/path", "Größe", "x"] * 5, odd * 2, [*range(-10, 10)], [None] * 20,
        [True, False, None, True] * 5, [None, "text", *odd[:8]] * 2, [1.5, [1], {"a": "b"}, 2] * 5,
        [*Status, None] * 5,
    )  # fmt: skip
    rows = [*zip(*columns, strict=True)]
    for delimiter in (",", ";", "\t"):
        whole = "".join(csv_line(row, delimiter) for row in rows)
        assert csv_lines(rows, delimiter) == whole
    assert csv_lines([[""], ["a"]]) == '""\r\na\r\n'
