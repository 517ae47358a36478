"""What is written is read back as it was, in every format."""

from __future__ import annotations

import csv
import json
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import HEADER, as_kept, metadata, opened, read, write, write_entries

from ldimport.cells import safe_cell
from ldimport.errors import UsageError
from ldimport.manifest.write import RowWriter, write_rows
from ldimport.model import Entry, Json, Place, Problem, Severity

TEXT = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20
).map(as_kept)
RAW = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
HANDLE = st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=2, max_size=8).map(
    lambda text: f"x{text}"
)
NUMBER = st.integers(-(2**53) + 1, 2**53 - 1)
TYPED = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HANDLE, inner, max_size=3),
    max_leaves=8,
)


def entries_of(values: st.SearchStrategy[Json], textual: bool) -> st.SearchStrategy[list[Entry]]:
    one = st.builds(
        Entry,
        id=RAW,
        url=RAW,
        file_name=st.none() | TEXT,
        media_type=st.none() | TEXT,
        metadata=st.dictionaries(HANDLE, values, max_size=4),
        place=st.just(Place()),
        textual=st.just(textual),
        problems=st.just(()),
        original=st.just({}),
    )
    return st.lists(one, min_size=1, max_size=4)


def bare(entry: Entry) -> Entry:
    """The entry without what depends on the file."""
    return entry._replace(place=Place(), original={}, metadata=metadata(entry))


def round_trip(folder: Path, name: str, entries: list[Entry]) -> list[Entry]:
    path = folder / name
    assert write_entries(path, entries) == len(entries)
    return [bare(entry) for entry in read(path)]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.yaml"])
@settings(max_examples=40)
@given(entries=entries_of(TEXT, textual=True))
def test_texts_survive(
    tmp_path_factory: pytest.TempPathFactory, name: str, entries: list[Entry]
) -> None:
    assert round_trip(tmp_path_factory.mktemp("t"), name, entries) == entries


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@settings(max_examples=40)
@given(entries=entries_of(TYPED, textual=False))
def test_typed_values_survive(
    tmp_path_factory: pytest.TempPathFactory, name: str, entries: list[Entry]
) -> None:
    assert round_trip(tmp_path_factory.mktemp("t"), name, entries) == entries


def test_rows_keep_every_column_and_get_their_problems(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", HEADER.strip() + ",Rubrik,_old\n1,u,a,,c,R,x\n2,u,b,,d,S,y\n")
    entries = read(path)
    found = (
        Problem(Severity.ERROR, "too-long", Place(), "fileName", "too long"),
        Problem(Severity.ERROR, "x", Place(), "", "y"),
    )
    out = tmp_path / "out.csv"
    assert write_entries(out, [entries[0], entries[1]._replace(problems=found)]) == 2
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {**entries[0].original, "_problem": "", "_problems": ""}
    assert rows[1]["Rubrik"] == "S"
    assert rows[1]["_problem"] == "too long"
    assert rows[1]["_problems"] == "too long [too-long]; y [x]"
    with opened(out) as manifest:
        assert [bare(e) for e in manifest.entries()] == [bare(e) for e in entries]
        assert "_problem" not in manifest.notices()[0].text


def test_a_row_that_could_not_be_read_is_kept_as_text(tmp_path: Path) -> None:
    entries = read(write(tmp_path, "a.csv", 'id,url\n1,u\n2,"a "b" c"\n'))
    write_entries(tmp_path / "out.jsonl", entries)
    last = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[-1])
    assert last["_record"] == '2,"a "b" c"'


@pytest.mark.parametrize(
    ("name", "excel", "content"),
    [
        ("a.csv", False, "id,url\r\n1,ä\r\n"),
        ("a.csv", True, "\ufeffid;url\r\n1;ä\r\n"),
        ("a.tsv", False, "id\turl\r\n1\tä\r\n"),
        ("a.tsv", True, "\ufeffid\turl\r\n1\tä\r\n"),
        ("a.jsonl", True, '{"id":"1","url":"ä"}\n'),
    ],
)
def test_a_csv_has_commas_and_no_mark_but_for_excel(
    tmp_path: Path, name: str, excel: bool, content: str
) -> None:
    with RowWriter(tmp_path / name, excel=excel) as writer:
        writer.add({"id": "1", "url": "ä"})
    assert (tmp_path / name).read_bytes() == content.encode()
    with opened(tmp_path / name) as manifest:
        assert [entry.original["url"] for entry in manifest.entries()] == ["ä"]


def test_rows_with_other_columns_share_one_header(tmp_path: Path) -> None:
    rows: list[dict[str, Json]] = [{"id": "1"}, {"id": "2", "url": "u"}, {"x": "y"}]
    write_rows(tmp_path / "a.csv", rows)
    assert (tmp_path / "a.csv").read_text().split() == ["id,url,x", "1,,", "2,u,", ",,y"]


def test_no_rows_are_a_file_too(tmp_path: Path) -> None:
    for name, content in (("a.json", []), ("a.yaml", None)):
        assert write_rows(tmp_path / name, []) == 0
        assert yaml.safe_load((tmp_path / name).read_text()) == content
    assert (tmp_path / "a.json").read_text() == "[\n]\n"


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.yaml"])
def test_nobody_sees_half_a_file(tmp_path: Path, name: str) -> None:
    def rows() -> object:
        yield {"id": "1"}
        raise RuntimeError("interrupted")

    before = write(tmp_path, name, "as it was")
    with pytest.raises(RuntimeError):
        write_rows(before, rows())  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert before.read_text() == "as it was"


def test_an_ending_that_names_no_format_is_a_usage_error(tmp_path: Path) -> None:
    for name in ("a.xls", "a", "a.csv.gz"):
        with pytest.raises(UsageError, match="the ending says no format"):
            write_rows(tmp_path / name, [])
    assert write_rows(tmp_path / "a", [{"id": "1"}], "jsonl") == 1


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        write_rows(tmp_path / "no" / "a.csv", [])


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("'=1+1", "''=1+1"),
        ("+49 30 1234", "'+49 30 1234"),
        ("@handle", "'@handle"),
        ("\ttab", "'\ttab"),
        ("＝1+1", "'＝1+1"),
        ("-12.5", "-12.5"),
        ("-12,5", "-12,5"),
        ("-", "'-"),
        ("it's", "it's"),
        ("'s-Gravenhage", "'s-Gravenhage"),
        (None, ""),
        (True, "true"),
        (-5, "-5"),
        (["a"], '["a"]'),
    ],
)
def test_no_cell_is_a_formula(value: Json, cell: str) -> None:
    assert safe_cell(value) == cell


def test_yaml_means_the_same_to_other_readers(tmp_path: Path) -> None:
    values = ["no", "0123", "12:30", "~", "1e3", "2003-04-12", " x ", "a: b", "- a", "#", "*a", "é"]
    row: dict[str, Json] = {
        "id": "1",
        "url": "u",
        "metadata": {f"k{n}": v for n, v in enumerate(values)},
    }
    write_rows(tmp_path / "a.yaml", [row, row])
    assert yaml.safe_load((tmp_path / "a.yaml").read_text()) == [row, row]


def test_a_number_too_large_is_written_as_its_digits(tmp_path: Path) -> None:
    entries = read(write(tmp_path, "in.json", '[{"id":12345678901234567890,"url":"u"}]'))
    for ending in ("csv", "json", "jsonl", "yaml"):
        assert write_entries(tmp_path / f"out.{ending}", entries) == 1
        assert [entry.id for entry in read(tmp_path / f"out.{ending}")] == [entries[0].id]
