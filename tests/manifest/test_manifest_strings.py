"""Naughty strings through every field of every format: byte for byte, or refused with a reason."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import hostile_strings
import pytest
from manifests import as_kept, codes, metadata, opened, read, write, write_entries

from ldimport.model import Entry, Place
from ldimport.schema import config
from ldimport.schema.check import AROUND, Checker

_SURROGATE = re.compile("[\ud800-\udfff]")
NAMES = ("a.csv", "a.tsv", "a.json", "a.jsonl", "a.yaml")


@pytest.fixture(params=["our own", "collected"])
def texts(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Every string of our own rules, and of the corpora where they are at hand."""
    if request.param == "our own":
        return hostile_strings.ALL
    folder = request.getfixturevalue("corpora") / "strings"
    found = [
        *json.loads((folder / "blns.json").read_text()),
        *(folder / "crlfinjection.txt").read_text().splitlines(),
        *(row["text"] for row in json.loads((folder / "csv_cells.json").read_text())),
    ]
    for line in (folder / "terminal.jsonl").read_text().splitlines():
        found += [value for value in json.loads(line).values() if isinstance(value, str)]
    return tuple(dict.fromkeys(text for text in found if text))


@pytest.mark.parametrize("name", NAMES)
def test_every_string_through_every_field(
    texts: tuple[str, ...], tmp_path: Path, name: str
) -> None:
    assert len(texts) > 500
    written = [
        Entry(text, text, text, text, {"caption": text}, Place(), name in ("a.csv", "a.yaml"))
        for text in texts
    ]
    write_entries(tmp_path / name, written)
    entries = read(tmp_path / name)
    assert len(entries) == len(texts)
    wrong = []
    for text, entry in zip(texts, entries, strict=True):
        if name in ("a.csv", "a.tsv", "a.yaml"):
            text = _SURROGATE.sub("\ufffd", text)  # these formats cannot hold half a character
        composed = as_kept(text)
        got = (entry.id, entry.url, entry.file_name, entry.media_type, metadata(entry))
        if got != (text, text, composed, composed, {"caption": composed}) and not entry.problems:
            wrong.append((text, got))
        if entry.problems and "\0" not in text and not _SURROGATE.search(text):
            wrong.append((text, entry.problems))
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_every_string_is_stored_to_the_letter_or_refused_with_a_reason(
    texts: tuple[str, ...], tmp_path: Path, name: str
) -> None:
    url = "https://img.example.org/1.jpg"
    write_entries(
        tmp_path / name,
        [Entry(f"{n}{t}", url, t, None, {"caption": t}, Place()) for n, t in enumerate(texts)],
    )
    checker = Checker(config.default())
    found = [checker.check(entry) for entry in read(tmp_path / name)]
    assert len(found) == len(texts)
    wrong = []
    for n, (text, checked) in enumerate(zip(texts, found, strict=True)):
        if name in ("a.csv", "a.tsv", "a.yaml"):
            text = _SURROGATE.sub("\ufffd", text)
        composed, image = as_kept(text), checked.image
        if image is None:
            reasons = [each.message for each in checked.problems if each.severity == "error"]
            wrong += [] if reasons and all(reasons) else [(text, "no reason")]
        elif (image.id, image.file_name, dict(image.metadata)) != (
            f"{n}{text}".strip(AROUND),
            composed,
            {"caption": composed},
        ):
            wrong.append((text, str(image)))
    assert wrong == []
    assert sum(each.image is not None for each in found) > len(texts) * 0.9


def test_no_cell_begins_a_formula(tmp_path: Path) -> None:
    cells = hostile_strings.FORMULAS
    entries = [Entry("1", "u", cell, None, {}, Place(), textual=True) for cell in cells]
    write_entries(tmp_path / "a.csv", entries)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        written = [row["fileName"] for row in csv.DictReader(file)]
    signs = "=+-@\t\r\n＝＋－＠"
    assert [cell for cell in written if cell[0] in signs] == ["-12.5"]
    assert [cell for cell in written if cell.strip(" \xa0\0")[:1] == "="] == []


# -- names with signs that nobody sees -----------------------------------------------------

UNSEEN = ["\u200b", "\ufeff", "\u00ad", "\u2060", "\u200e", "\u202a", "\x00", "\x07",
          "\u3164", "\u2800", "\ufe0f", "\u180e"]  # fmt: skip


@pytest.mark.parametrize("sign", UNSEEN)
@pytest.mark.parametrize("form", ["csv", "json", "yaml"])
def test_names_lose_signs_that_nobody_sees(tmp_path: Path, form: str, sign: str) -> None:
    names = {name: f"{sign}{name[:2]}{sign}{name[2:]}{sign}" for name in ("id", "url", "fileName")}
    handle = f"cap{sign}tion"
    if form == "csv":
        head = ",".join([*names.values(), f"metadata.{handle}"])
        content = f"{head}\n1,https://a.example/1.jpg,A,text\n"
    else:
        values = ["1", "https://a.example/1.jpg", "A"]
        entry = dict(zip(names.values(), values, strict=True)) | {"metadata": {handle: "text"}}
        content = json.dumps([entry], ensure_ascii=form == "yaml")
    (found,) = read(write(tmp_path, f"m.{form}", content))
    assert (found.id, found.file_name, metadata(found)) == ("1", "A", {"caption": "text"})


def test_two_keys_that_look_the_same_are_one_that_stands_twice(tmp_path: Path) -> None:
    entry = {"id": "1", "url": "https://a.example/1.jpg", "fileName": "A", "file\u200bName": "B"}
    (found,) = read(write(tmp_path, "m.json", json.dumps([entry])))
    assert codes(found) == ["duplicate-key"]


def test_letters_of_another_script_are_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "m.csv", "id,url,fileN\u0430me\n1,https://a.example/1.jpg,A\n")
    with opened(path) as manifest:
        assert [note.text for note in manifest.notices() if "U+0430" in note.text]
