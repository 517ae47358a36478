"""CSV: rows as entries, what is odd about them, and that nothing odd stops the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifests import HEADER, as_kept, codes, metadata, opened, read, write

from ldimport.errors import ExitCode, ManifestError
from ldimport.manifest.csv import OddRow
from ldimport.model import Place


def test_a_row_becomes_an_entry(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", HEADER + "7,https://x.ch/7.jpg,Seven,image,Hello\n")
    (entry,) = read(path)
    assert (entry.id, entry.url, entry.file_name) == ("7", "https://x.ch/7.jpg", "Seven")
    assert (entry.media_type, metadata(entry)) == ("image", {"caption": "Hello"})
    assert entry.textual and entry.problems == ()
    assert entry.place == Place(str(path), 1, 2)
    assert dict(entry.original)["metadata.caption"] == "Hello"


def test_empty_cells_are_absent_fields(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.csv", HEADER + "7,u,,,\n"))
    assert (entry.file_name, entry.media_type, metadata(entry)) == (None, None, {})


@pytest.mark.parametrize(
    "header",
    ["ID,Url,FILENAME,mediatype", "external id,URL,file_name,media-type", " id , url ,File Name,x"],
)
def test_header_names_in_any_case_and_common_spellings(tmp_path: Path, header: str) -> None:
    (entry,) = read(write(tmp_path, "a.csv", f"{header}\n1,u,Name,image\n"))
    assert (entry.id, entry.url, entry.file_name) == ("1", "u", "Name")


def test_line_numbers_survive_quoted_breaks_and_blank_lines(tmp_path: Path) -> None:
    text = HEADER + '1,u,"a\nb\r\nc",,\n\n\n2,u,d,,\n,,,,\n3,u,e,,"x\ny"\n4,u,f,,\n'
    entries = read(write(tmp_path, "a.csv", text))
    assert [(e.id, e.place.line, e.place.row) for e in entries] == [
        ("1", 2, 1),
        ("2", 7, 2),
        ("3", 9, 3),
        ("4", 11, 4),
    ]
    assert entries[0].file_name == "a\nb\nc"


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_break(tmp_path: Path, break_: str) -> None:
    text = break_.join(["id,url,fileName", "1,u,a", "2,u,b", ""])
    assert [(e.id, e.place.line) for e in read(write(tmp_path, "a.csv", text))] == [
        ("1", 2),
        ("2", 3),
    ]


def test_characters_that_only_look_like_line_breaks_stay_in_their_cell(tmp_path: Path) -> None:
    odd = "a\x0bb\x0cc\x1cd\x85e\u2028f"
    (entry,) = read(write(tmp_path, "a.csv", f"id,url,fileName\n1,u,{odd}\n"))
    assert entry.file_name == odd.replace("\v", "\n"), "which ends lines in FileMaker and Word"


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl"])
def test_a_text_is_the_same_whoever_saved_its_file_last(tmp_path: Path, name: str) -> None:
    found = []
    for end in ("\n", "\r\n", "\r"):
        text = json.dumps(f"a{end}b") if name != "a.csv" else f'"a{end}b"'
        row = f'[{{"id": "1", "url": "u", "fileName": {text}}}]'
        row = row[1:-1] if name == "a.jsonl" else row
        content = f"id,url,fileName\n1,u,{text}\n" if name == "a.csv" else row
        (entry,) = read(write(tmp_path, name, content))
        found.append(entry.file_name)
    assert found == ["a\nb"] * 3


def test_ragged_rows_are_problems_and_the_others_go_on(tmp_path: Path) -> None:
    text = HEADER + "1,u,a,image,c\n2\n3,u,a, comma,image,c\n4,u,d,image,\n"
    entries = read(write(tmp_path, "a.csv", text))
    assert [codes(e) for e in entries] == [[], ["ragged-row"], ["ragged-row"], []]
    assert [e.id for e in entries] == ["1", "2", "3", "4"]
    assert entries[1].problems[0].id == "2"
    assert entries[2].problems[0].message == "the row has 6 cells, the header 5"
    assert dict(entries[2].original)["_more (1)"] == "c"


def test_a_nul_byte_is_a_problem_of_its_field(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.csv", HEADER + "1,u,na\0me,image,c\n"))
    assert [(p.code, p.field) for p in entry.problems] == [("nul-byte", "fileName")]


def test_quotes_that_are_not_doubled_spoil_one_row_only(tmp_path: Path) -> None:
    text = HEADER + '1,u,a,,\n2,u,"he said "hi" twice",,\n3,u,b,,\n'
    entries = read(write(tmp_path, "a.csv", text))
    assert [codes(e) for e in entries] == [[], ["bad-quotes"], []]
    assert dict(entries[1].original) == {"_record": '2,u,"he said "hi" twice",,'}


def test_an_unclosed_quote_does_not_swallow_the_rows_behind_it(tmp_path: Path) -> None:
    rows = "".join(f"{n},u,name {n},,\n" for n in range(3, 60))
    entries = read(write(tmp_path, "a.csv", HEADER + '1,u,a,,\n2,u,"open,,\n' + rows))
    assert [e.id for e in entries[2:]] == [str(n) for n in range(3, 60)]
    assert [(e.place.line, codes(e)) for e in entries if e.problems] == [(3, ["bad-quotes"])]
    assert entries[-1].place.line == 60


def test_many_unclosed_quotes_end_in_bounded_time(tmp_path: Path) -> None:
    rows = "".join(f'{n},u,"open {n},,\n' for n in range(400))
    entries = read(write(tmp_path, "a.csv", HEADER + rows))
    assert all(codes(e) == ["bad-quotes"] for e in entries)
    assert len(entries) >= 21


def test_a_column_of_json(tmp_path: Path) -> None:
    text = 'id,url,metadata,metadata.credit\n1,u,"{""caption"":""A"",""credit"":""B""}",C\n'
    (entry,) = read(write(tmp_path, "a.csv", text))
    assert metadata(entry) == {"caption": "A", "credit": "C"}


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("{", "bad-json"),
        ("[1]", "wrong-type"),
        ("{'a':1}", "bad-json"),
        ('{""a"":12345678901234567890}', "big-number"),
        ('{""a"":1,""a"":2}', "duplicate-key"),
    ],
)
def test_a_bad_json_cell_is_a_problem_of_metadata(tmp_path: Path, cell: str, code: str) -> None:
    (entry,) = read(write(tmp_path, "a.csv", f'id,url,metadata\n1,u,"{cell}"\n'))
    assert [(p.code, p.field) for p in entry.problems] == [(code, "metadata")]


def test_an_apostrophe_before_a_formula_is_taken_away(tmp_path: Path) -> None:
    text = HEADER + "1,u,'=1+1,image,''@x\n2,u,'s-Gravenhage,image,'quoted'\n"
    first, second = read(write(tmp_path, "a.csv", text))
    assert (first.file_name, metadata(first)) == ("=1+1", {"caption": "'@x"})
    assert (second.file_name, metadata(second)) == ("'s-Gravenhage", {"caption": "'quoted'"})


def test_texts_are_composed_but_ids_and_urls_are_not(tmp_path: Path) -> None:
    loose = "Zu\u0308rich"
    (entry,) = read(write(tmp_path, "a.csv", HEADER + f"{loose},{loose},{loose},image,{loose}\n"))
    assert (entry.id, entry.url) == (loose, loose)
    assert (entry.file_name, metadata(entry)) == ("Z\u00fcrich", {"caption": "Z\u00fcrich"})


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_no_text_escapes_composition_in_the_fast_way(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("nfc")
    quoted = text.replace('"', '""')
    (entry,) = read(write(folder, "a.csv", f'id,url,fileName\n1,u,"x{quoted}"\n'))
    assert entry.file_name == as_kept(f"x{text}")


def test_rows_are_plain_lists_unless_something_is_odd(tmp_path: Path) -> None:
    text = HEADER + "1,u,a,image,c\n2\n3,u,'=1,image,\n4,u,b,image,d\n"
    with opened(write(tmp_path, "a.csv", text)) as manifest:
        table = manifest.table
        assert table is not None
        assert table.columns == ("id", "url", "fileName", "mediaType", "metadata.caption")
        rows = list(table.rows())
        assert [type(cells) for _, cells in rows] == [list, OddRow, OddRow, list]
        by_rows = [table.entry(n, line, cells) for n, (line, cells) in enumerate(rows, 1)]
        assert by_rows == list(manifest.entries())


def test_templates_and_constants_have_no_fast_way(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", HEADER + "1,u,a,image,c\n")
    with opened(path, sets=["credit=Archiv"]) as manifest:
        assert manifest.table is None


def test_a_header_without_rows_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="has a header but no rows") as caught:
        read(write(tmp_path, "a.csv", HEADER + "\n,,,,\n"))
    assert caught.value.exit_code is ExitCode.INVALID


def test_two_columns_for_one_field_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a\.csv:2: the columns “ID” and “id” are both id"):
        read(write(tmp_path, "a.csv", "\nID,url,id\n1,u,2\n"))


def test_unused_columns_may_have_one_name(tmp_path: Path) -> None:
    (entry,) = read(write(tmp_path, "a.csv", "id,url,x,x\n1,u,a,b\n"))
    assert dict(entry.original) == {"id": "1", "url": "u", "x": "a", "x (2)": "b"}


def test_a_byte_that_does_not_decode_is_named_with_its_place(tmp_path: Path) -> None:
    late = HEADER.encode() + b"0,u,\xc3\xa4,,\n" * 30_000 + b"1,u,caf\x96,,\n"
    with pytest.raises(ManifestError, match="30002:8: byte 0x96 is not UTF-8") as caught:
        read(write(tmp_path, "a.csv", late))
    assert "--encoding cp1252" in (caught.value.hint or "")


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", HEADER + "1,u,a,image,c\n" * 50_000)
    seen: list[int] = []
    with opened(path) as manifest:
        assert sum(1 for _ in manifest.entries(seen.append)) == 50_000
        assert manifest.bytes_total == path.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == path.stat().st_size


@given(
    st.lists(
        st.lists(st.text(alphabet="ab,;\"\n\r'=", max_size=6), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_any_bytes_give_entries_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("wild")
    text = "id,url,fileName\n" + "\n".join(",".join(row) for row in rows)
    try:
        entries = read(write(folder, "a.csv", text))
    except ManifestError as error:
        assert error.message
    else:
        assert [e.place.row for e in entries] == list(range(1, len(entries) + 1))
        lines = [e.place.line for e in entries]
        assert lines == sorted(set(lines))


# -- rows that end early, and marks at the end -------------------------------------------------


def test_rows_without_their_empty_cells_at_the_end_are_whole(tmp_path: Path) -> None:
    text = HEADER + "1,u,a,image,c\n2,u,b\n3,u\n4,u,'=1\n5,u,d,image,\n"
    with opened(write(tmp_path, "a.csv", text)) as manifest:
        for _ in range(2):
            entries = list(manifest.entries())
            assert [codes(each) for each in entries] == [[]] * 5
            assert [each.file_name for each in entries] == ["a", "b", None, "=1", "d"]
            (note,) = manifest.notices()
            assert (note.code, "3 rows" in note.text) == ("short-rows", True)


def test_a_header_may_end_without_a_name(tmp_path: Path) -> None:
    entries = read(write(tmp_path, "a.csv", "id,url,fileName,\n1,u,a\n2,u,b,\n3,u,c,note\n"))
    assert [(each.file_name, codes(each)) for each in entries] == [("a", []), ("b", []), ("c", [])]


@pytest.mark.parametrize("rest", ["second line,image,c", "second line", "more, u,image"])
def test_a_row_torn_by_a_line_break_is_no_short_one(tmp_path: Path, rest: str) -> None:
    first = "1,https://a.example/1.jpg,first line"
    text = f"{HEADER}{first}\n{rest}\n2,https://a.example/2.jpg,b,image,c\n"
    torn, _, whole = read(write(tmp_path, "a.csv", text))
    assert codes(torn) == ["ragged-row"]
    assert codes(whole) == []


def test_a_short_row_before_a_broken_one_and_at_the_end(tmp_path: Path) -> None:
    text = HEADER + '1,u,a\n2,u,"he said "hi" twice",,\n3,u,b\n'
    entries = read(write(tmp_path, "a.csv", text))
    assert [(each.id, codes(each)) for each in entries] == [
        ("1", []),
        ("", ["bad-quotes"]),
        ("3", []),
    ]


ROW = {"id": "1", "url": "u", "fileName": "a"}


@pytest.mark.parametrize("mark", ["\x1a", "\x1a" * 90])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", HEADER + "1,u,a,image,\n"),
        ("a.csv", HEADER + "1,u,a,image,"),
        ("a.json", json.dumps([ROW])),
        ("a.jsonl", json.dumps(ROW) + "\n"),
        ("a.yaml", "- {id: 1, url: u, fileName: a}\n"),
    ],
)
def test_the_end_mark_of_dos_is_left_out(
    tmp_path: Path, name: str, content: str, mark: str
) -> None:
    with opened(write(tmp_path, name, content + mark)) as manifest:
        (entry,) = manifest.entries()
        assert (entry.id, codes(entry)) == ("1", [])
        assert [note.code for note in manifest.notices()] == ["dos-end"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_the_end_mark_of_dos_in_wide_characters(tmp_path: Path, encoding: str) -> None:
    content = (HEADER + "1,u,a,image,\r\n\x1a").encode(encoding)
    (entry,) = read(write(tmp_path, "a.csv", content))
    assert (entry.id, codes(entry)) == ("1", [])
