"""JSON and JSON Lines: every entry by itself, with its place, whatever is wrong with another."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifests import codes, metadata, opened, read, write

from ldimport.errors import ManifestError
from ldimport.manifest.json import Scanner

GOOD = '{"id":"1","url":"u","fileName":"n","metadata":{"rating":3,"tags":["a"]}}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", f"[{GOOD}]"),
        ("a.json", f'{{"systemName":"s","images":[{GOOD}]}}'),
        ("a.json", GOOD),
        ("a.json", json.dumps(json.loads(GOOD), indent=2)),
        ("a.jsonl", GOOD),
        ("a.jsonl", f"\n{GOOD}\r\n\n"),
        ("a.ndjson", f"\ufeff{GOOD}"),
    ],
)
def test_an_object_becomes_an_entry_with_typed_metadata(
    tmp_path: Path, name: str, text: str
) -> None:
    (entry,) = read(write(tmp_path, name, text))
    assert (entry.id, entry.url, entry.file_name, entry.media_type) == ("1", "u", "n", None)
    assert metadata(entry) == {"rating": 3, "tags": ["a"]}
    assert not entry.textual and entry.problems == ()
    assert dict(entry.original)["fileName"] == "n"


@pytest.mark.parametrize("images_first", [True, False])
def test_the_header_of_a_request_body_is_found_wherever_it_stands(
    tmp_path: Path, images_first: bool
) -> None:
    head = '"systemName":"s","webhook":"https://x.ch/h","context":{"n":1},"note":2'
    parts = [f'"images":[{GOOD}]', head] if images_first else [head, f'"images":[{GOOD}]']
    with opened(write(tmp_path, "a.json", "{" + ",".join(parts) + "}")) as manifest:
        header = manifest.header
        assert (header.system_name, header.webhook) == ("s", "https://x.ch/h")
        assert header.context == {"n": 1}
        assert [e.id for e in manifest.entries()] == ["1"]
        assert "note" in manifest.notices()[0].text


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ('"systemName":5', "systemName must be a text"),
        ('"context":[]', "context must be an object"),
        ('"systemName":"a","systemName":"b"', "stands there twice"),
        ('"context":{"a":1,"a":2}', "stands twice"),
    ],
)
def test_a_bad_header_is_refused_with_its_line(tmp_path: Path, head: str, message: str) -> None:
    text = f'{{"images":[{GOOD}],\n{head}}}'
    with pytest.raises(ManifestError, match=message) as caught:
        read(write(tmp_path, "a.json", text))
    assert ":2:" in caught.value.message


ODD = {
    "duplicate-key": '{"id":"1","url":"u","metadata":{"a":"x","a":"y"}}',
    "bad-number": '{"id":"1","url":"u","metadata":{"a":NaN}}',
    "big-number": '{"id":"1","url":"u","metadata":{"a":[12345678901234567890]}}',
    "lone-surrogate": '{"id":"1","url":"u","metadata":{"a":"\\ud800"}}',
    "bad-json": '{"id":"1","url":"u","metadata":{"a":tru}}',
    "too-deep": '{"id":"1","url":"u","metadata":{"a":' + "[" * 500 + "]" * 500 + "}}",
}


@pytest.mark.parametrize("code", ODD)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_odd_json_is_a_problem_of_its_entry_alone(tmp_path: Path, code: str, name: str) -> None:
    rows = [GOOD, ODD[code], GOOD.replace('"1"', '"2"')]
    text = "[" + ",\n".join(rows) + "]" if name == "a.json" else "\n".join(rows)
    entries = read(write(tmp_path, name, text))
    assert [codes(e) for e in entries] == [[], [code], []]
    assert [e.place.line for e in entries] == [1, 2, 3]
    for entry in entries:
        json.dumps(dict(entry.metadata)).encode()
        str(entry).encode()  # no half surrogates go on


def test_a_broken_entry_says_where_inside_it(tmp_path: Path) -> None:
    text = '[{"id":"1"},\n {"id":"2",\n  "url": nope}]'
    entry = read(write(tmp_path, "a.json", text))[1]
    assert (entry.problems[0].place.line, entry.problems[0].place.column) == (3, 10)


def test_bytes_that_are_not_utf8_are_a_problem_of_their_line(tmp_path: Path) -> None:
    content = GOOD.encode() + b'\n{"id":"2","url":"\xc3\xa4"}\n{"id":"3","url":"caf\xe9"}\n'
    entries = read(write(tmp_path, "a.jsonl", content * 2))
    assert [codes(e) for e in entries] == [[], [], ["bad-json"]] * 2
    assert "byte 0xE9 is not UTF-8" in entries[2].problems[0].message


def test_json_in_windows_1252_is_read(tmp_path: Path) -> None:
    content = '[{"id":"1","url":"u","fileName":"Zürich – Grüezi"}]'.encode("cp1252")
    assert read(write(tmp_path, "a.json", content))[0].file_name == "Zürich – Grüezi"


def test_whole_number_ids_become_text_with_one_notice(tmp_path: Path) -> None:
    numbers = [0, -7, 2**53, 10**30]
    text = "\n".join(f'{{"id":{n},"url":"u"}}' for n in numbers)
    with opened(write(tmp_path, "a.jsonl", text)) as manifest:
        for _ in range(2):
            entries = list(manifest.entries())
            assert [e.id for e in entries] == [str(n) for n in numbers]
            assert all(e.problems == () for e in entries)
        (notice,) = manifest.notices()
    assert notice.code == "number-id"
    assert notice.text.startswith("4 ids")


@pytest.mark.parametrize("value", ["1.0", "1e3", "true", "[1]", '{"a":1}'])
def test_other_ids_are_a_problem(tmp_path: Path, value: str) -> None:
    (entry,) = read(write(tmp_path, "a.jsonl", f'{{"id":{value},"url":"u"}}\n'))
    assert [(p.code, p.field) for p in entry.problems] == [("wrong-type", "id")]


@pytest.mark.parametrize(
    ("key", "value"),
    [("url", "5"), ("fileName", "2003"), ("mediaType", "[]"), ("metadata", '"x"')],
)
def test_wrong_types_are_problems_of_their_field(tmp_path: Path, key: str, value: str) -> None:
    fields = {"id": '"1"', "url": '"u"', "fileName": '"n"', key: value}
    text = "{" + ",".join(f'"{name}":{each}' for name, each in fields.items()) + "}"
    (entry,) = read(write(tmp_path, "a.json", f"[{text}]"))
    assert [(p.code, p.field, p.id) for p in entry.problems] == [("wrong-type", key, "1")]


def test_null_is_absent(tmp_path: Path) -> None:
    text = '[{"id":null,"url":null,"fileName":null,"mediaType":null,"metadata":null}]'
    (entry,) = read(write(tmp_path, "a.json", text))
    assert (entry.id, entry.url, entry.file_name, entry.media_type) == ("", "", None, None)
    assert (metadata(entry), entry.problems) == ({}, ())


def test_items_that_are_no_objects_are_problems(tmp_path: Path) -> None:
    entries = read(write(tmp_path, "a.json", '[1, "a", null, [], {"id":"1","url":"u"}]'))
    assert [codes(e) for e in entries] == [["wrong-type"]] * 4 + [[]]


def test_texts_are_composed_but_ids_and_urls_are_not(tmp_path: Path) -> None:
    text = json.dumps([dict.fromkeys(("id", "url", "fileName"), "u\u0308")])
    (entry,) = read(write(tmp_path, "a.json", text))
    assert (entry.id, entry.url, entry.file_name) == ("u\u0308", "u\u0308", "\u00fc")


@pytest.mark.parametrize("tail", ["]", "]]", ",]", "] {}", "", "]\x00"])
def test_a_broken_document_stops_with_its_place(tmp_path: Path, tail: str) -> None:
    path = write(tmp_path, "a.json", f"[{GOOD},\n{GOOD}{tail}")
    if tail == "]":
        assert len(read(path)) == 2
        return
    with pytest.raises(ManifestError, match=r"a\.json:2:"):
        read(path)


def test_a_minified_array_has_columns(tmp_path: Path) -> None:
    entries = read(write(tmp_path, "a.json", '[{"id":"ä","url":"u"},{"id":"2","url":"u"}]'))
    assert [(e.place.line, e.place.column) for e in entries] == [(1, 2), (1, 23)]


def test_a_large_array_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write('{"images":[' + ",\n".join([GOOD] * 20_000) + '],"systemName":"s"}')
    tracemalloc.start()
    try:
        with opened(path) as manifest:
            assert manifest.header.system_name == "s"
            assert sum(1 for _ in manifest.entries()) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_an_entry_across_pieces_is_whole(tmp_path: Path) -> None:
    big = json.dumps({"id": "big", "url": "u", "metadata": {"a": 'x\\"]}' * 400_000}})
    text = f"[{GOOD},{big},{GOOD}]"
    entries = read(write(tmp_path, "a.json", text))
    assert [e.id for e in entries] == ["1", "big", "1"]
    assert len(str(entries[1].metadata["a"])) == 5 * 400_000


def test_an_entry_over_the_limit_is_refused(tmp_path: Path) -> None:
    text = f'[{{"id":"1","url":"{"x" * 18_000_000}"}}]'
    with pytest.raises(ManifestError, match="larger than 16 MB"):
        read(write(tmp_path, "a.json", text))


def test_a_line_over_the_limit_is_refused(tmp_path: Path) -> None:
    text = f'{GOOD}\n{{"id":"1","url":"{"x" * 18_000_000}"}}\n'
    with pytest.raises(ManifestError, match="longer than 16 MB"):
        read(write(tmp_path, "a.jsonl", text))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_the_scanner_finds_every_value(
    values: list[object], indent: int | str | None, ascii_: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_)
    scanner = Scanner(iter([text.encode("utf-8", "surrogatepass")]), "x")
    spans = list(scanner.elements())
    assert [json.loads(span.raw.decode("utf-8", "surrogatepass")) for span in spans] == values
    lines = text.split("\n")
    for span in spans:
        first = span.raw.decode("utf-8", "surrogatepass").split("\n")[0]
        assert lines[span.line - 1][span.column - 1 :].startswith(first)


@given(st.text(alphabet='[]{}",:\\ \n1a', max_size=60))
def test_any_text_gives_entries_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("wild")
    for name in ("a.json", "a.jsonl"):
        try:
            read(write(folder, name, "[" + text))
        except ManifestError as error:
            assert error.message


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["[", '{"a":', "[[],", '["]",'])
def test_endless_nesting_is_refused(tmp_path: Path, piece: str) -> None:
    text = "[" + piece * (17_500_000 // len(piece))
    with pytest.raises(ManifestError, match=r"larger than 16 MB|in the middle"):
        read(write(tmp_path, "a.json", text))


def test_a_deep_entry_across_pieces_is_whole(tmp_path: Path) -> None:
    deep = '{"id":"1","url":"u","metadata":{"a":' + "[" * 20 + '"]}",' * 400_000 + "1" + "]" * 20
    (first, second) = read(write(tmp_path, "a.json", f"[{deep}}}}},{GOOD}]"))
    assert (first.id, first.problems, second.id) == ("1", (), "1")
