"""Bytes that are not in the file's encoding, wherever they stand: a problem with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from manifests import HEADER, read, write

from ldimport.errors import ExitCode, ManifestError

ROWS = 1_500
TITLE = "Zürich, „Bahnhof“"


def content(kind: str, rows: int = ROWS) -> str:
    """A manifest of rows that stand on lines of their own, more than is looked at to detect it."""
    entries = [{"id": str(n), "url": f"u{n}.jpg", "fileName": TITLE * 4} for n in range(1, rows)]
    lines = [json.dumps(each, ensure_ascii=False) for each in entries]
    match kind:
        case "csv":
            return HEADER + "".join(f'{e["id"]},{e["url"]},"{e["fileName"]}",,\n' for e in entries)
        case "json":
            return "[\n" + ",\n".join(lines) + "\n]\n"
        case "yaml":
            return "".join(f"- {line}\n" for line in lines)
    return "".join(f"{line}\n" for line in lines)


WIDE = [
    ("utf-16", "utf-16-le", b"\x00\xdc", "byte 0x00 is not UTF-16"),
    ("utf-16-be", "utf-16-be", b"\xdc\x00", "byte 0xDC is not UTF-16"),
    ("utf-16-le", "utf-16-le", b"\x00\xdc", "byte 0x00 is not UTF-16"),
    ("utf-32", "utf-32-le", b"\xff\xff\xff\xff", "byte 0xFF is not UTF-32"),
]


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "yaml"])
@pytest.mark.parametrize(("encoding", "plain", "wrong", "told"), WIDE)
def test_a_wrong_unit_far_behind_is_named_with_its_place(
    tmp_path: Path, kind: str, encoding: str, plain: str, wrong: bytes, told: str
) -> None:
    whole = content(kind).encode(encoding)
    at = whole.index("1400".encode(plain), len(whole) // 2)
    damaged = whole[:at] + wrong + whole[at:]
    name = f"m.{kind}" if kind != "jsonl" else "m.jsonl.gz"
    path = write(tmp_path, name, gzip.compress(damaged, 1) if kind == "jsonl" else damaged)
    before = content(kind).partition("1400")[0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    with pytest.raises(ManifestError) as caught:
        read(path)
    assert f"{name}:{line}:{column}: {told}" in str(caught.value)
    assert (caught.value.code, caught.value.exit_code) == ("encoding", ExitCode.INVALID)


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "yaml"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "shift_jis", "gb18030"])
def test_a_file_that_ends_within_a_character(tmp_path: Path, kind: str, encoding: str) -> None:
    text = content(kind, 4).replace("ü", "東").replace("„", "京").replace("“", "都")
    half = "東".encode(encoding)[:1] if encoding.startswith("utf") else "東".encode(encoding)[:-1]
    path = write(tmp_path, f"m.{kind}", text.encode(encoding) + half)
    with pytest.raises(ManifestError, match=f"m.{kind}:{text.count(chr(10)) + 1}:1: byte 0x"):
        read(path, encoding=encoding)
