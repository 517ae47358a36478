"""YAML: texts as they are written, aliases and tags refused, documents that stream."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifests import codes, metadata, opened, read, write

from ldimport.errors import ManifestError

ENTRY = "- id: 1\n  url: u\n"


@pytest.mark.parametrize(
    "written",
    ["0123", "12:30", "no", "1e3", "0x1F", "2003-04-12", "1_000", ".5", "+7", "true", "=", "a b"],
)
def test_an_id_is_the_text_as_it_is_written(tmp_path: Path, written: str) -> None:
    (entry,) = read(write(tmp_path, "a.yaml", f"- id: {written}\n  url: u\n"))
    assert (entry.id, entry.problems, entry.textual) == (written, (), True)


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL"])
def test_null_is_absent_unless_it_is_in_quotes(tmp_path: Path, null: str) -> None:
    text = f'- id: 1\n  url: u\n  fileName: {null}\n  metadata: {{a: {null}, b: "{null}"}}\n'
    (entry,) = read(write(tmp_path, "a.yaml", text))
    assert entry.file_name is None
    assert metadata(entry) == ({"b": null} if null else {})


def test_nested_values_are_texts(tmp_path: Path) -> None:
    text = "- id: 1\n  url: u\n  metadata:\n    tags: [a, 1, yes]\n    ref: {id: 07}\n    n: 5\n"
    (entry,) = read(write(tmp_path, "a.yaml", text))
    assert metadata(entry) == {"tags": ["a", "1", "yes"], "ref": {"id": "07"}, "n": "5"}


@pytest.mark.parametrize(
    "text",
    [
        "- {id: 1, url: u}\n- {id: 2, url: u}\n",
        "systemName: s\nimages:\n  - id: 1\n    url: u\n  - id: 2\n    url: u\n",
        "images:\n- {id: 1, url: u}\n- {id: 2, url: u}\nsystemName: s\n",
        "id: 1\nurl: u\n---\nid: 2\nurl: u\n",
        "---\n- {id: 1, url: u}\n---\n- {id: 2, url: u}\n...\n",
        "systemName: s\n---\n- {id: 1, url: u}\n- {id: 2, url: u}\n",
        "%YAML 1.1\n---\n- {id: 1, url: u}\n---\n---\nid: 2\nurl: u\n",
    ],
)
def test_every_shape_of_document(tmp_path: Path, text: str) -> None:
    with opened(write(tmp_path, "a.yaml", text)) as manifest:
        assert [e.id for e in manifest.entries()] == ["1", "2"]
        assert [e.place.row for e in manifest.entries()] == [1, 2]
        assert manifest.header.system_name == ("s" if "systemName" in text else None)


def test_a_context_keeps_its_types(tmp_path: Path) -> None:
    text = f'context: {{n: 1, b: true, t: "1", d: 2003-04-12, l: [~, no]}}\nimages:\n{ENTRY}'
    with opened(write(tmp_path, "a.yaml", text)) as manifest:
        assert manifest.header.context == {
            "n": 1,
            "b": True,
            "t": "1",
            "d": "2003-04-12",
            "l": [None, "no"],
        }


def test_aliases_are_refused_with_their_place(tmp_path: Path) -> None:
    text = "- id: 1\n  url: &u http://x\n- id: 2\n  url: *u\n- id: 3\n  url: u\n"
    entries = read(write(tmp_path, "a.yaml", text))
    assert [codes(e) for e in entries] == [[], ["yaml-alias"], []]
    (found,) = entries[1].problems
    assert (found.field, found.id) == ("url", "2")
    assert (found.place.row, found.place.line, found.place.column) == (2, 4, 8)


def test_merge_keys_are_refused(tmp_path: Path) -> None:
    text = "- &a {id: 1, url: u}\n- <<: *a\n  id: 2\n  url: u\n"
    assert set(codes(read(write(tmp_path, "a.yaml", text))[1])) == {"yaml-alias"}


def test_an_alias_bomb_costs_nothing(tmp_path: Path) -> None:
    lines = ["- id: 1\n  url: u\n  metadata:\n    a0: &a0 [x, x]\n"]
    lines += [f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)]
    (entry,) = read(write(tmp_path, "a.yaml", "".join(lines)))
    assert set(codes(entry)) == {"yaml-alias"}


@pytest.mark.parametrize("value", ["!!int 5", "!!python/object:os.system x", "!own x", "! x"])
def test_tags_are_refused(tmp_path: Path, value: str) -> None:
    (entry,) = read(write(tmp_path, "a.yaml", f"- id: 1\n  url: {value}\n"))
    assert [(p.code, p.field) for p in entry.problems] == [("yaml-tag", "url")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- id: 1\n  id: 2\n  url: u\n", "duplicate-key"),
        ("- id: [1]\n  url: u\n", "wrong-type"),
        ("- id: 1\n  url: u\n  metadata: text\n", "wrong-type"),
        ("- id: 1\n  url: u\n  [a, b]: c\n", "wrong-type"),
        ("- just text\n", "wrong-type"),
        ("- [1, 2]\n", "wrong-type"),
        ("- id: 1\n  url: u\n  metadata: {a: " + "[" * 200 + "]" * 200 + "}\n", "too-deep"),
    ],
)
def test_odd_entries_are_problems(tmp_path: Path, text: str, code: str) -> None:
    entries = read(write(tmp_path, "a.yaml", text + "- id: last\n  url: u\n"))
    assert code in codes(entries[0])
    assert (entries[-1].id, entries[-1].problems) == ("last", ())


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (ENTRY + "- id: 'open\n", "4:"),
        (ENTRY + "- id: a: b\n", "3:"),
        (ENTRY + "\t- id: 2\n", "3:"),
        (ENTRY + "- {id: 2\n- x", "5:"),
        (ENTRY + "- url: a\x00b\n", "3:"),
    ],
)
def test_broken_yaml_stops_with_its_place(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(ManifestError, match=rf"a\.yaml:{where}"):
        read(write(tmp_path, "a.yaml", text))


def test_utf16_is_read(tmp_path: Path) -> None:
    content = "- id: Zürich\n  url: u\n".encode("utf-16")
    assert read(write(tmp_path, "a.yaml", content))[0].id == "Zürich"


def test_places_of_block_entries(tmp_path: Path) -> None:
    text = "# list\nimages:\n  - id: 1\n    url: |\n      u\n\n  -\n    id: 2\n    url: u\n"
    entries = read(write(tmp_path, "a.yaml", text))
    assert [(e.place.line, e.place.column) for e in entries] == [(3, 5), (8, 5)]


def test_a_tagged_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="the tag"):
        read(write(tmp_path, "a.yaml", f"systemName: !x s\nimages:\n{ENTRY}"))
