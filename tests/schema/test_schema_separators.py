"""One separator for a column of lists, decided over all of its cells."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from schema_projects import project

from ldimport.cells import Writing
from ldimport.migration import Wishes, open_source
from ldimport.migration.validate import validate
from ldimport.model import JobOptions, Json
from ldimport.schema.coerce import to_list
from ldimport.schema.separators import decide, undecided

CONFIG = project(people=("li-string-list", {}), caption=("li-text", {}))


def decided(*cells: str) -> tuple[str, str]:
    """Sign and remark of a column of these cells."""
    found = list(decide([("metadata.people", Counter(cells))]))
    return (found[0].sign, found[0].remark) if found else ("", "")


@pytest.mark.parametrize(
    ("cells", "sign", "told"),
    [
        (["a|b", "Muster, Anna"], "|", True),
        (["a, b|c", "d|e, f"], "|", False),
        (["Zürich, See; Bern", "Zürich, See"], ";", True),
        (["a\nb, c", "d\ne"], "\n", False),
        (["a,b", "c", "d, e"], ",", False),
        (["a,b"] * 30 + ["x|y"], ",", True),
        (["a,b"] * 30 + ["x|y, z"], ",", False),
        (["a;b"] * 30 + ["Muster, Anna"], ";", True),
        (['["a", "b"]', "c|d"], "|", False),
        (["one", "two"], "", False),
    ],
)
def test_the_column_decides_and_what_is_unclear_is_told(
    cells: list[str], sign: str, told: bool
) -> None:
    chosen, remark = decided(*cells)
    assert chosen == sign
    assert bool(remark) is told
    assert not told or ("metadata.people" in remark and "separator:" in remark)


def test_where_the_user_names_one_nothing_is_decided() -> None:
    assert undecided(CONFIG, {}) == {"metadata.people"}
    assert undecided(CONFIG, {"metadata.people": Writing(separator=";")}) == frozenset()


def test_json_stays_a_list_whatever_the_separator() -> None:
    assert to_list('["a|b", "c"]', "|") == ["a|b", "c"]
    assert to_list("[sic] one|two", "|") == ["[sic] one", "two"]


def test_a_broken_row_hides_none_of_the_column(tmp_path: Path) -> None:
    rows = [f'{n},https://a.example/{n},A,"Muster, Anna"' for n in range(30)]
    rows[10] = '10,https://a.example/10,A,"he said "x" twice"'
    rows[20:] = [row.replace("Anna", "Anna|Beat") for row in rows[20:]]
    (tmp_path / "m.csv").write_text("id,url,fileName,metadata.people\n" + "\n".join(rows) + "\n")
    source = open_source([tmp_path / "m.csv"], CONFIG, Wishes("a"), JobOptions(), local=True)
    with source.manifest:
        assert source.check.writings["metadata.people"].separator == "|"


HEAD = "id,url,fileName,metadata.people\n"
TABLE = HEAD + "".join(
    f'{n},https://img.example/{n}.jpg,A,"{cell}"\n'
    for n, cell in enumerate(["Muster, Anna", *["x"] * 5_000, "Muster, Anna|Beispiel, Beat"])
)
YAML = "".join(
    f"- {{id: '{n}', url: 'https://a.example/{n}', fileName: A, metadata: {{people: '{c}'}}}}\n"
    for n, c in enumerate(["Muster, Anna", "Muster, Anna|Beispiel, Beat"])
)


@pytest.mark.parametrize(("name", "content"), [("m.csv", TABLE), ("m.yaml", YAML)])
def test_every_pass_reads_the_first_row_as_the_last_one_says(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    source = open_source([tmp_path / name], CONFIG, Wishes("archive"), JobOptions(), local=True)
    with source.manifest as manifest:
        values: list[Json] = []
        for _ in range(2):
            checker = source.checker()
            rows = [checker.check(each) for each in manifest.entries()]
            first, last = rows[0].image, rows[-1].image
            assert first and last
            values += [first.metadata["people"], last.metadata["people"]]
        assert values == [["Muster, Anna"], ["Muster, Anna", "Beispiel, Beat"]] * 2
        told = [note.text for note in validate(manifest, source.checker()).notices]
    assert sum("metadata.people: lists are read by “|”" in text for text in told) == 1
