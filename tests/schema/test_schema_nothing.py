"""Words for nothing: one warning for a column that is full of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from schema_projects import project

from ldimport.manifest import open_manifest
from ldimport.migration.validate import validate
from ldimport.model import Severity
from ldimport.schema.check import Checker

CONFIG = project(caption=("li-text", {}), people=("li-string-list", {}))
WORDS = ["NULL", "null", "None", "nan", "NaN", "N/A", "undefined", "[object Object]", "#N/A", "\\N"]


def found(folder: Path, form: str, words: list[str], field: str = "caption") -> list[str]:
    """What is warned of when ``field`` of each row is one of these words."""
    rows = [
        {"id": f"a{n}", "url": f"https://img.example/{n}.jpg", "fileName": f"T{n}", field: word}
        for n, word in enumerate(words)
    ]
    path = folder / f"m.{form}"
    if form == "csv":
        name = field if field == "fileName" else f"metadata.{field}"
        lines = [f"{row['id']},{row['url']},{row['fileName']},{row[field]}" for row in rows]
        lines = [",".join(line.split(",")[: 3 if field == "fileName" else 4]) for line in lines]
        head = "id,url,fileName" + ("" if field == "fileName" else f",{name}")
        path.write_text("\n".join([head, *lines]) + "\n")
    else:
        entries = [
            row if field == "fileName" else {**row, "metadata": {field: row.pop(field)}}
            for row in rows
        ]
        path.write_text("\n".join(map(json.dumps, entries)) + "\n")
    with open_manifest([path]) as manifest:
        told = validate(manifest, Checker(CONFIG))
    assert all(each.severity is Severity.WARNING for each in told.problems)
    assert told.entries == told.valid == len(words)
    return [each.message for each in told.problems if each.code == "word-for-nothing"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("field", ["caption", "fileName"])
@pytest.mark.parametrize("word", WORDS)
def test_ten_rows_of_a_column_are_one_warning(
    tmp_path: Path, form: str, field: str, word: str
) -> None:
    assert found(tmp_path, form, [word] * 9, field) == []
    (told,) = found(tmp_path, form, [word] * 8 + ["a text"] + [word] * 3, field)
    assert word in told
    assert "11 rows" in told


def test_words_of_one_column_count_together_and_in_lists_too(tmp_path: Path) -> None:
    (told,) = found(tmp_path, "csv", ["NULL", "None", "NULL", "nan", "N/A"] * 300)
    assert "“NULL” or " in told
    assert "1,500 rows" in told
    (told,) = found(tmp_path, "csv", ["NULL", "Anna|Beat"] * 10, "people")
    assert "10 rows" in told
    assert "metadata.people" in told
