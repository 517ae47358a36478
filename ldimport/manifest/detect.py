"""What a file is: format by content (its name is a hint), encoding, and the dialect of a CSV."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

import orjson

from ldimport.errors import ManifestError
from ldimport.manifest.columns import column_index
from ldimport.manifest.encoding import detect_encoding, prescribed, undecodable
from ldimport.manifest.fields import FieldMap, field_of
from ldimport.manifest.kinds import CsvDialect, Detected, ManifestFormat, ReadOptions
from ldimport.manifest.streams import buffered

SAMPLE = 1 << 18
_PREAMBLE = 1 << 14
_FORMATS = {
    ".csv": ManifestFormat.CSV,
    ".tsv": ManifestFormat.CSV,
    ".tab": ManifestFormat.CSV,
    ".json": ManifestFormat.JSON,
    ".jsonl": ManifestFormat.JSONL,
    ".ndjson": ManifestFormat.JSONL,
    ".yaml": ManifestFormat.YAML,
    ".yml": ManifestFormat.YAML,
}
_PACKED = (".gz", ".zst")
_DELIMITERS = ",;\t|"
_NOT_TEXT = (
    (b"PK\x03\x04", "a ZIP file or an Office document: save it as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "an Office document: save it as CSV (UTF-8)"),
    (b"PAR1", "a Parquet file: export it as CSV or JSON Lines"),
    (b"SQLite format 3", "an SQLite database: export the table as CSV"),
    (b"%PDF", "a PDF"),
    (b"<?xml", "XML: export it as CSV or JSON"),
    (b"<svg", "an SVG image"),
    (b"<!", "a web page: was it saved in place of the file?"),
    (b"<html", "a web page: was it saved in place of the file?"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"BZh", "compressed with bzip2: use gzip or zstd"),
    (b"\xfd7zXZ", "compressed with xz: use gzip or zstd"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
)
_CONTROLS = bytes([*range(9), *range(14, 27), *range(28, 32), 127])
_FEW_CONTROLS = 200
"""So many do not make a file binary: they are problems of their fields."""
_SEP_LINE = re.compile(r"\ufeff?(\"?)sep=(.)\1\r?\n?", re.IGNORECASE)
_YAML_START = re.compile(r"(?m)^(%YAML|---|- |-$|[\w\"']+:(\s|$))")
_OBJECTS = re.compile(r'\s*(\[\s*[\[{\]"]|\{\s*["}])')


def named_format(path: str) -> ManifestFormat | None:
    """The format a file's name promises, behind ``.gz`` and ``.zst``."""
    pure = PurePath(path)
    if pure.suffix.lower() in _PACKED:
        pure = pure.with_suffix("")
    return _FORMATS.get(pure.suffix.lower())


def sniff(path: str, name: str, options: ReadOptions) -> Detected:
    """Look at the beginning of a file. ``path`` is read, ``name`` is what people know. Raises
    ManifestError when it is empty or no text, or not in the encoding prescribed."""
    with buffered(path, name) as stream:
        head = stream.read(SAMPLE)
    _refuse_binary(head, name)
    if options.encoding:
        encoding = prescribed(options.encoding, head)
    else:
        encoding = detect_encoding(head, path, name)
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(head).lstrip("\ufeff")
    except UnicodeError as error:  # UTF-16 and UTF-32 without a byte order mark
        raise undecodable(path, name, encoding) from error
    if not text.strip():
        raise ManifestError(f"{name} is empty", hint="is it the right file?", code="empty")
    _refuse_controls(text, name)
    format_ = _format(text, named_format(name), options)
    if format_ is not ManifestFormat.JSONL or not encoding.startswith("utf-8"):
        _check_encoding(head, path, name, encoding)
    if format_ is not ManifestFormat.CSV:
        return Detected(format_, encoding)
    _refuse_preamble(text, name, options.columns)
    dialect = detect_dialect(text, options.delimiter, options.columns, len(head) == SAMPLE)
    return Detected(format_, encoding, dialect)


def _refuse_binary(head: bytes, name: str) -> None:
    what = next((what for magic, what in _NOT_TEXT if head.startswith(magic)), None)
    if what is not None:
        raise _no_manifest(f"{name} is not a manifest, but {what}")


def _refuse_controls(text: str, name: str) -> None:
    controls = sum(map(text.count, map(chr, _CONTROLS)))
    if controls > max(_FEW_CONTROLS, len(text) * 0.1):
        raise _no_manifest(f"{name} is not a text file")


def _no_manifest(message: str) -> ManifestError:
    hint = "a manifest is CSV, JSON, JSON Lines or YAML"
    return ManifestError(message, hint=hint, code="not-a-manifest")


def _refuse_preamble(text: str, name: str, mapping: FieldMap) -> None:
    """Spreadsheets often have a title above the header; it is found, and named, not skipped."""
    lines = text[:_PREAMBLE].splitlines()
    first = next((n for n, line in enumerate(lines) if line.strip(",;\t| ")), 0)
    if not mapping.columns and not _SEP_LINE.match(text) and not _known(lines[first]):
        for number, line in enumerate(lines[first + 1 : first + 30], first + 2):
            if _known(line) >= {"id", "url"}:
                raise ManifestError(
                    f"{name}:{number}: the header stands here, and other lines above it",
                    hint="delete what stands above the header",
                    code="no-column",
                )


def _known(line: str) -> set[str | None]:
    """Fields that a line would name if it were a header."""
    cells = {field_of(cell.strip(" \"'")) for cell in re.split("[,;\t|]", line)}
    return cells - {None}


def _check_encoding(head: bytes, path: str, name: str, encoding: str) -> None:
    """A wrong byte spoils any file but JSON Lines, where it spoils its line."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError as error:
        raise undecodable(path, name, encoding) from error


def _format(text: str, named: ManifestFormat | None, options: ReadOptions) -> ManifestFormat:
    """By content where it is plain, else by name, else a guess."""
    if options.delimiter:
        return ManifestFormat.CSV
    if named in (ManifestFormat.YAML, ManifestFormat.JSONL):
        return named
    if _OBJECTS.match(text) or named is ManifestFormat.JSON:
        return ManifestFormat.JSONL if _is_lines(text) else ManifestFormat.JSON
    if named is None and _YAML_START.match(text.lstrip()):
        return ManifestFormat.YAML
    return ManifestFormat.CSV


def _is_lines(text: str) -> bool:
    """Whether a whole object stands in the first line and something follows it, or it is alone
    and no request body."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{"):
        return False
    try:
        found = orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return bool(rest.strip()) or "images" not in found


# -- the dialect of a CSV -------------------------------------------------------------------


def detect_dialect(text: str, delimiter: str | None, mapping: FieldMap, cut: bool) -> CsvDialect:
    """The dialect in which the sample makes most sense; ``cut``: the sample ends anywhere."""
    skip = 0
    sep = _SEP_LINE.match(text)
    if sep:
        skip, text, delimiter = 1, text[sep.end() :], delimiter or sep[2]
    best = max(_candidates(text, delimiter), key=lambda each: _score(text, each, mapping, cut))
    return replace(best, skip=skip, extra=_extra(_sample_rows(text, best, cut)[0]))


def _candidates(text: str, delimiter: str | None) -> Iterator[CsvDialect]:
    """Plain ones first, since the first of equals wins."""
    lines = [line.strip() for line in text.splitlines()[:50] if line.strip()]
    first, *rest = lines or [""]
    single = all(len(line) > 1 and line[0] == line[-1] == "'" for line in rest)
    for each in delimiter or _DELIMITERS:
        spaced = f'{each} "' in text
        if rest and single:  # but perhaps not the header
            yield CsvDialect(each, quote="'")
        yield CsvDialect(each)
        if spaced:
            yield CsvDialect(each, spaced=True)
        if '\\"' in text:
            yield CsvDialect(each, escape="\\", spaced=spaced)
        if first.startswith("'") and first.endswith("'"):
            yield CsvDialect(each, quote="'")


def _score(text: str, dialect: CsvDialect, mapping: FieldMap, cut: bool) -> tuple[float, ...]:
    """Known columns, then how many rows have as many cells as the header, then how many."""
    rows, broken = _sample_rows(text, dialect, cut)
    if not rows:
        return (-1.0,)
    header = rows[0]
    known = {name for cell in header if (name := field_of(cell)) in ("id", "url", "fileName")}
    mapped = [c for c in mapping.columns.values() if column_index(header, c) is not None]
    widths = Counter(len(row) for row in rows)
    right = widths[len(header)] / (len(rows) + broken)
    return (len(known) + len(mapped), right if len(header) > 1 else 0.0, len(header))


def _extra(rows: list[list[str]]) -> int:
    """How many empty cells end every row but the header: some programs write a delimiter behind
    the last cell. One row that has none, or has a text there, and they are odd rows as any."""
    if len(rows) < 3:  # one row alone may just as well hold an unquoted delimiter
        return 0
    header, *others = rows
    more = len(others[0]) - len(header)
    width = len(header) + more
    every = more > 0 and all(len(row) == width and not any(row[-more:]) for row in others)
    return more if every else 0


def _sample_rows(text: str, dialect: CsvDialect, cut: bool) -> tuple[list[list[str]], int]:
    """The first rows, and how many could not be parsed; the last row of a cut sample is left
    out."""
    reader = dialect.reader(io.StringIO(text, newline=""))
    rows: list[list[str]] = []
    broken = 0
    while len(rows) + broken < 200:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            broken += 1
            continue
        if row:
            rows.append(row)
    if cut and len(rows) + broken < 200:
        rows = rows[:-1] or rows
    return rows, broken
