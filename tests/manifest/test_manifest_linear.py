"""Reading costs in step with the bytes, whatever stands in them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from doubling import assert_linear
from manifests import write

from ldimport.errors import ManifestError
from ldimport.manifest import ReadOptions, open_manifest
from ldimport.manifest.fields import FieldMap

HEAD = b"id,url,fileName"

Shape = Callable[[int], bytes]


def columns(n: int, prefix: bytes = b"metadata.a") -> bytes:
    return b"".join(b",%s%d" % (prefix, each) for each in range(n))


SHAPES: dict[str, tuple[str, int, Shape]] = {
    "columns without an id": ("csv", 1_000, lambda n: columns(n)[1:] + b"\n1\n"),
    "short rows below many columns": (
        "csv", 500, lambda n: HEAD + columns(n) + b"\n" + b"x\n" * n),
    "one row of many columns": (
        "csv", 1_000, lambda n: HEAD + columns(n, b"a") + b"\n" + b"x,y,z" + b",b" * n + b"\n"),
    "a row with many cells too many": ("csv", 1_000, lambda n: HEAD + b"\nx" + b",b" * n + b"\n"),
    "columns of one name": ("csv", 1_000, lambda n: HEAD + b",a" * n + b"\n" + b"x\n" * n),
    "columns named like second ones": (
        "csv", 500, lambda n: HEAD + b"".join(b",a (%d)" % i for i in range(n)) + b",a" * n
        + b"\n1,u\n"),
    "doubled quotes": ("csv", 8_000, lambda n: HEAD + b'\n1,"' + b'""' * n + b'",x\n'),
    "apostrophes and blanks": ("csv", 8_000, lambda n: HEAD + b"\n1," + b"' " * n + b",x\n"),
    "a text for Excel": ("csv", 4_000, lambda n: HEAD + b'\n1,"=""' + b'""""' * n + b'x",x\n'),
    "quotes that are never closed": ("csv", 4_000, lambda n: HEAD + b'\n1,"a\n' * n),
    "blank lines": ("csv", 20_000, lambda n: HEAD + b"\n1,u,t" + b"\n" * n),
    "nested lists": ("json", 8_000, lambda n: b'[{"id":1,"x":' + b"[" * n + b"]" * n + b"}]"),
    "lists that stay open": ("json", 8_000, lambda n: b'[{"id":1},{"a":' + b'[{"b":[' * n),
    "a text that stays open": ("json", 50_000, lambda n: b'[{"id":1},{"a":"' + b'\\"x' * n),
    "objects deeper than one look": (
        "json", 500, lambda n: b'[{"id":1}' + b",[[[[[[[[1]]]]]]]]" * n + b"]"),
    "brackets of two kinds": ("json", 1_000, lambda n: b'[{"id":1}' + b",[}" * n + b"]"),
    "blanks between values": ("json", 50_000, lambda n: b'[{"id":1}' + b" " * n + b"]"),
    "keys beside images": (
        "json", 1_000, lambda n: b"{" + b"".join(b'"k%d":1,' % i for i in range(n))
        + b'"images":[{"id":"1"}]}'),
    "digits": ("jsonl", 8_000, lambda n: b'{"id":' + b"9" * n + b"}\n"),
    "a long fraction": ("jsonl", 50_000, lambda n: b'{"id":1,"x":0.' + b"9" * n + b"}\n"),
    "keys that stand twice": (
        "jsonl", 1_000, lambda n: b"{" + b",".join(b'"k%d":1' % (i // 2) for i in range(n))
        + b"}\n"),
    "quotes, blanks, no colon": ("jsonl", 8_000, lambda n: b'{"id":"' + b'\\" ' * n + b'"}\n'),
    "half surrogates": ("jsonl", 4_000, lambda n: b'{"id":"' + b"\\ud800" * n + b'"}\n'),
    "flow lists that stay open": ("yaml", 8_000, lambda n: b"- id: 1\n  url: " + b"[" * n),
    "mappings in mappings": ("yaml", 8_000, lambda n: b"{a: " * n),
    "keys of one mapping": (
        "yaml", 500, lambda n: b"- " + b"\n  ".join(b"k%d: 1" % i for i in range(n))),
    "anchors": (
        "yaml", 500, lambda n: b"- id: 1\n  url: [" + b"".join(b"&a%d x," % i for i in range(n))
        + b"]"),
    "folded lines": ("yaml", 2_000, lambda n: b'- "' + b"a\n\n " * n + b'"'),
    "documents": ("yaml", 300, lambda n: b"--- {id: 1}\n" * n),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_manifest_costs_in_step_with_its_bytes(tmp_path: Path, name: str) -> None:
    ending, size, shape = SHAPES[name]
    paths = {n: write(tmp_path, f"{n}.{ending}", shape(n)) for n in (size, 8 * size)}

    def work(n: int) -> None:
        with suppress(ManifestError), open_manifest([paths[n]]) as manifest:
            for entry in manifest.entries():
                dict(entry.original)
                manifest.locate(entry, "metadata.a1")

    assert_linear(work, size)


def test_templates_cost_in_step_with_a_rows_cells(tmp_path: Path) -> None:
    def work(n: int) -> None:
        path = write(tmp_path, f"{n}.csv", HEAD + columns(n, b"a") + b"\n" + b"x,y\n" * n)
        mapping = FieldMap().with_map(["fileName={a0} {A1}"])
        with open_manifest([path], ReadOptions(columns=mapping)) as manifest:
            assert sum(1 for _ in manifest.entries()) == n

    assert_linear(work, 500)


def test_an_entry_of_many_lines_is_located_in_step_with_them(tmp_path: Path) -> None:
    def work(n: int) -> None:
        text = (b"x" * 1_000 + b"\n") * n  # not JSON, but it has an end
        path = write(tmp_path, f"{n}.json", b'[{"a":\n"' + text + b'",\n"url": "u"}]')
        with open_manifest([path]) as manifest:
            (entry,) = manifest.entries()
            assert manifest.locate(entry, "url").line == n + 3

    assert_linear(work, 300)


def test_names_stay_different_whatever_a_header_has(tmp_path: Path) -> None:
    path = write(tmp_path, "m.csv", b"id,url,a,a (2),a,a,,_7\n1,u,b,c,d,e,f,g\n")
    with open_manifest([path]) as manifest:
        (entry,) = manifest.entries()
    assert list(entry.original.values()) == ["1", "u", "b", "c", "d", "e", "f", "g"]
