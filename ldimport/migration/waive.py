"""Accept failures: a waived one no longer counts as open, until its row is edited."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import orjson

from ldimport.cells import bare_cell
from ldimport.errors import UsageError
from ldimport.manifest import open_manifest
from ldimport.manifest.detect import sniff
from ldimport.manifest.fields import field_of
from ldimport.manifest.kinds import Detected, ManifestFormat, ReadOptions
from ldimport.manifest.manifest import STDIN
from ldimport.manifest.streams import buffered
from ldimport.migration.model import Failed, WaiverChange
from ldimport.migration.store import StateStore

CHUNK = 500
"""Ids looked up at a time."""


def waive(
    store: StateStore,
    archive: int,
    which: Failed,
    ids: Iterable[str] | None,
    because: str | None,
    now: float,
) -> WaiverChange:
    """Accept failed images of an archive ``because`` of something, or, where that is None, take
    such waivers back: those that ``which`` means, of ``ids`` alone where these are given. All or
    nothing, in constant memory. Raises UsageError for an id that the archive does not have."""
    chunks = [None] if ids is None else _chunks(ids)
    return store.waive(archive, which, chunks, because, now)


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(dict.fromkeys(islice(rest, CHUNK))):
        yield chunk


def ids_in(path: Path) -> Iterator[str]:
    """The ids that a file names: one a line, or in the column or key ``id`` or ``externalId`` of a
    table or of JSON, as ``results`` writes them. Raises UsageError, ManifestError."""
    if str(path) == STDIN:
        yield from filter(None, map(str.strip, sys.stdin))
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file of ids", code="no-such-file")
    if not path.is_file():
        raise UsageError(f"{path}: no such file", code="no-such-file")
    ids = _read(path)
    first = next(ids, None)
    if first is None:
        hint = "one id a line, or a column or key id or externalId"
        raise UsageError(f"{path} names no image", hint=hint, code="no-ids")
    yield from chain((first,), ids)


def _read(path: Path) -> Iterator[str]:
    found = sniff(str(path), str(path), ReadOptions())
    if found.format in (ManifestFormat.JSON, ManifestFormat.YAML):
        with open_manifest([path]) as manifest:
            ids = (each.id for each in manifest.entries() if each.id)
            first = next(ids, None)
            yield from ids if first is None else chain((first,), ids)
        if first is None:
            yield from _of_list(path, found)
        return
    text = io.TextIOWrapper(buffered(str(path), str(path)), found.encoding, newline="")
    with text as lines:
        if found.format is ManifestFormat.JSONL:
            yield from _of_objects(lines)
        else:
            yield from _of_table(lines, found)


def _of_list(path: Path, found: Detected) -> Iterator[str]:
    """Ids that stand alone in a list of JSON."""
    if found.format is ManifestFormat.JSON:
        body = orjson.loads(path.read_bytes().decode(found.encoding))
        yield from (each for each in (body if isinstance(body, list) else ())
                    if isinstance(each, str))  # fmt: skip


def _of_objects(lines: Iterable[str]) -> Iterator[str]:
    for line in filter(str.strip, lines):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise UsageError(f"“{line.strip()[:60]}” is no JSON", code="bad-json") from None
        if isinstance(row, dict) and (id_ := row.get("externalId", row.get("id"))) is not None:
            yield str(id_)


def _of_table(lines: io.TextIOWrapper, found: Detected) -> Iterator[str]:
    """The column of ids, where the first line names one; else whole lines."""
    assert found.dialect is not None
    first = next(islice(lines, found.dialect.skip, None), "")
    names = next(found.dialect.reader([first]), [])
    wanted = [n for n, name in enumerate(names)
              if name.strip().lower() == "externalid" or field_of(name) == "id"]  # fmt: skip
    if not wanted:
        yield from filter(None, map(str.strip, chain([first], lines)))
        return
    for row in found.dialect.reader(lines):
        if len(row) > wanted[0] and (cell := bare_cell(row[wanted[0]])):
            yield cell
