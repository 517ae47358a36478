"""An archive that another editor saved once more is the same archive."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from standin import StandIn

from ldimport.migration import Migration, StateStore, Wishes, open_source
from ldimport.migration.source import Source
from ldimport.model import JobOptions
from ldimport.schema import config

TEXTS = ["one line", "zwei\nZeilen – Zürich", "\nblank line in front", "a\n\nb", "Fluss, See; Berg"]
HEAD = ["id", "url", "fileName", "metadata.caption", "metadata.source"]
ROWS = [[f"{n}", f"https://a.example/{n}.jpg", f"T {n}\nx", text, "Archiv"] for n, text in
        enumerate(TEXTS)]  # fmt: skip


def table(end: str, delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    """The archive as CSV, its lines and those in its cells ended alike."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerows([HEAD, *ROWS])
    return stream.getvalue().replace("\n", end)


def objects(end: str, indent: int | None = 2) -> str:
    """The archive as JSON, ``end`` in its texts and between its lines."""
    entries = [
        dict(zip(HEAD[:3], row, strict=False)) | {"metadata": {"caption": row[3], "source": row[4]}}
        for row in ROWS
    ]
    return json.dumps(entries, indent=indent).replace("\\n", json.dumps(end)[1:-1])


def block_yaml(end: str) -> str:
    """The archive as YAML, texts of several lines as blocks."""

    def scalar(text: str) -> str:
        return "|2-\n" + "".join(f"    {line}\n" for line in text.split("\n")) if text else "''\n"

    lines = []
    for row in ROWS:
        for n, (name, cell) in enumerate(zip(HEAD, row, strict=True)):
            lines.append(f"{'- ' if n == 0 else '  '}{name}: {scalar(cell)}")
    return "".join(lines).replace("\n", end)


Saved = Callable[[str], bytes]
WAYS: dict[str, tuple[str, Saved]] = {
    "as it was": ("csv", lambda end: table(end).encode()),
    "with a mark": ("csv", lambda end: ("\ufeff" + table(end)).encode()),
    "semicolons": ("csv", lambda end: table(end, ";", csv.QUOTE_ALL).encode()),
    "tabs": ("tsv", lambda end: table(end, "\t").encode()),
    "Unicode text of Excel": ("csv", lambda end: table(end, "\t").encode("utf-16")),
    "Windows-1252": ("csv", lambda end: table(end, ";").encode("cp1252")),
    "a blank line and the end mark of DOS": ("csv", lambda end: f"{table(end)}{end}\x1a".encode()),
    "JSON": ("json", lambda end: objects(end).encode()),
    "JSON with a mark": ("json", lambda end: b"\xef\xbb\xbf" + objects(end, None).encode()),
    "YAML": ("yaml", lambda end: block_yaml(end).encode()),
    "YAML with a mark": ("yaml", lambda end: ("\ufeff" + block_yaml(end)).encode()),
}


def source(path: Path) -> Source:
    return open_source([path], config.default(), Wishes("archive"), JobOptions(), local=True)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateStore]:
    """Knows the archive as it was first."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "first.csv").write_bytes(table("\n").encode())
    with StateStore.open(folder / "state.sqlite", write=True) as opened:
        first = source(folder / "first.csv")
        list(Migration(opened, StandIn()).submit(first))
        first.manifest.close()
        yield opened


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("way", WAYS)
def test_an_archive_saved_by_another_editor_is_unchanged(
    tmp_path: Path, state: StateStore, way: str, end: str
) -> None:
    ending, saved = WAYS[way]
    again = tmp_path / f"again.{ending}"
    again.write_bytes(saved(end))
    opened = source(again)
    plan, found = Migration(state, StandIn()).plan(opened)
    opened.manifest.close()
    assert (found.invalid, plan.unchanged, plan.changed, plan.new) == (0, len(ROWS), 0, 0)
