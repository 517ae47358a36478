"""Manifests written: rows as they stood in another one, or entries field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import yaml

from ldimport.cells import cell_text, csv_form, csv_line, json_text, without_surrogates
from ldimport.errors import UsageError
from ldimport.files import NewFile, Spool, TextList
from ldimport.harmless import escaped
from ldimport.manifest.detect import named_format
from ldimport.manifest.fields import PREFIX
from ldimport.manifest.form import RowForm
from ldimport.manifest.kinds import ManifestFormat
from ldimport.manifest.texts import map_texts
from ldimport.model import Entry, Json

Row = Mapping[str, Json]
_PLAIN_YAML = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def row_of(entry: Entry) -> Row:
    """An entry as a row: as it stood in its file, else field by field; those that have problems
    get ``_problem`` (the first message) and ``_problems`` (all, with their codes), which reading
    skips."""
    fields = {"id": entry.id, "url": entry.url, "fileName": entry.file_name,
              "mediaType": entry.media_type, "metadata": dict(entry.metadata)}  # fmt: skip
    row = entry.original or {name: it for name, it in fields.items() if it is not None}
    if not entry.problems:
        return row
    listed = "; ".join(f"{each.message} [{each.code}]" for each in entry.problems)
    return {**row, "_problem": entry.problems[0].message, "_problems": listed}


def write_rows(
    path: str | Path,
    rows: Iterable[Row],
    format: ManifestFormat | str | None = None,
    *,
    excel: bool = False,
) -> int:
    """Write all rows, or no file. Returns how many there were. Raises as ``RowWriter`` does."""
    with RowWriter(path, format, excel=excel) as writer:
        for row in rows:
            writer.add(row)
    return writer.count


class RowWriter:
    """A manifest written row by row: ``add`` each, then ``finish``, then commit its ``file``; as
    a context manager it does the last two at the end, or leaves no file after an error.

    ``format`` None goes by the path's ending; a CSV is written as ``cells.csv_form`` says, or
    ``like`` another manifest, where that has the same format; with ``system_name`` if that named
    one. Where a CSV like that would lose characters that its encoding lacks, it is UTF-8 with its
    mark: ``lacking`` then names the encoding. Raises UsageError for an ending that names no format,
    and as ``NewFile``."""

    def __init__(
        self,
        path: str | Path,
        format: ManifestFormat | str | None = None,
        *,
        excel: bool = False,
        like: RowForm | None = None,
        system_name: str | None = None,
    ) -> None:
        chosen = ManifestFormat(format) if format else format_of(path)
        form = RowForm(chosen)
        if like is not None and like.format is chosen and not excel:
            tabs = csv_form(path).delimiter == "\t"
            form = replace(like, delimiter="\t") if tabs else like
        elif chosen is ManifestFormat.CSV:
            own = csv_form(path, excel=excel)
            form = RowForm(chosen, own.encoding, delimiter=own.delimiter)
        self.file = NewFile(path, form.encoding)
        self._rendered: Callable[[dict[str, Json]], Any]
        self._rendered, before, between, self._after = _ROWS[chosen]
        if form.root:
            before, self._after = _framed(form, system_name)
        self._rows: _CsvRows | TextList = TextList(self.file, before, between)
        if chosen is ManifestFormat.CSV:
            self._rows = _CsvRows(self.file, form)
        elif not form.encoding.startswith("utf"):
            plain, escapes = self._rendered, chosen is ManifestFormat.YAML
            self._rendered = lambda row: _encodable(plain(row), form.encoding, long=escapes)
        self.count = 0

    @property
    def lacking(self) -> str | None:
        """The encoding of the original, where it lacks a character that was to be written."""
        return self._rows.lacking if isinstance(self._rows, _CsvRows) else None

    def add(self, row: Row) -> None:
        """Write one row."""
        self._rows.add(self._rendered(dict(row)))
        self.count += 1

    def finish(self) -> None:
        """Write what stands behind the last row."""
        self._rows.end(self._after if self.count else self._after.lstrip())

    def discard(self) -> None:
        """Remove what was written. After the file's ``commit`` there is nothing to remove."""
        if isinstance(self._rows, _CsvRows):
            self._rows.close()
        self.file.discard()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
                self.file.commit()
        finally:
            self.discard()


def format_of(path: str | Path) -> ManifestFormat:
    """The format that a path's ending names. Raises UsageError for another ending."""
    found = named_format(str(path))
    if found is None or Path(path).suffix in (".gz", ".zst"):
        hint = "end it in .csv, .tsv, .json, .jsonl or .yaml"
        raise UsageError(f"{path}: the ending says no format", hint=hint, code="format")
    return found


class _CsvRows:
    """Cells wait in a temporary file, since only the last row tells what the header must be, and
    whether the encoding has all characters. Columns that begin with ``_`` are ours: what it lacks
    of these stands there as an escape."""

    def __init__(self, file: NewFile, form: RowForm) -> None:
        self._file = file
        self._form = form
        self._columns: dict[str, None] = {}
        self._waiting = Spool(file.path)
        self.lacking: str | None = None

    def add(self, flat: Row) -> None:
        self._columns |= dict.fromkeys(flat)
        cells = [self._cell(name, cell_text(flat.get(name))) for name in self._columns]
        self._waiting.add(orjson.dumps(cells))

    def _cell(self, name: str, text: str) -> str:
        encoding = self._form.encoding
        if text.isascii() or encoding.startswith("utf") or can_encode(text, encoding):
            return text
        if name.startswith("_"):
            return text.encode(encoding, "backslashreplace").decode(encoding)
        self.lacking = encoding
        return text

    def end(self, _after: str) -> None:
        form = self._form
        if self.lacking:
            self._file.encode_as("utf-8")
            self._file.write("\ufeff")
        written = (form.delimiter, form.newline, form.quote)
        if form.sep:
            self._file.write(f"sep={form.delimiter}{form.newline}")
        self._file.write(csv_line(self._columns, *written))
        for line in self._waiting:
            cells = orjson.loads(line)
            cells += [""] * (len(self._columns) - len(cells))
            self._file.write(csv_line(cells, *written))

    def close(self) -> None:
        self._waiting.close()


def can_encode(text: str, encoding: str) -> bool:
    """Whether an encoding has all characters of a text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _encodable(text: str, encoding: str, *, long: bool) -> str:
    """JSON, or for ``long`` escapes YAML, with an escape for each character that the encoding
    lacks: such stand in quoted texts only."""

    def escape(sign: str) -> str:
        return f"\\U{ord(sign):08x}" if long else json.dumps(sign)[1:-1]

    if can_encode(text, encoding):
        return text
    return "".join(sign if can_encode(sign, encoding) else escape(sign) for sign in text)


def _framed(form: RowForm, system_name: str | None) -> tuple[str, str]:
    """What stands before the first and behind the last row of a list below keys."""
    if form.format is ManifestFormat.YAML:
        name = "" if system_name is None else f"systemName: {json_text(system_name)}\n"
        return f"{name}{form.root}:\n", ""
    keys = form.root.split(".")
    name = ""
    if system_name is not None and form.root == "images":
        name = f'"systemName":{json_text(system_name)},'
    before = "{".join(f"{json_text(key)}:" for key in keys)
    return f"{{{name}{before}[\n", "\n]" + "}" * len(keys) + "\n"


def _flat(row: dict[str, Json]) -> dict[str, Json]:
    """``metadata`` as one column for each of its handles."""
    if not isinstance(metadata := row.get("metadata"), dict):
        return row
    del row["metadata"]
    return row | {PREFIX + handle: value for handle, value in metadata.items()}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Texts that could be read as anything else are quoted."""


def _represent_text(dumper: Any, text: str) -> Any:
    plain = _PLAIN_YAML.fullmatch(text) and text.lower() not in _YAML_WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def _yaml(row: Json) -> str:
    clean = [map_texts(row, without_surrogates)]  # copies: nothing becomes an alias
    text = yaml.dump(clean, None, _Dumper, allow_unicode=True, sort_keys=False, width=2**31 - 1)
    return escaped(text)


_ROWS: Mapping[ManifestFormat, tuple[Callable[[dict[str, Json]], Any], str, str, str]] = {
    ManifestFormat.CSV: (_flat, "", "", ""),
    ManifestFormat.JSON: (json_text, "[\n", ",\n", "\n]\n"),
    ManifestFormat.JSONL: (json_text, "", "\n", "\n"),
    ManifestFormat.YAML: (_yaml, "", "", ""),
}
"""How a row is rendered, and what stands before the first, between two and behind the last."""
