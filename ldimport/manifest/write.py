"""Manifests written: rows as they stood in another one, or entries field by field.

In CSV a cell that a spreadsheet could take for a formula (``=1+1``, ``@SUM(A1)``, ``+49 30``) gets
an apostrophe in front, as OWASP advises; plain numbers such as ``-12.5`` do not. Reading takes
the apostrophe away again. Structured values stand in their cell as JSON.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import orjson
import yaml

from ldimport.errors import UsageError
from ldimport.files import NewFile, Spool
from ldimport.manifest.detect import named_format
from ldimport.manifest.fields import PREFIX
from ldimport.manifest.jsontext import map_texts, without_surrogates
from ldimport.manifest.kinds import Detected, Format
from ldimport.manifest.table import FORMULA
from ldimport.model import Entry, Json

Row = Mapping[str, Json]
_FORMULA = re.compile(f"'*{FORMULA}")
_NUMBER = re.compile(r"-\d+(?:[.,]\d+)?")
_PLAIN_YAML = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def write_entries(
    path: str | Path,
    entries: Iterable[Entry],
    format: Format | str | None = None,
    *,
    like: Detected | None = None,
) -> int:
    """Write entries with all the columns they had; those that have problems get ``_problem`` (the
    first message) and ``_problems`` (all, with their codes). Reading skips both columns.

    ``format`` None goes by the path's ending. ``like``: write a CSV in the dialect of the one
    the entries come from. Returns how many there were. Raises as ``write_rows`` does.
    """
    return write_rows(path, map(row_of, entries), format, like=like)


def row_of(entry: Entry) -> Row:
    """An entry as a row: as it stood in its file, else field by field; problems beside it."""
    row = entry.original or _by_fields(entry)
    if not entry.problems:
        return row
    listed = "; ".join(f"{each.message} [{each.code}]" for each in entry.problems)
    return {**row, "_problem": entry.problems[0].message, "_problems": listed}


def write_rows(
    path: str | Path,
    rows: Iterable[Row],
    format: Format | str | None = None,
    *,
    like: Detected | None = None,
) -> int:
    """Write rows under a temporary name and rename it when all are there, so that nobody sees
    half a file. Returns how many there were. Raises as ``RowWriter`` does."""
    with RowWriter(path, format, like=like) as writer:
        for row in rows:
            writer.add(row)
    return writer.count


class RowWriter:
    """A manifest written row by row: ``add`` each, then ``finish``, then commit its ``file``; as
    a context manager it does the last two at the end, or leaves no file after an error.

    Raises UsageError for an ending that names no format and a folder that is not there,
    TemporaryError when the disk is full."""

    def __init__(
        self,
        path: str | Path,
        format: Format | str | None = None,
        *,
        like: Detected | None = None,
    ) -> None:
        chosen = Format(format) if format else format_of(path)
        self.file = NewFile(path, _text_encoding(like, chosen))
        self._form = _form(chosen, self.file, _delimiter(path, like))
        self.count = 0

    def add(self, row: Row) -> None:
        """Write one row."""
        self._form.add(row)
        self.count += 1

    def finish(self) -> None:
        """Write what stands behind the last row."""
        self._form.finish()

    def discard(self) -> None:
        """Remove what was written. After the file's ``commit`` there is nothing to remove."""
        self._form.free()
        self.file.discard()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
                self.file.commit()
        finally:
            self.discard()


def safe_cell(value: Json) -> str:
    """A value as the cell of a CSV that no spreadsheet will run."""
    if not isinstance(value, str):
        return "" if value is None else json_text(value)
    text = value if value.isascii() else without_surrogates(value)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def _by_fields(entry: Entry) -> Row:
    row: dict[str, Json] = {"id": entry.id, "url": entry.url}
    if entry.file_name is not None:
        row["fileName"] = entry.file_name
    if entry.media_type is not None:
        row["mediaType"] = entry.media_type
    row["metadata"] = dict(entry.metadata)
    return row


def format_of(path: str | Path) -> Format:
    """The format that a path's ending names. Raises UsageError for another ending."""
    found = named_format(str(path))
    if found is None or Path(path).suffix in (".gz", ".zst"):
        raise UsageError(
            f"{path}: the ending says no format",
            hint="end it in .csv, .tsv, .json, .jsonl or .yaml",
            code="format",
        )
    return found


def _delimiter(path: str | Path, like: Detected | None) -> str:
    if Path(path).suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return (like.delimiter if like else None) or ","


def _text_encoding(like: Detected | None, format_: Format) -> str:
    """UTF-8; with the mark by which Excel knows it where the original was made for Excel."""
    marked = like is not None and format_ is Format.CSV and like.encoding != "utf-8"
    return "utf-8-sig" if marked else "utf-8"


class _Form(Protocol):
    """How rows stand in one format."""

    def add(self, row: Row) -> None:
        """Write one row."""

    def finish(self) -> None:
        """Write what stands behind the last one."""

    def free(self) -> None:
        """Give back what was held meanwhile."""


class _Csv:
    """Cells wait in a temporary file, since only the last row tells what the header must be."""

    def __init__(self, file: NewFile, delimiter: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._columns: dict[str, None] = {}
        self._waiting = Spool(file.path)

    def add(self, row: Row) -> None:
        flat = _flat(row)
        self._columns |= dict.fromkeys(flat)
        self._waiting.add(orjson.dumps([safe_cell(flat.get(name)) for name in self._columns]))

    def finish(self) -> None:
        writer = csv.writer(self._file, delimiter=self._delimiter)
        writer.writerow(map(safe_cell, self._columns))
        for line in self._waiting:
            cells = orjson.loads(line)
            writer.writerow(cells + [""] * (len(self._columns) - len(cells)))

    def free(self) -> None:
        self._waiting.close()


class _Array:
    """A JSON array, one row a line."""

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self._before = "[\n"

    def add(self, row: Row) -> None:
        self._file.write(f"{self._before}{json_text(dict(row))}")
        self._before = ",\n"

    def finish(self) -> None:
        self._file.write("[\n]\n" if self._before.startswith("[") else "\n]\n")

    def free(self) -> None:
        """Nothing is held."""


class _Texts:
    """Formats in which a row is a text of its own."""

    def __init__(self, file: NewFile, text: Callable[[Row], str]) -> None:
        self._file = file
        self._text = text

    def add(self, row: Row) -> None:
        self._file.write(self._text(row))

    def finish(self) -> None:
        """Nothing stands behind the last row."""

    def free(self) -> None:
        """Nothing is held."""


def _form(chosen: Format, file: NewFile, delimiter: str) -> _Form:
    match chosen:
        case Format.CSV:
            return _Csv(file, delimiter)
        case Format.JSON:
            return _Array(file)
        case Format.JSONL:
            return _Texts(file, lambda row: f"{json_text(dict(row))}\n")
    return _Texts(file, _yaml)


def _flat(row: Row) -> dict[str, Json]:
    """``metadata`` as one column for each of its handles."""
    metadata = row.get("metadata")
    if not isinstance(metadata, dict):
        return dict(row)
    flat = {name: value for name, value in row.items() if name != "metadata"}
    return flat | {PREFIX + handle: value for handle, value in metadata.items()}


def json_text(value: Json) -> str:
    """Compact JSON on one line."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half surrogates, whole numbers over 64 bits
        return json.dumps(value, separators=(",", ":"))


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Texts that could be read as anything else are quoted; nothing becomes an alias."""

    def ignore_aliases(self, _data: object) -> bool:
        """Always: aliases are refused when read."""
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    plain = _PLAIN_YAML.fullmatch(text) and text.lower() not in _YAML_WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_multi_representer(str, _represent_text)
_Dumper.add_representer(str, _represent_text)


def _yaml(row: Row) -> str:
    clean = map_texts(dict(row), without_surrogates)
    text: str = yaml.dump(
        [clean], Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1_000_000
    )
    return text
