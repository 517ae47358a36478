"""Failed rows come back in the form of their manifest, and update the same images corrected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archives import source, submit, summary
from standin import StandIn, arrived, refused

from ldimport.manifest import read_manifest
from ldimport.manifest.form import RowForm
from ldimport.migration import StateStore
from ldimport.migration.model import Filter
from ldimport.migration.reports.files import write_as_manifest
from ldimport.model import Status

ROWS = [("id1", "https://a.b/1", "Zürich, „See“", "mine"), ("id2", "https://a.b/2", "B;\"x\"", ""),
        ("id3", "https://a.b/3", "C\tc", "=1+1")]  # fmt: skip
KEYS = ("id", "url", "fileName", "Notiz")


def table(delimiter: str, end: str = "\r\n", quote: str = '"', first: str = "") -> str:
    def line(cells: tuple[str, ...]) -> str:
        return delimiter.join(f"{quote}{c.replace(quote, quote * 2)}{quote}" for c in cells) + end

    return first + line(KEYS) + "".join(map(line, ROWS))


OBJECTS = [dict(zip(KEYS, row, strict=True)) for row in ROWS]
JSON = json.dumps(OBJECTS, ensure_ascii=False, indent=1)
LINES = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in OBJECTS)
FORMS = {
    "cp1252.csv": (table(";"), "cp1252"),
    "unix.csv": (table(",", "\n"), "utf-8"),
    "marked.csv": (table("|"), "utf-8-sig"),
    "told.csv": (table(";", first="sep=;\r\n"), "utf-8-sig"),
    "apostrophes.csv": (table(";", quote="'"), "utf-8"),
    "wide.tsv": (table("\t"), "utf-16"),
    "list.json": (JSON, "utf-8"),
    "marked.json": (JSON, "utf-8-sig"),
    "body.json": (f'{{"systemName": "archive", "images": {JSON}}}', "utf-8"),
    "below.json": (f'{{"meta": {{"v": 1}}, "assets": {{"items": {JSON}}}}}', "utf-8"),
    "lines.jsonl": (LINES, "utf-8"),
    "western.jsonl": (LINES, "cp1252"),
    "list.yaml": ("".join(f"- {json.dumps(each)}\n" for each in OBJECTS), "utf-8"),
    "body.yaml": (
        "systemName: archive\nimages:\n" + "".join(f"- {json.dumps(e)}\n" for e in OBJECTS),
        "utf-8",
    ),
}


def failing(id_: str, reason: str = "not an image: “text” → …") -> object:
    return arrived(id_) if id_ == "id2" else refused(id_, reason)


def written(state: StateStore, path: Path, name: str = "failed") -> Path:
    which = Filter(status=Status.FAILED)
    (form,) = [RowForm.parsed(each or "") for each in state.dialects(which)]
    failed = path.with_name(name + path.suffix)
    write_as_manifest(failed, state.failed_rows(which), like=form)
    return failed


@pytest.mark.parametrize("name", FORMS)
def test_corrected_rows_update_the_same_images(
    state: StateStore, tmp_path: Path, name: str
) -> None:
    text, encoding = FORMS[name]
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    target = StandIn(answer=failing)  # type: ignore[arg-type]
    own = None if name.startswith("body") else "archive"
    first = summary(submit(state, target, path, name=own))
    assert (first.totals.success, first.totals.failed) == (1, 2)
    failed = written(state, path)

    before, after = source(path, "archive").manifest, source(failed, "archive").manifest
    assert after.form == before.form
    assert after.header.system_name == before.header.system_name
    after.close()
    before.close()
    again = list(read_manifest(failed))
    assert [each.id for each in again] == ["id1", "id3"]
    assert [each.original["Notiz"] for each in again] == ["mine", "=1+1"]
    assert [each.file_name for each in again] == [ROWS[0][2], ROWS[2][2]]
    marks = ["_reason", "_cause", "_retryable", "_attempts", "_jobId"]
    assert list(again[0].original) == [*KEYS, *marks]

    plan = summary(submit(state, target, failed, name=own)).plan
    assert plan is not None and (plan.failed, plan.to_send) == (2, 0), "as they were sent"
    raw = failed.read_bytes().decode(encoding)
    failed.write_bytes(raw.replace("https://a.b/1", "https://a.b/one").encode(encoding))
    target.answer = arrived
    end = summary(submit(state, target, failed, name=own))
    assert (end.totals.success, end.totals.failed) == (1, 1)
    assert [each.system_name for each in target.requests] == ["archive", "archive"]
    assert state.overview().totals.rows == 3


def test_a_character_that_the_encoding_lacks_is_not_lost(state: StateStore, tmp_path: Path) -> None:
    """What is ours is escaped; where a row has one (as an escape of another file), it is UTF-8."""
    path = tmp_path / "a.csv"
    path.write_bytes(table(";").encode("cp1252"))
    target = StandIn(answer=lambda i: failing(i, "šť → 日本"))  # type: ignore[arg-type,return-value]
    submit(state, target, path)
    failed = written(state, path)
    assert "\\u2192 \\u65e5\\u672c" in failed.read_text("cp1252")
    rows = [({"id": "x", "Notiz": "日本"}, row) for _, row in state.failed_rows()]
    form = RowForm.parsed(state.dialects(Filter(status=Status.FAILED))[0] or "")
    done = write_as_manifest(tmp_path / "b.csv", rows, like=form)
    assert done.lacking == "cp1252"
    assert (tmp_path / "b.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert "日本" in (tmp_path / "b.csv").read_text("utf-8-sig")
    for name in ("c.jsonl", "d.yaml"):
        like = RowForm.parsed(json.dumps({"format": name.split(".")[1], "encoding": "cp1252"}))
        write_as_manifest(tmp_path / name, [({"id": "😀日"}, rows[0][1])], like=like)
        assert "😀日" in str(next(iter(read_manifest(tmp_path / name))).original)


def test_another_format_is_written_as_ever(state: StateStore, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(table(";").encode("cp1252"))
    submit(state, StandIn(answer=failing), path)  # type: ignore[arg-type]
    form = RowForm.parsed(state.dialects(Filter(status=Status.FAILED))[0] or "")
    for name, head in (("f.json", b"[\n{"), ("f.tsv", b"id\turl\t")):
        write_as_manifest(tmp_path / name, state.failed_rows(), like=form)
        assert (tmp_path / name).read_bytes().startswith(head)
    write_as_manifest(tmp_path / "f.csv", state.failed_rows(), like=form, excel=True)
    assert (tmp_path / "f.csv").read_bytes().startswith(b"\xef\xbb\xbfid;url;")


@pytest.mark.parametrize("text", ["", "no JSON", '{"format":"parquet"}', '{"format":"csv","x":1}'])
def test_a_form_that_nobody_knows_is_none(text: str) -> None:
    assert RowForm.parsed(text) is None
