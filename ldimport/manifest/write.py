"""Manifests written: rows as they stood in another one, or entries field by field.

In CSV a cell that a spreadsheet could take for a formula (``=1+1``, ``@SUM(A1)``, ``+49 30``) gets
an apostrophe in front, as OWASP advises; plain numbers such as ``-12.5`` do not. Reading takes
the apostrophe away again. Structured values stand in their cell as JSON.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

import orjson
import yaml

from ldimport.errors import TemporaryError, UsageError
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
    half a file. Returns how many there were. Raises UsageError for an ending that names no
    format and a folder that is not there, TemporaryError when the disk is full."""
    chosen = Format(format) if format else _by_ending(path)
    with _replacing(Path(path), _text_encoding(like, chosen)) as file:
        match chosen:
            case Format.CSV:
                return _write_csv(file, rows, _delimiter(path, like))
            case Format.JSON:
                return _write_json(file, rows)
            case Format.JSONL:
                return _write_each(file, rows, lambda row: f"{_json(dict(row))}\n")
        return _write_each(file, rows, _yaml)


def safe_cell(value: Json) -> str:
    """A value as the cell of a CSV that no spreadsheet will run."""
    if not isinstance(value, str):
        return "" if value is None else _json(value)
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


def _by_ending(path: str | Path) -> Format:
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


@contextmanager
def _replacing(path: Path, encoding: str) -> Iterator[TextIO]:
    """A text file that takes the place of ``path`` at the end, or vanishes after an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding=encoding, newline="") as file:
            yield file
        temporary.replace(path)
    except FileNotFoundError as error:
        raise UsageError(f"{path.parent}: no such folder", code="no-such-file") from error
    except PermissionError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", code="unwritable"
        ) from error
    except OSError as error:
        raise TemporaryError(f"{path} cannot be written: {error.strerror}", code="write") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_csv(file: TextIO, rows: Iterable[Row], delimiter: str) -> int:
    """Cells wait in a temporary file, since only the last row tells what the header must be."""
    columns: dict[str, None] = {}
    count = 0
    with TemporaryFile() as waiting:
        for row in rows:
            count += 1
            flat = _flat(row)
            columns |= dict.fromkeys(flat)
            waiting.write(orjson.dumps([safe_cell(flat.get(name)) for name in columns]) + b"\n")
        waiting.seek(0)
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(map(safe_cell, columns))
        for line in waiting:
            cells = orjson.loads(line)
            writer.writerow(cells + [""] * (len(columns) - len(cells)))
    return count


def _write_json(file: TextIO, rows: Iterable[Row]) -> int:
    file.write("[")
    count = 0
    for count, row in enumerate(rows, 1):
        file.write(f"{',' if count > 1 else ''}\n{_json(dict(row))}")
    file.write("\n]\n")
    return count


def _write_each(file: TextIO, rows: Iterable[Row], text: Callable[[Row], str]) -> int:
    count = 0
    for row in rows:
        count += 1
        file.write(text(row))
    return count


def _flat(row: Row) -> dict[str, Json]:
    """``metadata`` as one column for each of its handles."""
    metadata = row.get("metadata")
    if not isinstance(metadata, dict):
        return dict(row)
    flat = {name: value for name, value in row.items() if name != "metadata"}
    return flat | {PREFIX + handle: value for handle, value in metadata.items()}


def _json(value: Json) -> str:
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
