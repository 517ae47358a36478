"""A manifest of one file or many, read as often as needed; which files, folders, patterns or
standard input it is made of."""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from ldimport.closing import Closing
from ldimport.errors import ManifestError, TemporaryError, UsageError
from ldimport.manifest.bytype import filled, of_type
from ldimport.manifest.csv import Table
from ldimport.manifest.detect import named_format, sniff
from ldimport.manifest.form import RowForm
from ldimport.manifest.json import JsonDocument
from ldimport.manifest.jsonlines import JsonLines
from ldimport.manifest.kinds import (
    Findings,
    Header,
    ManifestFile,
    ManifestFormat,
    ReadingNote,
    ReadOptions,
)
from ldimport.manifest.objects import merged
from ldimport.manifest.streams import DOS_END, Part, Position, RowsOfFile, SourceFile
from ldimport.manifest.yaml import YamlFile
from ldimport.model import Entry, Place
from ldimport.system import ProcessLock, clear_up, new_lock

STDIN = "-"
_SPOOLED = "ldimport-stdin-"
_spooled: dict[str, ProcessLock] = {}
"""Copies of standard input that are in use, by their paths."""
_NOT_MANIFESTS = (".", "_", "ldimport.", "project-config.", "manifest-template.")
_FORMATS_HINT = "a manifest ends in .csv, .tsv, .json, .jsonl, .yaml (or that and .gz, .zst)"
_PARTS: dict[ManifestFormat, type[Table | JsonDocument | JsonLines | YamlFile]] = {
    ManifestFormat.CSV: Table,
    ManifestFormat.JSON: JsonDocument,
    ManifestFormat.JSONL: JsonLines,
    ManifestFormat.YAML: YamlFile,
}


class Manifest(Closing):
    """Rows to import, from one file or several in their order. Reading is repeatable and streams.
    A context manager; ``close`` frees what it holds. Made by ``open_manifest``. ``common``: fields
    that are filled for every row, by mapping or since a column is called so."""

    def __init__(self, sources: Sequence[SourceFile], options: ReadOptions) -> None:
        self._sources = tuple(sources)
        self._findings = Findings(options.columns)
        self._parts: dict[str, Part] = {}
        files = []
        for source in self._sources:
            found = sniff(source.path, source.name, options)
            self._note_format(source, found.format)
            if options.columns.root and found.format is not ManifestFormat.JSON:
                text = f"{source.name} is {found.format.upper()}; --root is for a JSON document"
                raise ManifestError(text, hint="leave --root (root:) out", code="no-root")
            part = self._parts[source.name] = _PARTS[found.format](source, found, self._findings)
            if (dialect := found.dialect) is not None:
                found = replace(found, columns=len(part.names) - dialect.extra)
                if not dialect.extra:
                    self._note_nameless(source.name, part.names)
            files.append(ManifestFile(source.given, found, source.found.st_size, part.names))
        self.files: tuple[ManifestFile, ...] = tuple(files)
        self._columns = options.columns
        self.common = frozenset(self._findings.by_name) | options.columns.common
        self.header: Header = merged((name, part.header) for name, part in self._parts.items())

    def _note_format(self, source: SourceFile, found: ManifestFormat) -> None:
        name, named = source.name, named_format(source.name)
        if named not in (None, found):
            text = f"{name} holds {found.words}, whatever its name says: it is read as that"
            self.note("format-by-content", text)
        with open(source.path, "rb") as file:  # noqa: PTH123  a path as given
            file.seek(max(0, source.found.st_size - 1))
            if file.read(1) == DOS_END:
                self.note("dos-end", f"{name} ends with the mark of DOS (0x1A), which is left out")

    def _note_nameless(self, name: str, columns: Sequence[str]) -> None:
        if columns and columns[-1] == f"_{len(columns)}":
            text = f"{name}: the last column has no name; what stands in it is not used"
            self.note("nameless-column", text)

    @property
    def name(self) -> str:
        """How screens call it: its file, or the first one and how many more."""
        first, *more = (source.name for source in self._sources)
        return first if not more else f"{first} and {len(more)} more"

    @property
    def webhooks(self) -> dict[str, str]:
        """By file as given: the webhook that it names itself. Its author's word, not the user's."""
        parts = zip(self._sources, self._parts.values(), strict=True)
        named = {source.given: part.header.webhook for source, part in parts}
        return {given: webhook for given, webhook in named.items() if webhook}

    @property
    def folder(self) -> Path:
        """Where relative urls begin: the first file's folder, or the working folder for ``-``."""
        first = self._sources[0]
        return Path() if first.given == STDIN else Path(first.path).parent

    @property
    def bytes_total(self) -> int:
        """Size of all files on disk."""
        return sum(source.found.st_size for source in self._sources)

    @cached_property
    def form(self) -> RowForm | None:
        """In which form it is written; None where its files differ in that."""
        pairs = zip(self._parts.values(), self.files, strict=True)
        forms = {RowForm.of(part, file.detected) for part, file in pairs}
        return forms.pop() if len(forms) == 1 else None

    def entries(self, position: Position | None = None) -> Iterator[Entry]:
        """Every row of every file, numbered from 1 over all of them. ``position`` gets the bytes
        read so far. A row the reader finds fault with carries ``problems``; ManifestError is
        raised where a file cannot be read on, or has changed."""
        self._findings.start_pass()
        row, before = 1, 0
        for source, part in zip(self._sources, self._parts.values(), strict=True):
            source.check_unchanged()
            for entry in part.entries(row, _behind(position, before)):
                yield filled(entry, self._columns) if self._columns.by_type else entry
                row = entry.place.row + 1
            source.check_unchanged()
            before += source.found.st_size

    def cells(self, fields: Collection[str]) -> Iterator[tuple[str, Counter[str]]]:
        """The cells of these metadata fields in all files, some at a time, and how many there are
        of each: a look ahead, for what has to be decided over a whole column. Raises as
        ``entries`` does."""
        for source, part in zip(self._sources, self._parts.values(), strict=True):
            source.check_unchanged()
            yield from part.cells(fields)

    def note(self, code: str, text: str) -> None:
        """Something worth a line that others found out about this manifest."""
        self._findings.notice(code, text)

    @property
    def table(self) -> RowsOfFile | None:
        """The fast way through a single CSV or file of JSON Lines, by its ``rows``; None when they
        do not say it all: several files, another format, templates, constants, media types with a
        mapping of their own. Its user has to ask ``check_unchanged`` before and after."""
        part, *more = self._parts.values()
        if (
            isinstance(part, Table | JsonLines)
            and not more
            and not self._columns.by_type
            and part.columns is not None
        ):
            return part
        return None

    def notices(self) -> tuple[ReadingNote, ...]:
        """What is worth a line, each once; complete after reading."""
        return self._findings.notices()

    def check_unchanged(self) -> None:
        """Raises ManifestError when a file changed since it was opened."""
        for source in self._sources:
            source.check_unchanged()

    def locate(self, entry: Entry, field: str) -> Place:
        """Exact line and column of a field, by scanning that record again; where the field has no
        source in the file, the entry's place. Cheap in ascending order."""
        own = of_type(entry, self._columns) if self._columns.by_type else None
        field = field if own is None else own.columns.get(field, field)
        return self._parts[entry.place.file].locate(entry, field)

    def column_of(self, field: str) -> str | None:
        """The column of the first table that is this field and has a name of its own."""
        tables = (part for part in self._parts.values() if isinstance(part, Table))
        name = next((table.column_of(field) for table in tables), None)
        plain = (field, field.partition(".")[2])
        return None if name is None or name.casefold() in map(str.casefold, plain) else name

    def row_told(self, place: Place) -> int | None:
        """The number of the row at ``place`` of a single table, where its line does not tell it."""
        part, *more = self._parts.values()
        if more or not isinstance(part, Table) or not place.row:
            return None
        return None if place.line == place.row + part.header_lines else place.row

    def source_line(self, place: Place) -> str | None:
        """The physical line at ``place``; None when it is not there, or giant."""
        part = self._parts.get(place.file)
        return part.lines.line(place.line) if part else None

    def close(self) -> None:
        """Close files and remove the copy of standard input. May be called twice."""
        for part in self._parts.values():
            part.close()
        _remove_spools(self._sources)


def open_manifest(paths: Sequence[str | Path], options: ReadOptions | None = None) -> Manifest:
    """Open files, folders, patterns, or ``-`` for standard input, as one manifest.

    Raises UsageError for a file that is not there, ManifestError for one that cannot be a
    manifest (empty, binary, no column for id or url, two headers that differ), ConfigError when a
    part to read it is not installed.
    """
    sources: dict[tuple[int, int], SourceFile] = {}
    options = options or ReadOptions()
    try:
        for path in dict.fromkeys(map(str, paths)):
            for source in _find_files(path, options.left_out):  # one file may be named twice
                sources.setdefault((source.found.st_dev, source.found.st_ino), source)
        return Manifest(list(sources.values()), options)
    except BaseException:
        _remove_spools(sources.values())
        raise


def read_manifest(path: str | Path, **options: Any) -> Iterator[Entry]:
    """Every entry of one manifest (a path, folder, pattern or ``-``). ``options`` are those of
    ``ReadOptions``: encoding, delimiter, columns. Raises as ``open_manifest`` and
    ``Manifest.entries`` do."""
    with open_manifest([path], ReadOptions(**options)) as manifest:
        yield from manifest.entries()


def _behind(position: Position | None, before: int) -> Position | None:
    """Reports progress with ``before`` bytes of other files being done."""
    return None if position is None else lambda at: position(before + at)


def _remove_spools(sources: Iterable[SourceFile]) -> None:
    for source in sources:
        if lock := _spooled.pop(source.path, None):
            lock.discard()


def _find_files(path: str, left_out: Container[Path]) -> Iterator[SourceFile]:
    """Every file that ``path`` means: itself, those in a folder (but for ``left_out``) or matching
    a pattern, sorted; ``-`` is standard input, copied to a temporary file that the caller
    removes."""
    if path == STDIN:
        yield _spool()
        return
    found = [path]
    if Path(path).is_dir():
        files = (each for each in Path(path).iterdir() if each.is_file())
        named = (each for each in files if named_format(each.name))
        there = (each for each in named if each.resolve() not in left_out)
        found = sorted(str(each) for each in there if not each.name.startswith(_NOT_MANIFESTS))
        if not found:
            text = f"{path} holds no manifest"
            raise ManifestError(text, hint=_FORMATS_HINT, code="no-manifest")
    elif not Path(path).exists() and glob.has_magic(path):
        matching = glob.glob(path, recursive=True)  # noqa: PTH207
        found = sorted(each for each in matching if Path(each).is_file())
        if not found:
            raise UsageError(f"{path}: no file matches", code="no-such-file")
    yield from map(_source, found)


def _spool() -> SourceFile:
    """Copy standard input to a temporary file, since a manifest is read more than once. It is
    locked as long as it is in use: one that is not was left by a run that was killed."""
    lock = None
    try:
        folder = Path(tempfile.gettempdir())
        clear_up(folder, _SPOOLED)
        lock = new_lock(folder, _SPOOLED)
        with lock.path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        _spooled[str(lock.path)] = lock
        return SourceFile(str(lock.path), "stdin", STDIN, lock.path.stat())
    except BaseException as error:
        if lock is not None:
            lock.discard()
        if not isinstance(error, OSError):
            raise
        where, hint = tempfile.tempdir or "TMPDIR", "make room there, set TMPDIR, or give a file"
        message = f"standard input cannot be copied to {where}: {_reason(error)}"
        raise TemporaryError(message, hint=hint, code="spool") from error


def _source(path: str) -> SourceFile:
    try:
        found = os.stat(path)  # noqa: PTH116  a path as given
        if not Path(path).is_file():
            hint = "pipe it in, and give - as the manifest"
            raise ManifestError(f"{path} is not a file", hint=hint, code="not-a-manifest")
        with open(path, "rb"):  # noqa: PTH123  a path as given
            pass
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise _missing(path) from None
    except OSError as error:
        text = f"{path} cannot be read: {_reason(error)}"
        raise UsageError(text, code="unreadable") from error
    return SourceFile(path, path, path, found)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _missing(path: str) -> UsageError:
    folder = Path(path).parent
    names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    near = get_close_matches(Path(path).name, names, n=1, cutoff=0.75)
    hint = f"did you mean {folder / near[0]}?" if near else None
    return UsageError(f"{path}: no such file", hint=hint, code="no-such-file")
